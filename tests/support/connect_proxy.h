#pragma once

#include <poll.h>

#include <list>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "server/base/mutex.h"
#include "tests/support/http_socket.h"

namespace ipp::http {

// An HTTP proxy on loopback that knows CONNECT alone (RFC 9110, section 9.3.6), to any port of
// 127.0.0.1, whatever host was asked for. A thread a connection. Thread-safe.
class ConnectProxy {
 public:
  // What the proxy does with a CONNECT.
  enum class Does {
    kServe,
    kRefuse,  // answers with `code`, a header and a page, as proxies do that want a password
    kClose,   // ends the connection without an answer
    kHang,    // never answers
  };

  explicit ConnectProxy(Does does = Does::kServe, int code = 502)
      : does_(does), code_(code), thread_([this] { Accept(); }) {}
  ~ConnectProxy() {
    {
      MutexLock lock(&mutex_);
      stopping_ = true;
      for (const int fd : open_) shutdown(fd, SHUT_RDWR);
    }
    shutdown(listener_.fd.get(), SHUT_RDWR);
    thread_.join();
    for (std::thread& thread : threads_) thread.join();
  }
  ConnectProxy(const ConnectProxy&) = delete;
  ConnectProxy& operator=(const ConnectProxy&) = delete;

  int port() const { return listener_.port; }
  std::string url() const { return absl::StrCat("http://127.0.0.1:", port()); }
  // The head of each request that it got.
  std::vector<std::string> heads() const {
    MutexLock lock(&mutex_);
    return heads_;
  }

 private:
  void Accept() {
    while (true) {
      Fd client(accept4(listener_.fd.get(), nullptr, nullptr, SOCK_CLOEXEC));
      MutexLock lock(&mutex_);
      if (stopping_ || !client.valid()) return;
      SetNoDelay(client.get());
      open_.push_back(client.get());
      threads_.emplace_back([this, fd = std::move(client)]() mutable { Serve(std::move(fd)); });
    }
  }

  void Serve(Fd client) {
    Talk(client);
    MutexLock lock(&mutex_);
    open_.remove(client.get());
    client.reset();  // under the lock: the destructor must not shut down another's socket
  }

  void Talk(const Fd& client) {
    std::string head;
    char byte = 0;
    while (!absl::EndsWith(head, "\r\n\r\n")) {
      if (recv(client.get(), &byte, 1, 0) != 1) return;
      head.push_back(byte);
    }
    {
      MutexLock lock(&mutex_);
      heads_.push_back(head);
    }
    const std::vector<std::string> words = absl::StrSplit(head, absl::ByAnyChar(" \r\n"));
    int port = 0;
    const bool good = words.size() > 2 && words[0] == "CONNECT" &&
                      absl::SimpleAtoi(words[1].substr(words[1].rfind(':') + 1), &port);
    if (does_ == Does::kClose) return;
    if (does_ == Does::kHang) return WaitForEnd(client);
    if (does_ == Does::kRefuse || !good) {
      const std::string page = "<html>The proxy refuses.</html>";
      WriteAll(client.get(), absl::StrCat("HTTP/1.1 ", good ? code_ : 400,
                                          " Refused\r\nX-Proxy: mine\r\nContent-Length: ",
                                          page.size(), "\r\n\r\n", page));
      return WaitForEnd(client);
    }
    const Fd server = Connect(port);
    if (!server.valid()) {
      WriteAll(client.get(), "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n");
      return WaitForEnd(client);
    }
    SetNoDelay(server.get());
    WriteAll(client.get(), "HTTP/1.1 200 Connection established\r\nX-Proxy: mine\r\n\r\n");
    Relay(client, server);
  }

  static void WaitForEnd(const Fd& fd) {
    char chunk[1024];
    while (recv(fd.get(), chunk, sizeof(chunk), 0) > 0) {
    }
  }

  // Until one side ends; how it ended is passed on.
  static void Relay(const Fd& client, const Fd& server) {
    pollfd fds[] = {{client.get(), POLLIN, 0}, {server.get(), POLLIN, 0}};
    while (true) {
      if (poll(fds, 2, -1) < 0) continue;
      for (int i = 0; i < 2; ++i) {
        if (fds[i].revents == 0) continue;
        char chunk[64 * 1024];
        const ssize_t n = recv(fds[i].fd, chunk, sizeof(chunk), 0);
        if (n < 0) SetResetOnClose(fds[1 - i].fd);
        if (n <= 0 || !WriteAll(fds[1 - i].fd, {chunk, static_cast<size_t>(n)})) return;
      }
    }
  }

  const Does does_;
  const int code_;
  Listener listener_;
  mutable Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::list<int> open_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> heads_ ABSL_GUARDED_BY(mutex_);
  std::list<std::thread> threads_;  // of the accepting thread, then of the destructor
  std::thread thread_;
};

}  // namespace ipp::http
