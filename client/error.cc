#include "ippclient/error.h"

#include <array>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "server/base/error_details.pb.h"

namespace ipp::client {
namespace {

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

void ReadErrorInfo(const google::rpc::ErrorInfo& info, Error* error) {
  error->reason = info.reason();
  error->metadata = {info.metadata().begin(), info.metadata().end()};
  error->outcome = ParseOutcome(Find(error->metadata, "outcome"));
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

Error DecodeError(const grpc::Status& status) {
  Error error;
  error.code = status.error_code();
  error.message = status.error_message();
  google::rpc::Status details;
  if (!details.ParseFromString(status.error_details())) return error;
  for (const google::protobuf::Any& any : details.details()) {
    google::rpc::ErrorInfo info;
    google::rpc::BadRequest bad_request;
    google::rpc::RetryInfo retry;
    // A detail of ours that does not parse is treated like one that we do not know.
    if (any.UnpackTo(&info)) {
      ReadErrorInfo(info, &error);
    } else if (any.UnpackTo(&bad_request)) {
      for (const auto& row : bad_request.field_violations()) {
        error.violations.push_back({row.field(), row.description()});
      }
    } else if (any.UnpackTo(&retry)) {
      error.retry_delay = absl::Seconds(retry.retry_delay().seconds()) +
                          absl::Nanoseconds(retry.retry_delay().nanos());
    }
  }
  return error;
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

}  // namespace ipp::client
