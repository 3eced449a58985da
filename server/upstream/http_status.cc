#include "server/upstream/http_status.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "server/base/encoding.h"
#include "server/json/lenient_text.h"
#include "server/upstream/problem_body.h"
#include "server/upstream/retry_after.h"

namespace ipp::upstream {
namespace {

using absl::StatusCode;
namespace v1 = kustom::ipp::v1;

constexpr size_t kMaxEchoed = 500;  // bytes of the upstream's text in an error
// The size of all violations together: gRPC clients accept 8 KiB of trailers by default.
constexpr size_t kMaxViolationBytes = 3 * 1024;

struct Row {
  int code;
  StatusCode status;
  const char* reason;
  Outcome outcome;
  bool retriable;
};

// If a change gets one of the kUnknown rows, HideFromBlindRetries replaces the status and the
// reason.
constexpr Row kRows[] = {
    {400, StatusCode::kInvalidArgument, "UPSTREAM_REFUSED", Outcome::kRejected, false},
    {401, StatusCode::kInternal, "UPSTREAM_CREDENTIALS", Outcome::kRejected, false},
    {403, StatusCode::kInternal, "UPSTREAM_CREDENTIALS", Outcome::kRejected, false},
    {404, StatusCode::kNotFound, "NOT_FOUND", Outcome::kRejected, false},
    {408, StatusCode::kUnavailable, "UPSTREAM_UNAVAILABLE", Outcome::kUnknown, true},
    {409, StatusCode::kFailedPrecondition, "UPSTREAM_CONFLICT", Outcome::kRejected, false},
    {410, StatusCode::kNotFound, "NOT_FOUND", Outcome::kRejected, false},
    {413, StatusCode::kInvalidArgument, "UPSTREAM_REFUSED", Outcome::kRejected, false},
    {422, StatusCode::kInvalidArgument, "UPSTREAM_REFUSED", Outcome::kRejected, false},
    {429, StatusCode::kResourceExhausted, "UPSTREAM_RATE_LIMIT", Outcome::kRejected, true},
};

Row RowFor(int code) {
  for (const Row& row : kRows) {
    if (row.code == code) return row;
  }
  if (code >= 500) {
    return {code, StatusCode::kUnavailable, "UPSTREAM_UNAVAILABLE", Outcome::kUnknown, true};
  }
  if (code >= 400) {
    return {code, StatusCode::kFailedPrecondition, "UPSTREAM_REFUSED", Outcome::kRejected, false};
  }
  // A redirect, or a success code that the route does not expect: it is not known what was done.
  return {code, StatusCode::kInternal, "UPSTREAM_UNEXPECTED", Outcome::kUnknown, false};
}

// Whether the caller can send the same request again without executing something twice.
bool RetrySafe(Outcome outcome, v1::Repeat repeat) {
  if (repeat != v1::REPEAT_NEVER) return true;
  return outcome == Outcome::kNotSent || outcome == Outcome::kRejected;
}

// A change whose outcome is not known must not have a status code that client libraries retry
// automatically.
void HideFromBlindRetries(v1::Repeat repeat, Outcome outcome, StatusCode* code,
                          std::string* reason) {
  if (repeat == v1::REPEAT_READ || outcome != Outcome::kUnknown) return;
  *code = StatusCode::kUnknown;
  *reason = "OUTCOME_UNKNOWN";
}

Failure Make(StatusCode code, std::string reason, absl::string_view message, Outcome outcome,
             v1::Repeat repeat, ErrorDetail detail) {
  detail.reason = std::move(reason);
  detail.metadata["outcome"] = std::string(OutcomeName(outcome));
  detail.metadata["retry_safe"] = RetrySafe(outcome, repeat) ? "true" : "false";
  return Failure{MakeError(code, message, detail), outcome, false, std::nullopt};
}

bool IsMarkup(BodyForm form) { return form == BodyForm::kHtml || form == BodyForm::kXml; }

// The upstream's text, made safe for an error message: short, printable, without the gateway's key.
std::string Echo(absl::string_view text, const std::vector<std::string>& secrets) {
  std::string clean(text);
  // Before the text is shortened, which could leave a part of a key.
  for (const std::string& secret : secrets) {
    if (!secret.empty()) clean = absl::StrReplaceAll(clean, {{secret, "***"}});
  }
  clean.resize(CutUtf8(clean, kMaxEchoed).size());
  std::replace_if(
      clean.begin(), clean.end(),
      [](char c) { return absl::ascii_iscntrl(static_cast<unsigned char>(c)); }, ' ');
  // gRPC sends UTF-8 only. Text from JSON is UTF-8, but text/plain may have any encoding.
  if (!json::IsUtf8(clean)) {
    std::replace_if(
        clean.begin(), clean.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x80; },
        '?');
  }
  return clean;
}

std::vector<FieldViolation> Violations(const ProblemBody& problem, absl::string_view body_field,
                                       const std::vector<std::string>& secrets) {
  const std::string prefix =
      body_field.empty() || body_field == "*" ? "" : absl::StrCat(body_field, ".");
  std::vector<FieldViolation> violations;
  size_t bytes = 0;
  for (const auto& [field, text] : problem.errors) {
    violations.push_back({absl::StrCat(prefix, Echo(field, secrets)), Echo(text, secrets)});
    bytes += violations.back().field.size() + violations.back().description.size();
    if (bytes > kMaxViolationBytes) break;
  }
  return violations;
}

void KeepCorrelationId(const ProblemBody& problem, const std::vector<std::string>& secrets,
                       ErrorDetail* detail) {
  const std::string& id = problem.correlation_id;
  const bool is_secret = std::any_of(
      secrets.begin(), secrets.end(),
      [&](const std::string& secret) { return !secret.empty() && absl::StrContains(id, secret); });
  if (!id.empty() && !is_secret) detail->metadata["correlation_id"] = id;
}

std::string Message(int http_code, const std::string& reason, const ProblemBody& problem,
                    const std::vector<std::string>& secrets) {
  if (reason == "UPSTREAM_CREDENTIALS") {
    return "the upstream refused the gateway's own key";  // not the caller's business
  }
  std::string message = absl::StrCat("the upstream answered ", http_code);
  if (IsMarkup(problem.form)) {
    absl::StrAppend(&message, " with ", FormName(problem.form));
  } else if (!problem.words.empty()) {
    absl::StrAppend(&message, ": ", Echo(problem.words, secrets));
  }
  return message;
}

}  // namespace

Failure FromResponse(const http::HttpResponse& response, v1::Repeat repeat,
                     absl::string_view body_field, const std::vector<std::string>& secrets,
                     absl::Time now) {
  const Row row = RowFor(response.code);
  // Any body is accepted, even none: the code alone decides.
  const ProblemBody problem = ReadProblemBody(response);
  ErrorDetail detail;
  detail.metadata["http_status"] = absl::StrCat(response.code);
  StatusCode code = row.status;
  std::string reason = row.reason;
  HideFromBlindRetries(repeat, row.outcome, &code, &reason);
  // A firewall's page says nothing about the key, which may not even have been checked.
  if (reason == "UPSTREAM_CREDENTIALS" && IsMarkup(problem.form)) reason = "UPSTREAM_BLOCKED";
  KeepCorrelationId(problem, secrets, &detail);
  const std::optional<absl::Duration> retry_after =
      ParseRetryAfter(response.header("retry-after"), response.header("date"), now);
  if (code == StatusCode::kInvalidArgument) {
    detail.violations = Violations(problem, body_field, secrets);
  }
  // A retry delay would read as permission to send the request again.
  if (row.retriable && RetrySafe(row.outcome, repeat)) detail.retry_after = retry_after;
  if (code == StatusCode::kResourceExhausted && !retry_after) detail.retry_after = absl::Seconds(1);
  const std::string message = Message(response.code, reason, problem, secrets);
  Failure failure = Make(code, std::move(reason), message, row.outcome, repeat, std::move(detail));
  failure.retriable = row.retriable;
  failure.retry_after = retry_after;
  return failure;
}

Failure FromTransport(const http::HttpResult& result, v1::Repeat repeat) {
  const Outcome outcome =
      result.fate == http::RequestFate::kNotSent ? Outcome::kNotSent : Outcome::kUnknown;
  StatusCode code = result.status.code();
  std::string reason = "UPSTREAM_UNAVAILABLE";
  bool retriable = false;
  switch (code) {
    case StatusCode::kDeadlineExceeded:
      reason = "DEADLINE_EXCEEDED";
      break;
    case StatusCode::kCancelled:
      reason = "CANCELLED";
      break;
    case StatusCode::kResourceExhausted:
      reason = "GATEWAY_OVERLOADED";
      break;
    case StatusCode::kOutOfRange:
      code = StatusCode::kInternal;
      reason = "UPSTREAM_MALFORMED";
      break;
    case StatusCode::kFailedPrecondition:
      code = StatusCode::kUnavailable;
      reason = "UPSTREAM_UNTRUSTED";
      break;
    case StatusCode::kInvalidArgument:
      // For example, the key file contains a line break. Neither a retry nor the caller can correct
      // it.
      code = StatusCode::kInternal;
      reason = "NOT_SENDABLE";
      break;
    default:
      code = StatusCode::kUnavailable;
      retriable = true;
  }
  HideFromBlindRetries(repeat, outcome, &code, &reason);
  ErrorDetail detail;
  if (reason == "GATEWAY_OVERLOADED") detail.retry_after = absl::Seconds(1);
  Failure failure =
      Make(code, std::move(reason), result.status.message(), outcome, repeat, std::move(detail));
  failure.retriable = retriable;
  return failure;
}

Failure FromMalformedAnswer(int http_code, v1::Repeat repeat, absl::string_view why) {
  return FromMalformedAnswer(http::HttpResponse{.code = http_code, .headers = {}, .body = "{}"},
                             repeat, why, {});
}

Failure FromMalformedAnswer(const http::HttpResponse& response, v1::Repeat repeat,
                            absl::string_view why, const std::vector<std::string>& secrets) {
  // If the answer to a create cannot be read, it is not known what was created.
  const Outcome outcome = repeat == v1::REPEAT_NEVER ? Outcome::kUnknown : Outcome::kExecuted;
  const ProblemBody problem = ReadProblemBody(response);
  if (IsMarkup(problem.form)) why = FormName(problem.form);
  ErrorDetail detail;
  detail.metadata["http_status"] = absl::StrCat(response.code);
  KeepCorrelationId(problem, secrets, &detail);
  return Make(StatusCode::kInternal, "UPSTREAM_MALFORMED",
              absl::StrCat("the upstream's answer cannot be read: ", why), outcome, repeat,
              std::move(detail));
}

Failure FromForeignAnswer(int http_code, v1::Repeat repeat) {
  ErrorDetail detail;
  detail.metadata["http_status"] = absl::StrCat(http_code);
  return Make(StatusCode::kInternal, "UPSTREAM_MALFORMED",
              "the upstream's answer is about something else than what was asked for",
              Outcome::kUnknown, repeat, std::move(detail));
}

}  // namespace ipp::upstream
