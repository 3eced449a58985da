#include "server/rpc/grpc_status.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "server/base/encoding.h"
#include "server/base/error.h"
#include "server/base/error_details.pb.h"
#include "server/base/log.h"

namespace ipp::rpc {
namespace {

// gRPC clients accept 8 KiB of metadata by default, including the details in base64 and the
// message. A larger error reaches the caller as RESOURCE_EXHAUSTED without details.
constexpr size_t kMaxDetails = 4096;
// The message may quote a violation's field, which may quote a key that is as long as the request.
// Each byte of the message can take three bytes in its header.
constexpr size_t kMaxMessage = 600;

std::string Cut(absl::string_view text) {
  if (text.size() <= kMaxMessage) return std::string(text);
  return absl::StrCat(CutUtf8(text, kMaxMessage), "...");
}

void KeepTheViolationsThatFit(google::rpc::Status* packed) {
  size_t size = packed->ByteSizeLong();
  for (auto& any : *packed->mutable_details()) {
    google::rpc::BadRequest bad;
    if (size <= kMaxDetails || !any.UnpackTo(&bad)) continue;
    auto* rows = bad.mutable_field_violations();
    while (size > kMaxDetails && !rows->empty()) {
      size -= rows->rbegin()->ByteSizeLong();
      rows->RemoveLast();
    }
    any.set_value(bad.SerializeAsString());
  }
}

}  // namespace

grpc::Status ToGrpcStatus(absl::StatusCode code, absl::string_view message,
                          const ErrorDetail& detail) {
  if (detail.reason.empty()) {
    LogError("an error without details reached the gRPC port",
             {{"code", absl::StatusCodeToString(code)}, {"error", std::string(message)}});
    return ToGrpcStatus(absl::StatusCode::kInternal, "internal error", {.reason = "INTERNAL"});
  }
  google::rpc::Status packed = PackError(code, Cut(message), detail);
  KeepTheViolationsThatFit(&packed);
  return grpc::Status(static_cast<grpc::StatusCode>(code), packed.message(),
                      packed.SerializeAsString());
}

void ForbidBlindRetries(const ErrorDetail& detail, grpc::CallbackServerContext* context) {
  // Not the delay: gRPC would sit it out, past the call's deadline, and this error would be lost.
  if (detail.retry_after) context->AddTrailingMetadata("grpc-retry-pushback-ms", "-1");
}

}  // namespace ipp::rpc
