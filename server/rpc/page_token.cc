#include "server/rpc/page_token.h"

#include <cstring>
#include <memory>

#include "absl/strings/escaping.h"
#include "server/base/encoding.h"
#include "server/base/error.h"
#include "server/base/stored_message.h"

namespace ipp::rpc {
namespace {

// Digest of the request, number, `more` if not 0, checksum.
constexpr size_t kTokenSize = 8 + 8 + 4;
constexpr size_t kMoreSize = 8;

const google::protobuf::FieldDescriptor* TokenField(const google::protobuf::Message& request) {
  return request.GetDescriptor()->FindFieldByName("page_token");
}

uint64_t Fnv(absl::string_view bytes, uint64_t hash = 14695981039346656037u) {
  for (const char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  return hash;
}

uint64_t Digest(const google::protobuf::Message& request, absl::string_view scope) {
  std::unique_ptr<google::protobuf::Message> rest(request.New());
  rest->CopyFrom(request);
  rest->GetReflection()->ClearField(rest.get(), TokenField(request));
  // Includes the type, since requests of two lists can have the same bytes.
  return Fnv(scope, Fnv(DeterministicBytes(*rest), Fnv(request.GetDescriptor()->full_name())));
}

std::string Bytes(uint64_t digest, int64_t number, uint64_t more) {
  std::string raw(16 + (more == 0 ? 0 : kMoreSize), '\0');
  std::memcpy(raw.data(), &digest, 8);
  std::memcpy(raw.data() + 8, &number, 8);
  if (more != 0) std::memcpy(raw.data() + 16, &more, kMoreSize);
  const auto check = static_cast<uint32_t>(Fnv(raw));
  raw.append(reinterpret_cast<const char*>(&check), 4);
  return raw;
}

std::string KeyBytes(uint64_t digest, absl::string_view key) {
  std::string raw(8, '\0');
  std::memcpy(raw.data(), &digest, 8);
  raw.append(key.data(), key.size());
  const auto check = static_cast<uint32_t>(Fnv(raw));
  raw.append(reinterpret_cast<const char*>(&check), 4);
  return raw;
}

absl::Status Foreign() {
  return InvalidRequest(
      {{"page_token", "is not the next_page_token of a list with these parameters"}});
}

}  // namespace

std::string EncodePageKey(const google::protobuf::Message& request, absl::string_view scope,
                          absl::string_view key) {
  return absl::WebSafeBase64Escape(KeyBytes(Digest(request, scope), key));
}

absl::StatusOr<std::string> DecodePageKey(const google::protobuf::Message& request,
                                          absl::string_view scope) {
  const std::string token = request.GetReflection()->GetString(request, TokenField(request));
  if (token.empty()) return std::string();
  const std::string raw = DecodeBase64Url(token).value_or("");
  if (raw.size() <= 12) return Foreign();
  std::string key = raw.substr(8, raw.size() - 12);
  if (raw != KeyBytes(Digest(request, scope), key)) return Foreign();
  return key;
}

std::string EncodePageToken(const google::protobuf::Message& request, absl::string_view scope,
                            int64_t number, uint64_t more) {
  return absl::WebSafeBase64Escape(Bytes(Digest(request, scope), number, more));
}

absl::StatusOr<int64_t> DecodePageToken(const google::protobuf::Message& request,
                                        absl::string_view scope, int64_t largest, uint64_t* more) {
  const std::string token = request.GetReflection()->GetString(request, TokenField(request));
  if (token.empty()) return 0;
  const std::string raw = DecodeBase64Url(token).value_or("");
  int64_t number = 0;
  if (raw.size() == kTokenSize || (more != nullptr && raw.size() == kTokenSize + kMoreSize)) {
    uint64_t rest = 0;
    std::memcpy(&number, raw.data() + 8, 8);
    if (raw.size() > kTokenSize) std::memcpy(&rest, raw.data() + 16, kMoreSize);
    // Tokens are not signed, so numbers outside the valid range are rejected.
    if (number >= 0 && number <= largest && raw == Bytes(Digest(request, scope), number, rest)) {
      if (more != nullptr) *more = rest;
      return number;
    }
  }
  return Foreign();
}

}  // namespace ipp::rpc
