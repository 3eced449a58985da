#include "simulator/tls_context.h"

#include <openssl/ssl.h>

#include <boost/asio/ssl/context.hpp>
#include <string_view>

namespace ipp::simulator {
namespace {

namespace ssl = boost::asio::ssl;

constexpr std::string_view kProtocols = "\x02h2\x08http/1.1";  // the first that is offered counts

int ChooseProtocol(SSL*, const unsigned char** chosen, unsigned char* size,
                   const unsigned char* offered, unsigned int offered_size, void*) {
  unsigned char* out = nullptr;
  const int found =
      SSL_select_next_proto(&out, size, reinterpret_cast<const unsigned char*>(kProtocols.data()),
                            kProtocols.size(), offered, offered_size);
  *chosen = out;
  // Without a common one the handshake goes on as if ALPN had not been asked for: HTTP/1.1.
  return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

}  // namespace

std::shared_ptr<ssl::context> MakeTlsContext(const std::string& certificate_file,
                                             const std::string& key_file, std::string* error) {
  auto context = std::make_shared<ssl::context>(ssl::context::tls_server);
  SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
  SSL_CTX_set_alpn_select_cb(context->native_handle(), &ChooseProtocol, nullptr);
  boost::system::error_code code;
  // Otherwise OpenSSL asks on the terminal.
  context->set_password_callback([](size_t, auto) { return std::string(); }, code);
  context->use_certificate_chain_file(certificate_file, code);
  if (code) {
    *error = "cannot use the TLS certificate " + certificate_file + ": " + code.message();
    return nullptr;
  }
  context->use_private_key_file(key_file, ssl::context::pem, code);
  if (code) {
    *error = "cannot use the TLS key " + key_file + ": " + code.message();
    return nullptr;
  }
  return context;
}

}  // namespace ipp::simulator
