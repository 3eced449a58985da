#include "client/ippctl/report.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/ippctl/json_text.h"
#include "client/ippctl/look.h"
#include "client/ippctl/text.h"
#include "client/ippctl/what_to_do.h"

namespace ipp::ippctl {

using client::FieldViolation;
using client::Outcome;

namespace {

const char* Explain(Outcome outcome) {
  switch (outcome) {
    case Outcome::kNotSent:
      return "nothing was sent";
    case Outcome::kRejected:
      return "it was refused, nothing was done";
    case Outcome::kExecuted:
      return "it was done";
    case Outcome::kUnknown:
      return "it may or may not have been done";
  }
  return "";
}

bool Unsure(const client::Error& error) {
  // A connection that breaks in the middle of a call is UNAVAILABLE without an outcome.
  return error.outcome ? *error.outcome == Outcome::kUnknown
                       : error.code == grpc::StatusCode::UNAVAILABLE;
}

// A word for programs and a sentence for people; both empty when it is not known whether a retry is
// safe.
struct Advice {
  std::string word = "";
  std::string text = "";
};

Advice AdviceOn(const client::Error& error, const Attempt& attempt, Retry retry) {
  const std::string wait =
      error.retry_delay ? absl::StrCat(" after ", absl::FormatDuration(*error.retry_delay)) : "";
  if (attempt.at_most_once && Unsure(error)) {
    if (attempt.request_id.empty()) return {"look-first", "look first whether it was done"};
    return {"same-request-id", absl::StrCat(wait.empty() ? "" : absl::StrCat(wait.substr(1), ", "),
                                            "with --request-id ", attempt.request_id,
                                            " only, which never does it twice")};
  }
  switch (retry) {
    case Retry::kCorrectFirst:
      return {"correct-first", "correct it first"};
    case Retry::kOperator:
      return {"operator", "after the operator has acted"};
    case Retry::kNotNeeded:
      return {"no-use", "of no use"};
    case Retry::kHelps:
      break;
  }
  if (error.retry_safe == false) return {"not-safe", "not safe"};
  if (error.retry_safe || error.retry_delay) return {"safe", absl::StrCat("safe", wait)};
  return {};
}

std::string Metadata(const client::Error& error, const std::string& key) {
  const auto found = error.metadata.find(key);
  return found == error.metadata.end() ? "" : Printable(found->second);
}

// What is shown of the metadata, under which name. The cursors: where to go on after
// CURSOR_EXPIRED.
constexpr const char* kShown[][2] = {
    {"oldest_cursor", "oldest_cursor"},     {"latest_cursor", "latest_cursor"},
    {"session_id", "session id"},           {"order_id", "order id"},
    {"earlier_outcome", "earlier outcome"}, {"correlation_id", "correlation id"}};

std::string WhatToDo(const client::Error& error, const Attempt& attempt, const Remedy& remedy) {
  // What goes by the code alone is about calls that may be repeated.
  const bool general = remedy.reason.empty();
  return general && attempt.at_most_once && Unsure(error) ? "" : remedy.what_to_do;
}

}  // namespace

client::Error WithVerdict(client::Error error, const Attempt& attempt) {
  if (!error.outcome && attempt.at_most_once) {
    switch (error.code) {
      case grpc::StatusCode::CANCELLED:
      case grpc::StatusCode::UNKNOWN:
      case grpc::StatusCode::DEADLINE_EXCEEDED:
      case grpc::StatusCode::INTERNAL:
      // The connection may have broken after the request, and an earlier call with the same id may
      // have been sent.
      case grpc::StatusCode::UNAVAILABLE:
        error.outcome = Outcome::kUnknown;
        break;
      default:
        break;
    }
  }
  if (error.request_id.empty()) error.request_id = attempt.request_id;
  return error;
}

ExitCode ExitCodeOf(const client::Error& error) {
  if (error.outcome == Outcome::kUnknown) return kExitUnknown;
  switch (error.code) {
    case grpc::StatusCode::OK:
      return kExitOk;
    case grpc::StatusCode::INVALID_ARGUMENT:
    case grpc::StatusCode::OUT_OF_RANGE:
    case grpc::StatusCode::FAILED_PRECONDITION:
      return kExitInvalid;
    case grpc::StatusCode::NOT_FOUND:
      return kExitNotFound;
    case grpc::StatusCode::PERMISSION_DENIED:
    case grpc::StatusCode::UNAUTHENTICATED:
      return kExitDenied;
    case grpc::StatusCode::UNAVAILABLE:
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return kExitUnavailable;
    default:
      return kExitOther;
  }
}

std::string DescribeError(const client::Error& error, const Attempt& attempt, const Way& way,
                          bool color) {
  std::string text =
      absl::StrCat(Painted("ippctl:", Paint::kBad, color), " ", client::CodeName(error.code));
  if (!error.reason.empty()) absl::StrAppend(&text, " (", Printable(error.reason), ")");
  // The library's words say no more than ours, and less plainly.
  const std::string trouble = ConnectionTrouble(error, way);
  absl::StrAppend(&text, ": ", trouble.empty() ? Printable(error.message) : trouble, "\n");
  for (const FieldViolation& violation : error.violations) {
    absl::StrAppend(&text, "  ", Printable(violation.field), ": ", Printable(violation.description),
                    "\n");
  }
  const auto line = [&](absl::string_view name, const std::string& value) {
    if (!value.empty()) absl::StrAppend(&text, name, ": ", value, "\n");
  };
  for (const auto& [key, name] : kShown) line(name, Metadata(error, key));
  if (error.outcome) {
    line("outcome", absl::StrCat(OutcomeName(*error.outcome), ", ", Explain(*error.outcome)));
  }
  const Remedy remedy = RemedyFor(error);
  line("retry", Printable(AdviceOn(error, attempt, remedy.retry).text));
  line("what to do", WhatToDo(error, attempt, remedy));
  line("request id", Printable(error.request_id));
  line("trace id", Metadata(error, "trace_id"));
  return text;
}

std::string ErrorAsJson(const client::Error& error, const Attempt& attempt, const Way& way) {
  const Remedy remedy = RemedyFor(error);
  JsonObject json;
  json.Add("code", client::CodeName(error.code));
  const auto add = [&](absl::string_view name, const std::string& value) {
    if (!value.empty()) json.Add(name, value);
  };
  add("reason", Printable(error.reason));
  json.Add("message", Printable(error.message));
  std::vector<JsonObject> violations;
  for (const FieldViolation& violation : error.violations) {
    violations.push_back(JsonObject()
                             .Add("field", Printable(violation.field))
                             .Add("description", Printable(violation.description)));
  }
  if (!violations.empty()) json.Add("violations", violations);
  for (const auto& [key, name] : kShown) add(key, Metadata(error, key));
  if (error.outcome) json.Add("outcome", OutcomeName(*error.outcome));
  add("retry", AdviceOn(error, attempt, remedy.retry).word);
  if (error.retry_delay) {
    json.Add("retry_after_ms", absl::ToInt64Milliseconds(*error.retry_delay));
  }
  const std::string trouble = ConnectionTrouble(error, way);
  add("what_to_do", trouble.empty() ? WhatToDo(error, attempt, remedy) : trouble);
  add("request_id", Printable(error.request_id));
  add("trace_id", Metadata(error, "trace_id"));
  json.Add("exit_code", int64_t{ExitCodeOf(error)});
  return absl::StrCat(JsonObject().Add("error", json).text(), "\n");
}

}  // namespace ipp::ippctl
