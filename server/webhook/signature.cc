#include "server/webhook/signature.h"
#include "server/base/encoding.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <cstdint>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace ipp::webhook {
namespace {

constexpr char kSecretPrefix[] = "whsec_";
constexpr char kVersionPrefix[] = "v1,";

std::string Message(absl::string_view id, absl::string_view timestamp, absl::string_view body) {
  return absl::StrCat(id, ".", timestamp, ".", body);
}

bool SameBytes(absl::string_view a, absl::string_view b) {
  return a.size() == b.size() && !a.empty() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

absl::Status CheckTimestamp(absl::string_view text, absl::Time now, absl::Duration tolerance) {
  int64_t seconds = 0;
  // SimpleAtoi also accepts signs and white space.
  if (text.empty() || !std::all_of(text.begin(), text.end(), absl::ascii_isdigit) ||
      !absl::SimpleAtoi(text, &seconds)) {
    return absl::UnauthenticatedError("webhook-timestamp is not in unix seconds");
  }
  const absl::Duration age = now - absl::FromUnixSeconds(seconds);
  if (age > tolerance) return absl::UnauthenticatedError("webhook-timestamp is too old");
  if (-age > tolerance) return absl::UnauthenticatedError("webhook-timestamp is in the future");
  return absl::OkStatus();
}

// The signatures of version v1; the header may contain others.
std::vector<std::string> KnownSignatures(absl::string_view header) {
  std::vector<std::string> signatures;
  for (absl::string_view entry : absl::StrSplit(header, ' ', absl::SkipEmpty())) {
    if (!absl::ConsumePrefix(&entry, kVersionPrefix)) continue;
    absl::ConsumeSuffix(&entry, ",");  // two header lines that a proxy or our front has joined
    if (auto bytes = DecodeBase64(entry)) signatures.push_back(*std::move(bytes));
  }
  return signatures;
}

}  // namespace

absl::StatusOr<std::string> DecodeSecret(absl::string_view secret) {
  if (!absl::ConsumePrefix(&secret, kSecretPrefix)) {
    return absl::InvalidArgumentError("a webhook secret begins with whsec_");
  }
  std::optional<std::string> key = DecodeBase64(secret);
  if (!key.has_value()) {
    return absl::InvalidArgumentError("a webhook secret is whsec_ and padded base64");
  }
  if (key->empty()) return absl::InvalidArgumentError("the webhook secret holds no key");
  return *std::move(key);
}

std::string Sign(absl::string_view key, absl::string_view id, absl::string_view timestamp,
                 absl::string_view body) {
  return absl::StrCat(kVersionPrefix,
                      absl::Base64Escape(MacKey(key).Sign(Message(id, timestamp, body))));
}

absl::StatusOr<std::vector<size_t>> FindSigners(const SignedHeaders& headers,
                                                absl::string_view body,
                                                const std::vector<const MacKey*>& keys,
                                                absl::Time now, absl::Duration tolerance) {
  if (headers.id.empty()) return absl::UnauthenticatedError("webhook-id is missing");
  if (headers.timestamp.empty()) return absl::UnauthenticatedError("webhook-timestamp is missing");
  if (headers.signature.empty()) return absl::UnauthenticatedError("webhook-signature is missing");
  if (absl::Status time = CheckTimestamp(headers.timestamp, now, tolerance); !time.ok()) {
    return time;
  }
  const std::vector<std::string> signatures = KnownSignatures(headers.signature);
  if (signatures.empty()) {
    return absl::UnauthenticatedError("webhook-signature holds no v1 signature");
  }
  const std::string message = Message(headers.id, headers.timestamp, body);
  std::vector<size_t> signers;
  for (size_t i = 0; i < keys.size(); ++i) {
    const std::string expected = keys[i]->Sign(message);
    const auto same = [&](const std::string& one) { return SameBytes(one, expected); };
    if (std::any_of(signatures.begin(), signatures.end(), same)) signers.push_back(i);
  }
  if (signers.empty()) return absl::UnauthenticatedError("webhook-signature matches no key");
  return signers;
}

absl::Status Verify(const SignedHeaders& headers, absl::string_view body,
                    const std::vector<std::string>& keys, absl::Time now,
                    absl::Duration tolerance) {
  const std::vector<MacKey> prepared(keys.begin(), keys.end());
  std::vector<const MacKey*> each;
  for (const MacKey& key : prepared) each.push_back(&key);
  return FindSigners(headers, body, each, now, tolerance).status();
}

}  // namespace ipp::webhook
