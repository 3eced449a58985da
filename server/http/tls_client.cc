#include "server/http/tls_client.h"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace ipp::http {
namespace {

bool IsAddress(const std::string& host) {
  unsigned char bytes[sizeof(in6_addr)];
  return inet_pton(AF_INET, host.c_str(), bytes) == 1 ||
         inet_pton(AF_INET6, host.c_str(), bytes) == 1;
}

}  // namespace

absl::StatusOr<std::unique_ptr<TlsClientContext>> TlsClientContext::Make(
    const std::string& ca_file) {
  std::unique_ptr<TlsClientContext> made(new TlsClientContext(SSL_CTX_new(TLS_client_method())));
  SSL_CTX* context = made->context_.get();
  static constexpr unsigned char kProtocols[] = "\x02h2\x08http/1.1";
  // SSL_CTX_set_alpn_protos returns 0 for success, unlike the others.
  if (context == nullptr || SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1 ||
      SSL_CTX_set_alpn_protos(context, kProtocols, sizeof(kProtocols) - 1) != 0) {
    ERR_clear_error();
    return absl::InternalError("OpenSSL does not start");
  }
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  // As libcurl does it: a certificate in ca_file is trusted although it is not an authority's own.
  X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context), X509_V_FLAG_PARTIAL_CHAIN);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION);
  const bool loaded = ca_file.empty() ? SSL_CTX_set_default_verify_paths(context) == 1
                                      : SSL_CTX_load_verify_file(context, ca_file.c_str()) == 1;
  ERR_clear_error();
  if (!loaded) return absl::FailedPreconditionError(absl::StrCat("cannot read ca_file ", ca_file));
  return made;
}

TlsClient::TlsClient(const TlsClientContext& context, const std::string& host)
    : ssl_(SSL_new(context.context_.get())) {
  if (ssl_ == nullptr) return;
  BIO* bio = BIO_new(Method());
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_, bio, bio);  // owns it now
  SSL_set_connect_state(ssl_);
  bool set = false;
  if (IsAddress(host)) {
    set = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_), host.c_str()) == 1;
  } else {
    SSL_set_hostflags(ssl_, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    set =
        SSL_set1_host(ssl_, host.c_str()) == 1 && SSL_set_tlsext_host_name(ssl_, host.c_str()) == 1;
  }
  if (!set) {
    // Without a name to check, no certificate may do.
    reason_ = "the host's name cannot be checked";
  }
}

TlsClient::~TlsClient() { SSL_free(ssl_); }

TlsClient::Step TlsClient::Handshake() {
  if (ssl_ == nullptr || !reason_.empty()) return Step::kFailed;
  ERR_clear_error();
  return Outcome(SSL_do_handshake(ssl_));
}

bool TlsClient::speaks_http2() const {
  const unsigned char* chosen = nullptr;
  unsigned int size = 0;
  SSL_get0_alpn_selected(ssl_, &chosen, &size);
  return size == 2 && std::memcmp(chosen, "h2", 2) == 0;
}

TlsClient::Step TlsClient::Read(char* to, size_t size, size_t* count) {
  ERR_clear_error();
  return Outcome(SSL_read_ex(ssl_, to, size, count));
}

bool TlsClient::Write(absl::string_view bytes) {
  ERR_clear_error();
  while (!bytes.empty()) {
    size_t written = 0;
    if (SSL_write_ex(ssl_, bytes.data(), bytes.size(), &written) != 1) {
      Outcome(0);
      return false;
    }
    bytes.remove_prefix(written);
  }
  return true;
}

void TlsClient::Close() {
  SSL_shutdown(ssl_);
  ERR_clear_error();
}

TlsClient::Step TlsClient::Outcome(int result) {
  if (result == 1) return Step::kDone;
  switch (SSL_get_error(ssl_, result)) {
    case SSL_ERROR_WANT_READ:
      return Step::kNeedsMore;
    case SSL_ERROR_ZERO_RETURN:
      return Step::kEnded;
    default:
      break;
  }
  const char* words = ERR_reason_error_string(ERR_peek_error());
  reason_ = words != nullptr ? words : "the peer does not speak TLS";
  ERR_clear_error();
  return Step::kFailed;
}

absl::Status TlsClient::error() const {
  const long verdict = ssl_ == nullptr ? X509_V_OK : SSL_get_verify_result(ssl_);
  if (verdict != X509_V_OK) {
    return absl::FailedPreconditionError(absl::StrCat("upstream: its certificate is refused: ",
                                                      X509_verify_cert_error_string(verdict)));
  }
  return absl::UnavailableError(absl::StrCat("upstream: TLS: ", reason_));
}

BIO_METHOD* TlsClient::Method() {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "bytes");
    BIO_meth_set_write(made, &TlsClient::WriteBytes);
    BIO_meth_set_read(made, &TlsClient::ReadBytes);
    BIO_meth_set_ctrl(made, &TlsClient::Control);
    return made;
  }();
  return method;
}

int TlsClient::WriteBytes(BIO* bio, const char* bytes, int size) {
  static_cast<TlsClient*>(BIO_get_data(bio))->out_.append(bytes, static_cast<size_t>(size));
  return size;
}

int TlsClient::ReadBytes(BIO* bio, char* to, int size) {
  auto& self = *static_cast<TlsClient*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  const size_t count = std::min(static_cast<size_t>(size), self.in_.size());
  if (count == 0) {
    BIO_set_retry_read(bio);
    return -1;
  }
  std::memcpy(to, self.in_.data(), count);
  self.in_.remove_prefix(count);
  return static_cast<int>(count);
}

long TlsClient::Control(BIO*, int command, long, void*) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

}  // namespace ipp::http
