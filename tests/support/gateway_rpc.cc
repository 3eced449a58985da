#include "tests/support/gateway_rpc.h"

#include <chrono>

#include "server/base/error_details.pb.h"
#include "tests/support/said.h"

namespace ipp {

void Prepare(const CallOptions& options, grpc::ClientContext* context) {
  for (const auto& [key, value] : options.metadata) context->AddMetadata(key, value);
  context->set_deadline(std::chrono::system_clock::now() +
                        absl::ToChronoMicroseconds(options.timeout));
}

std::string RpcEnd::info(const std::string& key) const {
  const auto it = detail.metadata.find(key);
  return it == detail.metadata.end() ? "-" : it->second;
}

std::vector<std::string> RpcEnd::fields() const {
  std::vector<std::string> fields;
  for (const FieldViolation& violation : detail.violations) fields.push_back(violation.field);
  return fields;
}

RpcEnd EndOf(const grpc::Status& status, const grpc::ClientContext& context) {
  RpcEnd end;
  end.code = status.error_code();
  end.message = status.error_message();
  KeepSaid(end.message);
  KeepSaid(status.error_details());
  for (const auto& [key, value] : context.GetServerTrailingMetadata()) {
    end.trailers.emplace(std::string(key.data(), key.size()),
                         std::string(value.data(), value.size()));
    KeepSaid(std::string(value.data(), value.size()));
  }
  google::rpc::Status packed;
  if (status.error_details().empty() || !packed.ParseFromString(status.error_details())) return end;
  end.consistent = packed.code() == status.error_code() && packed.message() == end.message;
  absl::Status unpacked(static_cast<absl::StatusCode>(packed.code()), packed.message());
  for (const auto& any : packed.details()) {
    unpacked.SetPayload(any.type_url(), absl::Cord(any.value()));
    google::rpc::ErrorInfo info;
    if (any.UnpackTo(&info)) end.domain = info.domain();
  }
  end.detail = GetErrorDetail(unpacked);
  return end;
}

testing::AssertionResult Ok(const RpcEnd& end) {
  if (end.ok()) return testing::AssertionSuccess();
  return testing::AssertionFailure()
         << "code " << end.code << ", reason " << end.reason() << ": " << end.message;
}

testing::AssertionResult Refused(const RpcEnd& end, grpc::StatusCode code,
                                 const std::string& reason) {
  if (end.code == code && end.reason() == reason && end.domain == kErrorDomain && end.consistent &&
      !end.message.empty()) {
    return testing::AssertionSuccess();
  }
  return testing::AssertionFailure()
         << "wanted code " << code << ", reason " << reason << "; is code " << end.code
         << ", reason " << end.reason() << ", domain " << end.domain << ", message " << end.message
         << (end.consistent ? "" : "; google.rpc.Status says otherwise");
}

}  // namespace ipp
