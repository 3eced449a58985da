#include "tests/bench/nghttp2_floor.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace ipp::bench {
namespace {

constexpr size_t kRead = 64 << 10;  // more than a TLS record
constexpr int kWindow = 1 << 24;    // no waiting for the peer's window

class Runner {
 public:
  explicit Runner(const CurlFloor& floor) : floor_(floor), in_(kRead) {}
  ~Runner() {
    nghttp2_session_del(session_);
    ssl_.reset();
    if (fd_ >= 0) close(fd_);
  }

  absl::Status Connect() {
    const absl::string_view authority = absl::StripPrefix(floor_.base_url, "https://");
    const std::pair<std::string, std::string> host_port = absl::StrSplit(authority, ':');
    sockaddr_in address{};
    int port = 0;
    if (!absl::SimpleAtoi(host_port.second, &port) ||
        inet_pton(AF_INET, host_port.first.c_str(), &address.sin_addr) != 1) {
      return absl::InvalidArgumentError("the URL must be https://ADDRESS:PORT");
    }
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    fd_ = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
      return absl::UnavailableError("cannot connect");
    }
    const int on = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    static const unsigned char kAlpn[] = "\x02h2";
    SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_read_ahead(context_.get(), 1);
    if (SSL_CTX_load_verify_locations(context_.get(), floor_.ca_file.c_str(), nullptr) != 1) {
      return absl::InvalidArgumentError("the CA file cannot be read");
    }
    ssl_.reset(SSL_new(context_.get()));
    SSL_set_alpn_protos(ssl_.get(), kAlpn, 3);
    SSL_set_fd(ssl_.get(), fd_);
    if (SSL_connect(ssl_.get()) != 1) return absl::UnavailableError("no TLS");
    fcntl(fd_, F_SETFL, O_NONBLOCK);

    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, &OnHeader);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, &OnData);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, &OnClose);
    nghttp2_session_client_new(&session_, callbacks, this);
    nghttp2_session_callbacks_del(callbacks);
    const nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
                                               {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, kWindow}};
    nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings, 2);
    nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, kWindow);

    Add(":method", "GET");
    Add(":scheme", "https");
    Add(":authority", std::string(authority));
    Add(":path", floor_.target);
    for (const std::string& line : floor_.headers) {
      const std::pair<std::string, std::string> header =
          absl::StrSplit(line, absl::MaxSplits(": ", 1));
      Add(header.first, header.second);
    }
    for (auto& [name, value] : headers_) {
      fields_.push_back({reinterpret_cast<uint8_t*>(name.data()),
                         reinterpret_cast<uint8_t*>(value.data()), name.size(), value.size(),
                         NGHTTP2_NV_FLAG_NONE});
    }
    return absl::OkStatus();
  }

  // Keeps `in_flight` requests under way until `count` are answered.
  absl::Status Run(int count) {
    to_start_ = count;
    to_end_ = count;
    while (to_end_ > 0) {
      while (to_start_ > 0 && under_way_ < floor_.in_flight) {
        --to_start_;
        ++under_way_;
        nghttp2_submit_request(session_, nullptr, fields_.data(), fields_.size(), nullptr, nullptr);
      }
      if (absl::Status status = Send(); !status.ok()) return status;
      if (absl::Status status = Receive(); !status.ok()) return status;
      if (failed_) return absl::UnavailableError(absl::StrCat("HTTP status ", status_));
    }
    return absl::OkStatus();
  }

  int64_t body_bytes() const { return body_bytes_; }

 private:
  void Add(std::string name, std::string value) {
    headers_.emplace_back(std::move(name), std::move(value));
  }

  absl::Status Send() {
    out_.clear();
    const uint8_t* data = nullptr;
    for (ssize_t size; (size = nghttp2_session_mem_send(session_, &data)) > 0;) {
      out_.append(reinterpret_cast<const char*>(data), static_cast<size_t>(size));
    }
    while (!out_.empty()) {
      const int sent = SSL_write(ssl_.get(), out_.data(), static_cast<int>(out_.size()));
      if (sent > 0) break;  // all of it: SSL_write without partial writes
      if (SSL_get_error(ssl_.get(), sent) != SSL_ERROR_WANT_WRITE) {
        return absl::UnavailableError("the connection ended");
      }
      Await(POLLOUT);
    }
    return absl::OkStatus();
  }

  // Waits until something has come, then takes all of it.
  absl::Status Receive() {
    for (bool received = false;;) {
      const int size = SSL_read(ssl_.get(), in_.data(), static_cast<int>(in_.size()));
      if (size > 0) {
        received = true;
        if (nghttp2_session_mem_recv(session_, in_.data(), static_cast<size_t>(size)) < 0) {
          return absl::UnavailableError("not HTTP/2");
        }
      } else if (SSL_get_error(ssl_.get(), size) != SSL_ERROR_WANT_READ) {
        return absl::UnavailableError("the connection ended");
      } else if (received) {
        return absl::OkStatus();
      } else {
        Await(POLLIN);
      }
    }
  }

  void Await(short events) const {
    pollfd wait{fd_, events, 0};
    poll(&wait, 1, -1);
  }

  static int OnHeader(nghttp2_session*, const nghttp2_frame*, const uint8_t* name, size_t name_size,
                      const uint8_t* value, size_t value_size, uint8_t, void* self) {
    auto* runner = static_cast<Runner*>(self);
    if (name_size == 7 && name[1] == 's') {
      runner->status_.assign(reinterpret_cast<const char*>(value), value_size);
      if (runner->status_[0] != '2') runner->failed_ = true;
    }
    return 0;
  }

  static int OnData(nghttp2_session*, uint8_t, int32_t, const uint8_t*, size_t size, void* self) {
    static_cast<Runner*>(self)->body_bytes_ += static_cast<int64_t>(size);
    return 0;
  }

  static int OnClose(nghttp2_session*, int32_t, uint32_t error, void* self) {
    auto* runner = static_cast<Runner*>(self);
    if (error != 0) runner->failed_ = true;
    --runner->under_way_;
    --runner->to_end_;
    return 0;
  }

  const CurlFloor& floor_;
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_{SSL_CTX_new(TLS_client_method()),
                                                             &SSL_CTX_free};
  std::unique_ptr<SSL, decltype(&SSL_free)> ssl_{nullptr, &SSL_free};
  int fd_ = -1;
  nghttp2_session* session_ = nullptr;
  std::vector<std::pair<std::string, std::string>> headers_;
  std::vector<nghttp2_nv> fields_;
  std::string out_;
  std::vector<uint8_t> in_;
  std::string status_;
  bool failed_ = false;
  int under_way_ = 0;
  int to_start_ = 0;
  int to_end_ = 0;
  int64_t body_bytes_ = 0;
};

}  // namespace

absl::StatusOr<CurlFloorResult> RunNghttp2Floor(const CurlFloor& floor) {
  Runner runner(floor);
  if (absl::Status status = runner.Connect(); !status.ok()) return status;
  return MeasureFloor(
      floor, [&runner](int count) { return runner.Run(count); },
      [&runner] { return runner.body_bytes(); });
}

}  // namespace ipp::bench
