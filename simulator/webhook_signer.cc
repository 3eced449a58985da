#include "simulator/webhook_signer.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "simulator/base64.h"

namespace ipp::simulator {

bool WebhookSigner::AddSecret(std::string_view secret) {
  constexpr std::string_view kPrefix = "whsec_";
  if (secret.substr(0, kPrefix.size()) != kPrefix) return false;
  auto key = Base64Decode(secret.substr(kPrefix.size()));
  if (!key || key->empty()) return false;
  keys_.push_back(std::move(*key));
  return true;
}

std::string WebhookSigner::Sign(std::string_view webhook_id, int64_t unix_seconds,
                                std::string_view body) const {
  std::string signed_text(webhook_id);
  signed_text.append(".").append(std::to_string(unix_seconds)).append(".").append(body);
  std::string signature;
  for (const std::string& key : keys_) {
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned int length = 0;
    HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
         reinterpret_cast<const unsigned char*>(signed_text.data()), signed_text.size(), mac,
         &length);
    if (!signature.empty()) signature.push_back(' ');
    signature += "v1," + Base64Encode({reinterpret_cast<const char*>(mac), length});
  }
  return signature;
}

}  // namespace ipp::simulator
