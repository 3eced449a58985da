#pragma once

#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cerrno>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "gtest/gtest.h"
#include "tests/support/http_socket.h"

// HTTP/2 by hand (RFC 9113), for what no client library would send.
namespace ipp::http2 {

enum Type : uint8_t {
  kData = 0,
  kHeaders = 1,
  kReset = 3,
  kSettings = 4,
  kPing = 6,
  kGoAway = 7,
  kWindow = 8,
  kContinuation = 9,
};
enum Flag : uint8_t { kAck = 1, kEndStream = 1, kEndHeaders = 4 };

inline constexpr char kPreface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
inline constexpr char kListLocations[] = "/kustom.ipp.v1.LocationService/ListLocations";

inline std::string BigEndian(uint32_t value, int bytes) {
  std::string out;
  while (bytes-- > 0) out.push_back(static_cast<char>(value >> (8 * bytes)));
  return out;
}

inline std::string Frame(Type type, uint8_t flags, uint32_t stream,
                         absl::string_view payload = "") {
  return absl::StrCat(BigEndian(static_cast<uint32_t>(payload.size()), 3),
                      std::string{static_cast<char>(type), static_cast<char>(flags)},
                      BigEndian(stream, 4), payload);
}

// A string of HPACK (RFC 7541, section 5.2), announced only when `text` is shorter than `size`.
inline std::string PackString(absl::string_view text, size_t size) {
  std::string out;
  if (size < 127) {
    out.push_back(static_cast<char>(size));
  } else {
    out.push_back(127);
    for (size -= 127; size >= 128; size /= 128) out.push_back(static_cast<char>(size % 128 + 128));
    out.push_back(static_cast<char>(size));
  }
  return absl::StrCat(out, text);
}

// A field that no table remembers.
inline std::string Field(absl::string_view name, absl::string_view value) {
  return absl::StrCat(std::string(1, '\0'), PackString(name, name.size()),
                      PackString(value, value.size()));
}

// The fields of a call.
inline std::string CallFields(absl::string_view path = kListLocations) {
  return absl::StrCat(Field(":method", "POST"), Field(":scheme", "http"), Field(":path", path),
                      Field(":authority", "x"), Field("te", "trailers"),
                      Field("content-type", "application/grpc"));
}

// The head of a call whose message is yet to come.
inline std::string Begin(uint32_t stream, absl::string_view more_fields = "",
                         absl::string_view path = kListLocations) {
  return Frame(kHeaders, kEndHeaders, stream, absl::StrCat(CallFields(path), more_fields));
}

// As gRPC frames it; announced only when `bytes` are fewer than `size`.
inline std::string Message(absl::string_view bytes, size_t size, bool packed = false) {
  return absl::StrCat(std::string(1, packed ? '\1' : '\0'),
                      BigEndian(static_cast<uint32_t>(size), 4), bytes);
}

inline std::string Setting(uint16_t name, uint32_t value) {
  return absl::StrCat(BigEndian(name, 2), BigEndian(value, 4));
}

struct Received {
  Type type = kData;
  uint8_t flags = 0;
  uint32_t stream = 0;
  std::string payload;
};

// One connection to 127.0.0.1. Nothing is sent by itself. Every wait ends after 20 s, so that a
// broken server fails a test and does not hang it. One thread.
class Peer {
 public:
  enum class Tls { kNone, kHandshake };

  explicit Peer(int port, Tls tls = Tls::kNone) : fd_(http::Connect(port)) {
    EXPECT_TRUE(fd_.valid());
    const timeval patience{.tv_sec = 20, .tv_usec = 0};
    setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setsockopt(fd_.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    http::SetNoDelay(fd_.get());
    if (tls == Tls::kHandshake) Handshake();
  }

  // The preface, settings, and once they are there the acknowledgement of the server's.
  bool Open(absl::string_view settings = "") {
    if (!Send(absl::StrCat(kPreface, Frame(kSettings, 0, 0, settings)))) return false;
    while (const std::optional<Received> frame = Read()) {
      if (frame->type == kSettings && (frame->flags & kAck) == 0) {
        return Send(Frame(kSettings, kAck, 0));
      }
    }
    return false;
  }

  // False when the server has gone.
  bool Send(absl::string_view bytes) {
    while (!bytes.empty()) {
      const int64_t n = tls_ == nullptr
                            ? send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL)
                            : SSL_write(tls_.get(), bytes.data(), static_cast<int>(bytes.size()));
      if (n <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(n));
    }
    return true;
  }

  // A byte at a time, with a moment between, until the server says or closes something.
  void Dribble(absl::string_view bytes) {
    pollfd waiting{.fd = fd_.get(), .events = POLLIN, .revents = 0};
    for (size_t i = 0; i < bytes.size() && Send(bytes.substr(i, 1)); ++i) {
      if (poll(&waiting, 1, 5) != 0 && !Fill()) return;
    }
  }

  // Sends it over and over until the server has gone, at most so many bytes; how many were sent.
  size_t Flood(absl::string_view bytes, size_t most) {
    size_t sent = 0;
    while (sent < most && Send(bytes)) sent += bytes.size();
    return sent;
  }

  // The next frame; none when the server has gone.
  std::optional<Received> Read() {
    while (pending_.size() < 9 || pending_.size() < 9 + Length()) {
      if (!Fill()) return std::nullopt;
    }
    Received frame;
    const size_t length = Length();
    frame.type = static_cast<Type>(pending_[3]);
    frame.flags = static_cast<uint8_t>(pending_[4]);
    for (int i = 5; i < 9; ++i) frame.stream = frame.stream << 8 | Byte(static_cast<size_t>(i));
    frame.payload = pending_.substr(9, length);
    pending_.erase(0, 9 + length);
    return frame;
  }

  // Reads until the server closes the connection. False: it does not.
  bool WaitForClose(bool answer_pings = true) {
    while (std::optional<Received> frame = Read()) {
      if (answer_pings && frame->type == kPing && (frame->flags & kAck) == 0) {
        Send(Frame(kPing, kAck, 0, frame->payload));
      }
    }
    return closed_;
  }

  // Reads, and answers pings, until the stream has ended; what its trailers hold of names and
  // values, which gRPC does not compress, or "reset".
  std::string WaitForEnd(uint32_t stream) {
    while (std::optional<Received> frame = Read()) {
      if (frame->type == kPing && (frame->flags & kAck) == 0) {
        Send(Frame(kPing, kAck, 0, frame->payload));
      }
      if (frame->stream != stream) continue;
      if (frame->type == kReset) return "reset";
      if (frame->type == kHeaders && (frame->flags & kEndStream) != 0) return frame->payload;
    }
    return "closed";
  }

 private:
  struct FreeTls {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  };

  void Handshake() {
    signal(SIGPIPE, SIG_IGN);  // OpenSSL writes without MSG_NOSIGNAL
    context_.reset(SSL_CTX_new(TLS_client_method()));
    tls_.reset(SSL_new(context_.get()));
    const unsigned char h2[] = {2, 'h', '2'};
    SSL_set_alpn_protos(tls_.get(), h2, sizeof(h2));
    SSL_set_fd(tls_.get(), fd_.get());
    EXPECT_EQ(SSL_connect(tls_.get()), 1);
  }

  uint8_t Byte(size_t at) const { return static_cast<uint8_t>(pending_[at]); }
  size_t Length() const {
    return static_cast<size_t>(Byte(0)) << 16 | static_cast<size_t>(Byte(1)) << 8 | Byte(2);
  }

  bool Fill() {
    char bytes[16 * 1024];
    const int64_t n = tls_ == nullptr ? recv(fd_.get(), bytes, sizeof(bytes), 0)
                                      : SSL_read(tls_.get(), bytes, sizeof(bytes));
    if (n > 0) pending_.append(bytes, static_cast<size_t>(n));
    closed_ = n == 0 || (n < 0 && errno != EAGAIN);
    return n > 0;
  }

  http::Fd fd_;
  std::unique_ptr<SSL_CTX, FreeTls> context_;
  std::unique_ptr<SSL, FreeTls> tls_;
  std::string pending_;
  bool closed_ = false;
};

}  // namespace ipp::http2
