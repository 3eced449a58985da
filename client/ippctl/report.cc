#include "client/ippctl/report.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "client/ippctl/text.h"

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

std::string Advice(const client::Error& error, const Attempt& attempt) {
  const std::string wait =
      error.retry_delay ? absl::StrCat(" after ", absl::FormatDuration(*error.retry_delay)) : "";
  // A connection that breaks in the middle of a call is UNAVAILABLE without an outcome.
  const bool unsure = error.outcome ? *error.outcome == Outcome::kUnknown
                                    : error.code == grpc::StatusCode::UNAVAILABLE;
  if (attempt.at_most_once && unsure) {
    return attempt.request_id.empty() ? "look first whether it was done"
                                      : absl::StrCat("with --request-id ", attempt.request_id,
                                                     " only, which never does it twice");
  }
  if (!error.retry_safe) return error.retry_delay ? absl::StrCat("safe", wait) : "";
  return *error.retry_safe ? absl::StrCat("safe", wait) : "not safe";
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

std::string DescribeError(const client::Error& error, const Attempt& attempt) {
  std::string text = absl::StrCat("ippctl: ", client::CodeName(error.code));
  if (!error.reason.empty()) absl::StrAppend(&text, " (", Printable(error.reason), ")");
  absl::StrAppend(&text, ": ", Printable(error.message), "\n");
  for (const FieldViolation& violation : error.violations) {
    absl::StrAppend(&text, "  ", Printable(violation.field), ": ", Printable(violation.description),
                    "\n");
  }
  // Where to go on after CURSOR_EXPIRED.
  for (const char* key : {"oldest_cursor", "latest_cursor"}) {
    const auto found = error.metadata.find(key);
    if (found != error.metadata.end()) {
      absl::StrAppend(&text, key, ": ", Printable(found->second), "\n");
    }
  }
  if (error.outcome) {
    absl::StrAppend(&text, "outcome: ", OutcomeName(*error.outcome), ", ", Explain(*error.outcome),
                    "\n");
  }
  if (const std::string advice = Advice(error, attempt); !advice.empty()) {
    absl::StrAppend(&text, "retry: ", Printable(advice), "\n");
  }
  if (!error.request_id.empty()) {
    absl::StrAppend(&text, "request id: ", Printable(error.request_id), "\n");
  }
  return text;
}

}  // namespace ipp::ippctl
