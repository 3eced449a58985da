#include "server/store/keepable.h"

#include <openssl/sha.h>

#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "server/base/status_macros.h"

namespace ipp::store {
namespace {

// Protobuf serializes a string that is not UTF-8, but refuses to parse it.
bool IsUtf8(absl::string_view text) {
  unsigned char bits = 0;
  for (const char c : text) bits |= static_cast<unsigned char>(c);
  if (bits < 0x80) return true;  // ASCII, as nearly every id
  for (size_t i = 0; i < text.size();) {
    const auto byte = [&](size_t at) { return static_cast<unsigned char>(text[at]); };
    const unsigned char first = byte(i);
    const size_t size = first < 0x80   ? 1
                        : first < 0xc2 ? 0
                        : first < 0xe0 ? 2
                        : first < 0xf0 ? 3
                        : first < 0xf5 ? 4
                                       : 0;
    if (size == 0 || i + size > text.size()) return false;
    for (size_t k = 1; k < size; ++k) {
      if ((byte(i + k) & 0xc0) != 0x80) return false;
    }
    // Reject overlong forms, surrogates, and values beyond the last code point.
    if (size > 2) {
      const unsigned char second = byte(i + 1);
      if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) ||
          (first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f)) {
        return false;
      }
    }
    i += size;
  }
  return true;
}

absl::Status CheckId(absl::string_view name, const std::string& id) {
  if (id.size() > kMaxIdBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, " has ", id.size(), " bytes, at most ", kMaxIdBytes, " can be kept"));
  }
  if (!IsUtf8(id)) return absl::InvalidArgumentError(absl::StrCat(name, " is not UTF-8"));
  return absl::OkStatus();
}

}  // namespace

size_t BytesOf(const Writes& writes) {
  size_t bytes = 0;
  if (writes.session) {
    bytes += writes.session->session.ByteSizeLong() + writes.session->held_event.size();
  }
  if (writes.intent) bytes += writes.intent->request.size() + writes.intent->answer.size();
  if (writes.cancel) bytes += writes.cancel->caller.size() + writes.cancel->traceparent.size();
  for (const NewEvent& event : writes.events) bytes += event.event.ByteSizeLong();
  return bytes;
}

absl::Status CheckKeepable(const Transaction& transaction, const Writes& writes) {
  IPP_RETURN_IF_ERROR(CheckId("merchant_id", transaction.merchant_id));
  IPP_RETURN_IF_ERROR(CheckId("session_id", transaction.session_id));
  IPP_RETURN_IF_ERROR(CheckId("request_id", transaction.request_id));
  if (writes.session) {
    IPP_RETURN_IF_ERROR(CheckId("merchant_id", writes.session->merchant_id));
    IPP_RETURN_IF_ERROR(CheckId("session_id", writes.session->session.session_id()));
    IPP_RETURN_IF_ERROR(CheckId("request_id", writes.session->request_id));
  }
  if (writes.intent) {
    IPP_RETURN_IF_ERROR(CheckId("merchant_id", writes.intent->merchant_id));
    IPP_RETURN_IF_ERROR(CheckId("request_id", writes.intent->request_id));
    IPP_RETURN_IF_ERROR(CheckId("session_id", writes.intent->session_id));
  }
  if (writes.cancel) {
    IPP_RETURN_IF_ERROR(CheckId("merchant_id", writes.cancel->merchant_id));
    IPP_RETURN_IF_ERROR(CheckId("session_id", writes.cancel->session_id));
    IPP_RETURN_IF_ERROR(CheckId("caller", writes.cancel->caller));
  }
  if (const size_t bytes = BytesOf(writes); bytes > kMaxTransactionBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("it has ", bytes, " bytes, at most ", kMaxTransactionBytes, " can be kept"));
  }
  return absl::OkStatus();
}

std::string KeptDedupKey(std::string key) {
  if (key.size() <= kMaxIdBytes) return key;
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(key.data()), key.size(), digest);
  return absl::StrCat("sha256:", absl::BytesToHexString(absl::string_view(
                                     reinterpret_cast<const char*>(digest), sizeof(digest))));
}

}  // namespace ipp::store
