#include "ippclient/error.h"

#include <array>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "client/error_status.h"
#include "client/ippclient_error_details.pb.h"

namespace ipp::client {
namespace {

// The rest of a detail's type_url.
constexpr absl::string_view kTypes = "type.googleapis.com/google.rpc.";

std::string Find(const std::map<std::string, std::string>& metadata, const std::string& key) {
  const auto found = metadata.find(key);
  return found == metadata.end() ? std::string() : found->second;
}

std::optional<Outcome> ParseOutcome(const std::string& name) {
  for (Outcome outcome :
       {Outcome::kNotSent, Outcome::kRejected, Outcome::kExecuted, Outcome::kUnknown}) {
    if (OutcomeName(outcome) == name) return outcome;
  }
  return std::nullopt;
}

void ReadErrorInfo(const ippclient::ErrorInfo& info, Error* error) {
  error->reason = info.reason();
  error->metadata = {info.metadata().begin(), info.metadata().end()};
  error->outcome = ParseOutcome(Find(error->metadata, "outcome"));
  error->earlier_outcome = ParseOutcome(Find(error->metadata, "earlier_outcome"));
  bool retry_safe = false;
  if (absl::SimpleAtob(Find(error->metadata, "retry_safe"), &retry_safe)) {
    error->retry_safe = retry_safe;
  }
  int http_status = 0;
  if (absl::SimpleAtoi(Find(error->metadata, "http_status"), &http_status)) {
    error->http_status = http_status;
  }
  error->request_id = Find(error->metadata, "request_id");
}

}  // namespace

absl::string_view OutcomeName(Outcome outcome) {
  switch (outcome) {
    case Outcome::kNotSent:
      return "NOT_SENT";
    case Outcome::kRejected:
      return "REJECTED";
    case Outcome::kExecuted:
      return "EXECUTED";
    case Outcome::kUnknown:
      return "UNKNOWN";
  }
  return "UNKNOWN";
}

Error DecodeError(const grpc::Status& status) {
  Error error;
  error.code = status.error_code();
  error.message = status.error_message();
  ippclient::Status details;
  if (!details.ParseFromString(status.error_details())) return error;
  for (const ippclient::Any& any : details.details()) {
    absl::string_view type = any.type_url();
    if (!absl::ConsumePrefix(&type, kTypes)) continue;
    ippclient::ErrorInfo info;
    ippclient::BadRequest bad_request;
    ippclient::RetryInfo retry;
    // A known detail that does not parse is treated like an unknown one.
    if (type == "ErrorInfo" && info.ParseFromString(any.value())) {
      ReadErrorInfo(info, &error);
    } else if (type == "BadRequest" && bad_request.ParseFromString(any.value())) {
      for (const auto& row : bad_request.field_violations()) {
        error.violations.push_back({row.field(), row.description()});
      }
    } else if (type == "RetryInfo" && retry.ParseFromString(any.value())) {
      error.retry_delay = absl::Seconds(retry.retry_delay().seconds()) +
                          absl::Nanoseconds(retry.retry_delay().nanos());
    }
  }
  return error;
}

grpc::Status WithOutcome(const grpc::Status& status, Outcome outcome) {
  ippclient::Status details;
  if (!details.ParseFromString(status.error_details())) return status;  // not from the gateway
  for (ippclient::Any& any : *details.mutable_details()) {
    ippclient::ErrorInfo info;
    if (any.type_url() != absl::StrCat(kTypes, "ErrorInfo") || !info.ParseFromString(any.value())) {
      continue;
    }
    (*info.mutable_metadata())["outcome"] = std::string(OutcomeName(outcome));
    any.set_value(info.SerializeAsString());
  }
  return grpc::Status(status.error_code(), status.error_message(), details.SerializeAsString());
}

grpc::Status ErrorStatus(grpc::StatusCode code, absl::string_view message, absl::string_view reason,
                         Outcome outcome) {
  ippclient::ErrorInfo info;
  info.set_reason(std::string(reason));
  info.set_domain("ipp.kustom.co");
  (*info.mutable_metadata())["outcome"] = std::string(OutcomeName(outcome));
  ippclient::Status details;
  details.set_code(code);
  details.set_message(std::string(message));
  ippclient::Any& any = *details.add_details();
  any.set_type_url(absl::StrCat(kTypes, "ErrorInfo"));
  any.set_value(info.SerializeAsString());
  return grpc::Status(code, std::string(message), details.SerializeAsString());
}

std::string CodeName(grpc::StatusCode code) {
  static constexpr std::array<const char*, 17> kNames = {"OK",
                                                         "CANCELLED",
                                                         "UNKNOWN",
                                                         "INVALID_ARGUMENT",
                                                         "DEADLINE_EXCEEDED",
                                                         "NOT_FOUND",
                                                         "ALREADY_EXISTS",
                                                         "PERMISSION_DENIED",
                                                         "RESOURCE_EXHAUSTED",
                                                         "FAILED_PRECONDITION",
                                                         "ABORTED",
                                                         "OUT_OF_RANGE",
                                                         "UNIMPLEMENTED",
                                                         "INTERNAL",
                                                         "UNAVAILABLE",
                                                         "DATA_LOSS",
                                                         "UNAUTHENTICATED"};
  const auto index = static_cast<size_t>(code);
  return index < kNames.size() ? kNames[index] : absl::StrCat("CODE_", static_cast<int>(code));
}

grpc::Status NotUtf8Status(absl::string_view field, Outcome outcome) {
  return ErrorStatus(grpc::StatusCode::INVALID_ARGUMENT,
                     absl::StrCat(field, ": is not UTF-8 text; this request was not sent"),
                     "INVALID_REQUEST", outcome);
}

}  // namespace ipp::client
