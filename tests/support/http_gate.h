#pragma once

#include <algorithm>
#include <functional>
#include <list>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "gtest/gtest.h"
#include "server/base/mutex.h"
#include "tests/support/http_socket.h"

namespace ipp::http {

// A request as it came over the wire.
struct GateRequest {
  std::string method;
  std::string target;
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
  std::string body;
  int connection = 0;  // which one of the gate's, from 1

  std::string header(absl::string_view name) const {
    for (const auto& [key, value] : headers) {
      if (key == name) return value;
    }
    return "";
  }
};

// The connection that a request came on, for its handler.
class GatePeer {
 public:
  explicit GatePeer(Fd fd) : fd_(std::move(fd)) { SetNoDelay(fd_.get()); }

  bool Write(absl::string_view raw) { return WriteAll(fd_.get(), raw); }
  bool Respond(int code, absl::string_view body, absl::string_view header_lines = "") {
    return Write(absl::StrCat("HTTP/1.1 ", code, " Said\r\n", header_lines,
                              "Content-Length: ", body.size(), "\r\n\r\n", body));
  }
  // After the handler returns.
  void Close() { over_ = true; }
  void Reset() {
    SetResetOnClose(fd_.get());
    over_ = true;
  }

 private:
  friend class HttpGate;
  Fd fd_;
  bool over_ = false;
  std::string unread_;
};

// A scripted upstream on a real socket: HTTP/1.1, one thread a connection, persistent connections.
// It writes what the test says, byte by byte, and records each request. Thread-safe.
class HttpGate {
 public:
  // Runs on the connection's thread, after the whole request was read and recorded. A handler that
  // waits must be let go before the gate ends.
  using Handler = std::function<void(const GateRequest&, GatePeer&)>;

  explicit HttpGate(Handler handler = [](const GateRequest&,
                                         GatePeer& peer) { peer.Respond(200, "ok"); })
      : handler_(std::move(handler)), acceptor_([this] { Accept(); }) {}

  ~HttpGate() {
    shutdown(listener_.fd.get(), SHUT_RDWR);
    acceptor_.join();
    {
      MutexLock lock(&mutex_);
      for (int fd : open_) shutdown(fd, SHUT_RDWR);
    }
    for (std::thread& thread : threads_) thread.join();
  }

  int port() const { return listener_.port; }
  std::vector<GateRequest> requests() const {
    MutexLock lock(&mutex_);
    return requests_;
  }
  size_t connections() const {
    MutexLock lock(&mutex_);
    return connections_;
  }
  void WaitForRequests(size_t count) const {
    MutexLock lock(&mutex_);
    while (requests_.size() < count) changed_.Wait(&mutex_);
  }

 private:
  void Accept() {
    while (true) {
      Fd fd(accept4(listener_.fd.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!fd.valid()) return;
      int number = 0;
      {
        MutexLock lock(&mutex_);
        number = static_cast<int>(++connections_);
        open_.push_back(fd.get());
      }
      threads_.emplace_back(
          [this, number, fd = std::move(fd)]() mutable { Serve(number, std::move(fd)); });
    }
  }

  void Serve(int number, Fd fd) {
    const int raw = fd.get();
    GatePeer peer(std::move(fd));
    while (!peer.over_) {
      std::optional<GateRequest> request = Read(peer);
      if (!request.has_value()) break;
      request->connection = number;
      {
        MutexLock lock(&mutex_);
        requests_.push_back(*request);
        changed_.SignalAll();
      }
      handler_(*request, peer);
    }
    MutexLock lock(&mutex_);
    open_.remove(raw);
    peer.fd_.reset();  // under the lock: the number may be given out again at once
  }

  static std::optional<GateRequest> Read(GatePeer& peer) {
    std::string& buffer = peer.unread_;
    size_t end = 0;
    while ((end = buffer.find("\r\n\r\n")) == std::string::npos) {
      if (!ReadMore(peer)) return std::nullopt;
    }
    GateRequest request;
    const std::vector<std::string> lines = absl::StrSplit(buffer.substr(0, end), "\r\n");
    const std::vector<std::string> first = absl::StrSplit(lines[0], ' ');
    if (first.size() != 3) return std::nullopt;
    request.method = first[0];
    request.target = first[1];
    for (size_t i = 1; i < lines.size(); ++i) {
      const std::pair<std::string, std::string> parts =
          absl::StrSplit(lines[i], absl::MaxSplits(':', 1));
      request.headers.emplace_back(absl::AsciiStrToLower(parts.first),
                                   std::string(absl::StripAsciiWhitespace(parts.second)));
    }
    size_t length = 0;
    (void)absl::SimpleAtoi(request.header("content-length"), &length);
    buffer.erase(0, end + 4);
    while (buffer.size() < length) {
      if (!ReadMore(peer)) return std::nullopt;
    }
    request.body = buffer.substr(0, length);
    buffer.erase(0, length);
    return request;
  }

  static bool ReadMore(GatePeer& peer) {
    char chunk[16 * 1024];
    const ssize_t n = recv(peer.fd_.get(), chunk, sizeof(chunk), 0);
    if (n > 0) peer.unread_.append(chunk, static_cast<size_t>(n));
    return n > 0;
  }

  const Handler handler_;
  const Listener listener_;
  mutable Mutex mutex_;
  mutable CondVar changed_;
  std::vector<GateRequest> requests_ ABSL_GUARDED_BY(mutex_);
  size_t connections_ ABSL_GUARDED_BY(mutex_) = 0;
  std::list<int> open_ ABSL_GUARDED_BY(mutex_);
  std::list<std::thread> threads_;  // touched by the acceptor, then by the destructor
  std::thread acceptor_;
};

}  // namespace ipp::http
