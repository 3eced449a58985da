#pragma once

#include <openssl/ssl.h>
#include <signal.h>
#include <sys/socket.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "gtest/gtest.h"
#include "server/http/http2_transport.h"
#include "tests/support/http2_peer.h"
#include "tests/support/http_socket.h"
#include "tests/support/tls_front.h"

namespace ipp::http {

// The server's end of one HTTP/2 connection, frame by frame. One thread.
class H2ServerPeer {
 public:
  H2ServerPeer(SSL* ssl, int number) : ssl_(ssl), number_(number) {}

  // Which of the server's connections it is, from 1.
  int number() const { return number_; }
  // The client's preface, and our settings. False when the client has gone.
  bool Open(absl::string_view settings = "") {
    return Take(24).has_value() && Send(http2::kSettings, 0, 0, settings);
  }
  bool Send(http2::Type type, uint8_t flags, uint32_t stream, absl::string_view payload = "") {
    return SendRaw(http2::Frame(type, flags, stream, payload));
  }
  bool SendRaw(absl::string_view bytes) {
    return SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size())) > 0;
  }
  bool Answer(uint32_t stream, absl::string_view body = "ok") {
    return Send(http2::kHeaders, http2::kEndHeaders, stream, "\x88") &&
           Send(http2::kData, http2::kEndStream, stream, body);
  }
  bool Reset(uint32_t stream, uint32_t code) {
    return Send(http2::kReset, 0, stream, http2::BigEndian(code, 4));
  }
  bool GoAway(uint32_t last_stream) {
    return Send(http2::kGoAway, 0, 0,
                absl::StrCat(http2::BigEndian(last_stream, 4), http2::BigEndian(0, 4)));
  }

  // The next frame, after acknowledging it where it is a PING or SETTINGS. None: the client has
  // gone.
  std::optional<http2::Received> Read() {
    const std::optional<std::string> head = Take(9);
    if (!head.has_value()) return std::nullopt;
    const auto number = [&head](size_t from, size_t count) {
      uint32_t value = 0;
      for (size_t i = from; i < from + count; ++i) value = value << 8 | ((*head)[i] & 0xff);
      return value;
    };
    std::optional<std::string> payload = Take(number(0, 3));
    if (!payload.has_value()) return std::nullopt;
    http2::Received frame{static_cast<http2::Type>((*head)[3]), static_cast<uint8_t>((*head)[4]),
                          number(5, 4), *std::move(payload)};
    const bool asks = (frame.flags & http2::kAck) == 0;
    if (frame.type == http2::kSettings && asks) Send(http2::kSettings, http2::kAck, 0);
    if (frame.type == http2::kPing && asks) Send(http2::kPing, http2::kAck, 0, frame.payload);
    return frame;
  }
  // Reads until a request is whole; its stream. None: the client has gone.
  std::optional<uint32_t> ReadRequest() {
    while (const std::optional<http2::Received> frame = Read()) {
      if (frame->type == http2::kHeaders) last_head_ = frame->payload;
      if ((frame->type == http2::kHeaders || frame->type == http2::kData) &&
          (frame->flags & http2::kEndStream) != 0) {
        return frame->stream;
      }
    }
    return std::nullopt;
  }
  // The head of the last request, as HPACK.
  const std::string& last_head() const { return last_head_; }
  void ReadToTheEnd() {
    while (Read().has_value()) {
    }
  }

 private:
  std::optional<std::string> Take(size_t size) {
    std::string bytes(size, '\0');
    for (size_t have = 0; have < size;) {
      const int n = SSL_read(ssl_, bytes.data() + have, static_cast<int>(size - have));
      if (n <= 0) return std::nullopt;
      have += static_cast<size_t>(n);
    }
    return bytes;
  }

  SSL* const ssl_;
  const int number_;
  std::string last_head_;
};

// An HTTP/2 server over TLS on loopback that does what the test says: `script` serves a connection
// on a thread of its own, and when it returns the connection ends.
class H2Server {
 public:
  using Script = std::function<void(H2ServerPeer& peer)>;

  explicit H2Server(Script script)
      : script_(std::move(script)),
        context_(SSL_CTX_new(TLS_server_method()), &SSL_CTX_free),
        acceptor_([this] { Accept(); }) {}
  ~H2Server() {
    shutdown(listener_.fd.get(), SHUT_RDWR);
    acceptor_.join();
    for (const Connection& connection : connections_) shutdown(connection.fd.get(), SHUT_RDWR);
    for (Connection& connection : connections_) connection.thread.join();
  }

  int port() const { return listener_.port; }
  int connections() const { return accepted_; }
  Http2Options options() const {
    Http2Options options;
    options.common.base_url = absl::StrCat("https://127.0.0.1:", listener_.port);
    options.common.ca_file = certificate_.cert_file();
    options.common.connections = 1;
    return options;
  }

 private:
  struct Connection {
    Fd fd;  // kept to the end, so that its number is not given out again
    std::thread thread;
  };

  static int SelectH2(SSL*, const unsigned char** out, unsigned char* out_size,
                      const unsigned char*, unsigned int, void*) {
    *out = reinterpret_cast<const unsigned char*>("h2");
    *out_size = 2;
    return SSL_TLSEXT_ERR_OK;
  }

  void Accept() {
    SSL_CTX* context = context_.get();
    EXPECT_EQ(
        SSL_CTX_use_certificate_file(context, certificate_.cert_file().c_str(), SSL_FILETYPE_PEM),
        1);
    EXPECT_EQ(
        SSL_CTX_use_PrivateKey_file(context, certificate_.key_file().c_str(), SSL_FILETYPE_PEM), 1);
    SSL_CTX_set_alpn_select_cb(context, &SelectH2, nullptr);
    while (true) {
      Fd fd(accept4(listener_.fd.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!fd.valid()) return;
      SetNoDelay(fd.get());
      const int raw = fd.get();
      const int number = ++accepted_;
      connections_.push_back(
          {std::move(fd), std::thread([this, raw, number] { Serve(raw, number); })});
    }
  }

  void Serve(int fd, int number) {
    // OpenSSL writes without MSG_NOSIGNAL. Only here: the transport is to do without.
    sigset_t pipe;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
    const std::unique_ptr<SSL, decltype(&SSL_free)> ssl(SSL_new(context_.get()), &SSL_free);
    SSL_set_fd(ssl.get(), fd);
    if (SSL_accept(ssl.get()) == 1) {
      H2ServerPeer peer(ssl.get(), number);
      script_(peer);
    }
    shutdown(fd, SHUT_RDWR);
  }

  const Script script_;
  const TestCertificate certificate_;
  const Listener listener_;
  const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_;
  std::atomic<int> accepted_{0};
  std::list<Connection> connections_;  // touched by the acceptor, then by the destructor
  std::thread acceptor_;
};

// The script of a server that answers everything.
inline void ServeAll(H2ServerPeer& peer) {
  if (!peer.Open()) return;
  while (const std::optional<uint32_t> stream = peer.ReadRequest()) peer.Answer(*stream);
}

// A transport over HTTP/2, with the metrics that it needs.
class H2Client {
 public:
  explicit H2Client(Http2Options options) {
    auto transport = NewHttp2Transport(std::move(options), &metrics_);
    EXPECT_TRUE(transport.ok()) << transport.status();
    transport_ = *std::move(transport);
  }
  explicit H2Client(const H2Server& server) : H2Client(server.options()) {}

  HttpTransport& operator*() { return *transport_; }
  HttpTransport* operator->() { return transport_.get(); }
  void End() { transport_.reset(); }
  double opened() { return metrics_.counter("ipp_upstream_connections_opened_total", "").value(); }

 private:
  Metrics metrics_;
  std::unique_ptr<HttpTransport> transport_;
};

}  // namespace ipp::http
