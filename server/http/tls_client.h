#pragma once

#include <openssl/ssl.h>

#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace ipp::http {

// What the connections of one transport have in common: TLS 1.2 and up, the trusted authorities,
// ALPN "h2, http/1.1". Thread-safe once made.
class TlsClientContext {
 public:
  // `ca_file`: PEM; empty: the system's. FAILED_PRECONDITION if it cannot be read.
  static absl::StatusOr<std::unique_ptr<TlsClientContext>> Make(const std::string& ca_file);

 private:
  friend class TlsClient;
  struct Free {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  };
  explicit TlsClientContext(SSL_CTX* context) : context_(context) {}

  const std::unique_ptr<SSL_CTX, Free> context_;
};

// The client's side of one TLS connection, between bytes and bytes: it knows no socket. So what
// one turn of a loop has to send leaves in one system call, and SIGPIPE cannot happen. One thread.
//
// The peer's certificate must be valid, issued by a trusted authority, and made out to the host.
class TlsClient {
 public:
  enum class Step {
    kDone,
    kNeedsMore,  // more bytes from the peer
    kEnded,      // the peer has ended the connection
    kFailed,     // see error()
  };

  // `host`: a name or an IP address. The context must outlive the connection.
  TlsClient(const TlsClientContext& context, const std::string& host);
  ~TlsClient();
  TlsClient(const TlsClient&) = delete;
  TlsClient& operator=(const TlsClient&) = delete;

  // What came from the peer. The bytes must stay until Handshake() or Read() says kNeedsMore: by
  // then they have all been taken.
  void Give(absl::string_view bytes) { in_ = bytes; }
  // Goes on with the handshake; the first time it needs no bytes.
  Step Handshake();
  // Whether the peer has chosen HTTP/2, once the handshake is done.
  bool speaks_http2() const;
  // kDone: `*count` decrypted bytes are in `to`; there may be more.
  Step Read(char* to, size_t size, size_t* count);
  // Encrypts `bytes` onto out(). False if the connection is broken.
  bool Write(absl::string_view bytes);
  // Says to the peer that the connection ends.
  void Close();
  // What is to be sent to the peer. The caller takes bytes off.
  std::string& out() { return out_; }
  const std::string& out() const { return out_; }

  // After kFailed. FAILED_PRECONDITION: the peer is not the expected one, and a person must mend
  // that; UNAVAILABLE otherwise.
  absl::Status error() const;

 private:
  static BIO_METHOD* Method();
  static int WriteBytes(BIO* bio, const char* bytes, int size);
  static int ReadBytes(BIO* bio, char* to, int size);
  static long Control(BIO* bio, int command, long number, void* pointer);
  Step Outcome(int result);

  SSL* const ssl_;
  absl::string_view in_;
  std::string out_;
  std::string reason_;  // OpenSSL's, of what failed last
};

}  // namespace ipp::http
