#include "server/webhook/mac_key.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "absl/base/thread_annotations.h"
#include "server/base/mutex.h"

namespace ipp::webhook {
namespace {

struct ContextDeleter {
  void operator()(EVP_MAC_CTX* context) const { EVP_MAC_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_MAC_CTX, ContextDeleter>;

// Null if OpenSSL fails.
Context Prepare(absl::string_view key) {
  static EVP_MAC* const hmac = EVP_MAC_fetch(nullptr, OSSL_MAC_NAME_HMAC, nullptr);
  if (hmac == nullptr) return nullptr;
  char digest[] = "SHA256";
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
      OSSL_PARAM_construct_end()};
  Context context(EVP_MAC_CTX_new(hmac));
  if (context == nullptr ||
      EVP_MAC_init(context.get(), reinterpret_cast<const unsigned char*>(key.data()), key.size(),
                   parameters) != 1) {
    return nullptr;
  }
  return context;
}

}  // namespace

struct MacKey::Prepared {
  Mutex mutex;
  Context context ABSL_GUARDED_BY(mutex);
};

MacKey::MacKey(absl::string_view key) : prepared_(std::make_shared<Prepared>()) {
  MutexLock lock(&prepared_->mutex);
  prepared_->context = Prepare(key);
}

std::string MacKey::Sign(absl::string_view message) const {
  unsigned char mac[EVP_MAX_MD_SIZE];
  size_t size = 0;
  MutexLock lock(&prepared_->mutex);
  EVP_MAC_CTX* const context = prepared_->context.get();
  // Without a key: begins the next message with the key that the context has.
  if (context == nullptr || EVP_MAC_init(context, nullptr, 0, nullptr) != 1 ||
      EVP_MAC_update(context, reinterpret_cast<const unsigned char*>(message.data()),
                     message.size()) != 1 ||
      EVP_MAC_final(context, mac, &size, sizeof(mac)) != 1) {
    return "";
  }
  return {reinterpret_cast<const char*>(mac), size};
}

}  // namespace ipp::webhook
