#include "server/base/error.h"

#include <google/protobuf/arena.h>

#include <cstdint>

#include "absl/functional/function_ref.h"
#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "server/base/error_details.pb.h"

namespace ipp {
namespace {

constexpr char kErrorInfoUrl[] = "type.googleapis.com/google.rpc.ErrorInfo";
constexpr char kBadRequestUrl[] = "type.googleapis.com/google.rpc.BadRequest";
constexpr char kRetryInfoUrl[] = "type.googleapis.com/google.rpc.RetryInfo";

// Memory for the messages of one error, most of it on the stack: a refused call should cost less
// than a served one.
class Scratch {
 public:
  template <typename Message>
  Message* New() {
    return Message::default_instance().New(&arena_);
  }

 private:
  alignas(8) char block_[2048];
  google::protobuf::Arena arena_{block_, sizeof(block_)};
};

// nullptr if there is none.
template <typename Message>
const Message* Payload(const absl::Status& status, absl::string_view url, Scratch* scratch) {
  absl::optional<absl::Cord> payload = status.GetPayload(url);
  auto* message = scratch->New<Message>();
  if (!payload) return nullptr;
  const absl::string_view bytes = payload->Flatten();
  return message->ParseFromArray(bytes.data(), static_cast<int>(bytes.size())) ? message : nullptr;
}

// Calls `use` with each message of the error and the URL of its type.
void ForEachMessage(
    const ErrorDetail& detail,
    absl::FunctionRef<void(const char* url, const google::protobuf::Message& message)> use) {
  Scratch scratch;
  auto& info = *scratch.New<google::rpc::ErrorInfo>();
  info.set_reason(detail.reason);
  info.set_domain(kErrorDomain);
  for (const auto& [key, value] : detail.metadata) (*info.mutable_metadata())[key] = value;
  use(kErrorInfoUrl, info);
  if (!detail.violations.empty()) {
    auto& bad = *scratch.New<google::rpc::BadRequest>();
    for (const FieldViolation& violation : detail.violations) {
      auto* row = bad.add_field_violations();
      row->set_field(violation.field);
      row->set_description(violation.description);
    }
    use(kBadRequestUrl, bad);
  }
  if (detail.retry_after) {
    auto& retry = *scratch.New<google::rpc::RetryInfo>();
    const int64_t nanos = absl::ToInt64Nanoseconds(*detail.retry_after);
    retry.mutable_retry_delay()->set_seconds(nanos / 1'000'000'000);
    retry.mutable_retry_delay()->set_nanos(static_cast<int32_t>(nanos % 1'000'000'000));
    use(kRetryInfoUrl, retry);
  }
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

absl::Status MakeError(absl::StatusCode code, absl::string_view message,
                       const ErrorDetail& detail) {
  absl::Status status(code, message);
  ForEachMessage(detail, [&status](const char* url, const google::protobuf::Message& message) {
    status.SetPayload(url, absl::Cord(message.SerializeAsString()));
  });
  return status;
}

google::rpc::Status PackError(absl::StatusCode code, absl::string_view message,
                              const ErrorDetail& detail) {
  google::rpc::Status packed;
  packed.set_code(static_cast<int>(code));
  packed.set_message(std::string(message));
  ForEachMessage(detail, [&packed](const char* url, const google::protobuf::Message& message) {
    auto* any = packed.add_details();
    any->set_type_url(url);
    any->set_value(message.SerializeAsString());
  });
  return packed;
}

absl::Status InvalidRequest(std::vector<FieldViolation> violations) {
  const std::string message =
      violations.size() == 1 ? absl::StrCat(violations[0].field, ": ", violations[0].description)
                             : absl::StrCat(violations.size(), " fields are invalid, first ",
                                            violations[0].field, ": ", violations[0].description);
  return MakeError(absl::StatusCode::kInvalidArgument, message,
                   {.reason = "INVALID_REQUEST",
                    .metadata = {{kOutcomeKey, std::string(OutcomeName(Outcome::kNotSent))},
                                 {"retry_safe", "true"}},
                    .violations = std::move(violations)});
}

ErrorDetail GetErrorDetail(const absl::Status& status) {
  ErrorDetail detail;
  Scratch scratch;
  if (const auto* info = Payload<google::rpc::ErrorInfo>(status, kErrorInfoUrl, &scratch)) {
    detail.reason = info->reason();
    for (const auto& [key, value] : info->metadata()) detail.metadata[key] = value;
  }
  if (const auto* bad = Payload<google::rpc::BadRequest>(status, kBadRequestUrl, &scratch)) {
    for (const auto& row : bad->field_violations()) {
      detail.violations.push_back({row.field(), row.description()});
    }
  }
  if (const auto* retry = Payload<google::rpc::RetryInfo>(status, kRetryInfoUrl, &scratch)) {
    detail.retry_after = absl::Seconds(retry->retry_delay().seconds()) +
                         absl::Nanoseconds(retry->retry_delay().nanos());
  }
  return detail;
}

absl::Status WithMetadata(const absl::Status& status,
                          const std::map<std::string, std::string>& metadata) {
  ErrorDetail detail = GetErrorDetail(status);
  detail.metadata.insert(metadata.begin(), metadata.end());
  return MakeError(status.code(), status.message(), detail);
}

absl::Status WithOutcome(const absl::Status& status, Outcome outcome) {
  ErrorDetail detail = GetErrorDetail(status);
  detail.metadata[kOutcomeKey] = std::string(OutcomeName(outcome));
  return MakeError(status.code(), status.message(), detail);
}

std::string SerializeError(const absl::Status& status) {
  google::rpc::Status packed;
  packed.set_code(static_cast<int>(status.code()));
  packed.set_message(std::string(status.message()));
  status.ForEachPayload([&packed](absl::string_view url, const absl::Cord& payload) {
    auto* any = packed.add_details();
    any->set_type_url(std::string(url));
    any->set_value(std::string(payload));
  });
  return packed.SerializeAsString();
}

absl::Status ParseError(const std::string& bytes) {
  google::rpc::Status packed;
  if (!packed.ParseFromString(bytes) || packed.code() == 0) {
    return MakeError(absl::StatusCode::kInternal, "a kept error cannot be read",
                     {.reason = "INTERNAL"});
  }
  absl::Status status(static_cast<absl::StatusCode>(packed.code()), packed.message());
  for (const auto& any : packed.details()) {
    status.SetPayload(any.type_url(), absl::Cord(any.value()));
  }
  return status;
}

}  // namespace ipp
