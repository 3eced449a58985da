#pragma once

#include <openssl/ssl.h>
#include <signal.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "gtest/gtest.h"
#include "tests/support/http_socket.h"
#include "tests/support/tls_front.h"

namespace ipp::http {

// An HTTP/2 upstream over TLS that misbehaves as the test says, where nghttpx would not: just
// enough frames (RFC 9113) to count requests and to answer, each when all of it has come.
class H2Gate {
 public:
  enum class Act {
    kAnswer,
    kRefuse,       // RST_STREAM REFUSED_STREAM: "was not processed"
    kStreamError,  // RST_STREAM INTERNAL_ERROR
    kGoAway,       // GOAWAY that excludes the request, then the end
    kCutBody,      // half an answer, then RST_STREAM
    kCutLine,      // half an answer, then the end
  };
  using Script = std::function<Act(int nth)>;  // 0 is the first request

  explicit H2Gate(Script script)
      : script_(std::move(script)),
        context_(SSL_CTX_new(TLS_server_method()), &SSL_CTX_free),
        acceptor_([this] { Accept(); }) {}

  ~H2Gate() {
    shutdown(listener_.fd.get(), SHUT_RDWR);
    acceptor_.join();
    for (const Connection& connection : connections_) shutdown(connection.fd.get(), SHUT_RDWR);
    for (Connection& connection : connections_) connection.thread.join();
  }

  std::string base_url() const { return absl::StrCat("https://127.0.0.1:", listener_.port); }
  std::string ca_file() const { return certificate_.cert_file(); }
  int requests() const { return requests_; }

 private:
  using Ssl = std::unique_ptr<SSL, decltype(&SSL_free)>;
  struct Connection {
    Fd fd;  // kept to the end, so that its number is not given out again
    std::thread thread;
  };
  static constexpr char kData = 0, kHeaders = 1, kReset = 3, kSettings = 4, kPing = 6, kAway = 7;
  static constexpr char kEndStream = 1, kAck = 1, kEndHeaders = 4;

  static int SelectH2(SSL*, const unsigned char** out, unsigned char* out_size,
                      const unsigned char*, unsigned int, void*) {
    *out = reinterpret_cast<const unsigned char*>("h2");
    *out_size = 2;
    return SSL_TLSEXT_ERR_OK;
  }

  void Accept() {
    EXPECT_EQ(SSL_CTX_use_certificate_file(context_.get(), certificate_.cert_file().c_str(),
                                           SSL_FILETYPE_PEM),
              1);
    EXPECT_EQ(SSL_CTX_use_PrivateKey_file(context_.get(), certificate_.key_file().c_str(),
                                          SSL_FILETYPE_PEM),
              1);
    SSL_CTX_set_alpn_select_cb(context_.get(), &SelectH2, nullptr);
    while (true) {
      Fd fd(accept4(listener_.fd.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!fd.valid()) return;
      SetNoDelay(fd.get());
      const int number = fd.get();
      connections_.push_back({std::move(fd), std::thread([this, number] { Serve(number); })});
    }
  }

  void Serve(int fd) {
    // OpenSSL writes without MSG_NOSIGNAL. Only here: the transport is to do without.
    sigset_t pipe;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
    const Ssl ssl(SSL_new(context_.get()), &SSL_free);
    SSL_set_fd(ssl.get(), fd);
    std::string preface;
    if (SSL_accept(ssl.get()) == 1 && Read(ssl.get(), 24, &preface)) {
      Write(ssl.get(), kSettings, 0, 0, "");
      while (ServeFrame(ssl.get())) {
      }
    }
    shutdown(fd, SHUT_RDWR);
  }

  bool ServeFrame(SSL* ssl) {
    std::string head;
    std::string payload;
    if (!Read(ssl, 9, &head)) return false;
    const auto byte = [&head](size_t i) { return static_cast<uint32_t>(head[i] & 0xff); };
    if (!Read(ssl, byte(0) << 16 | byte(1) << 8 | byte(2), &payload)) return false;
    const char type = head[3];
    const char flags = head[4];
    const uint32_t stream = byte(5) << 24 | byte(6) << 16 | byte(7) << 8 | byte(8);
    if (type == kSettings && (flags & kAck) == 0) return Write(ssl, kSettings, kAck, 0, "");
    if (type == kPing && (flags & kAck) == 0) return Write(ssl, kPing, kAck, 0, payload);
    if ((type == kHeaders || type == kData) && (flags & kEndStream) != 0) {
      return Perform(ssl, stream, script_(requests_++));
    }
    return true;
  }

  // False when the connection is to end.
  static bool Perform(SSL* ssl, uint32_t stream, Act act) {
    constexpr absl::string_view kStatus200 = "\x88";  // HPACK, static table
    switch (act) {
      case Act::kAnswer:
        return Write(ssl, kHeaders, kEndHeaders, stream, kStatus200) &&
               Write(ssl, kData, kEndStream, stream, "ok");
      case Act::kRefuse:
        return Write(ssl, kReset, 0, stream, {"\0\0\0\7", 4});
      case Act::kStreamError:
        return Write(ssl, kReset, 0, stream, {"\0\0\0\2", 4});
      case Act::kGoAway:
        Write(ssl, kAway, 0, 0, {"\0\0\0\0\0\0\0\0", 8});
        return false;
      case Act::kCutBody:
        return Write(ssl, kHeaders, kEndHeaders, stream, kStatus200) &&
               Write(ssl, kData, 0, stream, "ha") && Write(ssl, kReset, 0, stream, {"\0\0\0\2", 4});
      case Act::kCutLine:
        Write(ssl, kHeaders, kEndHeaders, stream, kStatus200);
        Write(ssl, kData, 0, stream, "ha");
        return false;
    }
    return false;
  }

  static bool Read(SSL* ssl, size_t size, std::string* out) {
    out->resize(size);
    for (size_t have = 0; have < size;) {
      const int n = SSL_read(ssl, out->data() + have, static_cast<int>(size - have));
      if (n <= 0) return false;
      have += static_cast<size_t>(n);
    }
    return true;
  }

  static bool Write(SSL* ssl, char type, char flags, uint32_t stream, absl::string_view payload) {
    std::string frame(9, '\0');
    frame[1] = static_cast<char>(payload.size() >> 8);
    frame[2] = static_cast<char>(payload.size());
    frame[3] = type;
    frame[4] = flags;
    for (size_t i = 0; i < 4; ++i) frame[5 + i] = static_cast<char>(stream >> (24 - 8 * i));
    frame.append(payload.data(), payload.size());
    return SSL_write(ssl, frame.data(), static_cast<int>(frame.size())) > 0;
  }

  const Script script_;
  const TestCertificate certificate_;
  const Listener listener_;
  const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_;
  std::atomic<int> requests_{0};
  std::list<Connection> connections_;  // touched by the acceptor, then by the destructor
  std::thread acceptor_;
};

}  // namespace ipp::http
