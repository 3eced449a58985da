#include "server/rpc/grpc_status.h"

#include <string>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
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
  size_t end = kMaxMessage;  // not inside a character
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return absl::StrCat(text.substr(0, end), "...");
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

grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  if (GetErrorDetail(status).reason.empty()) {
    LogError("an error without details reached the gRPC port", {{"status", status.ToString()}});
    return ToGrpcStatus(
        MakeError(absl::StatusCode::kInternal, "internal error", {.reason = "INTERNAL"}));
  }
  google::rpc::Status packed;
  packed.set_code(static_cast<int>(status.code()));
  packed.set_message(Cut(status.message()));
  status.ForEachPayload([&packed](absl::string_view url, const absl::Cord& payload) {
    auto* any = packed.add_details();
    any->set_type_url(std::string(url));
    any->set_value(std::string(payload));
  });
  KeepTheViolationsThatFit(&packed);
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()), packed.message(),
                      packed.SerializeAsString());
}

}  // namespace ipp::rpc
