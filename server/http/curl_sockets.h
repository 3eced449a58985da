#pragma once

#include <curl/curl.h>
#include <sys/epoll.h>

#include <array>
#include <cstdint>

#include "absl/container/flat_hash_map.h"

namespace ipp::http {

// The sockets of one multi handle in one epoll: libcurl says what it waits for, and learns what has
// happened. Belongs to who has the loop's turn; only Wait() may run without it.
//
// libcurl stops watching a connection after each request and starts again with the next. The socket
// stays in the epoll in between, which saves two system calls a request; it leaves if something
// happens on it that libcurl does not wait for.
class CurlSockets {
 public:
  // `multi` must outlive this. `wake_fd` is watched too, edge-triggered.
  CurlSockets(CURLM* multi, int wake_fd);
  // After the last connection of the multi handle is closed.
  ~CurlSockets();
  CurlSockets(const CurlSockets&) = delete;
  CurlSockets& operator=(const CurlSockets&) = delete;

  // For each easy handle of the multi handle.
  void SetUp(CURL* easy);
  // Blocks until something happens or the time is over. Nothing else may be called before Handle().
  void Wait(int timeout_ms);
  // Hands to libcurl what Wait() has found.
  void Handle();

 private:
  struct Watch {
    uint32_t in_epoll = 0;     // EPOLLIN, EPOLLOUT; 0: not there
    uint32_t wanted = 0;       // by libcurl
    bool end_is_told = false;  // by OnClose(): a connection, not a socket of a name lookup
  };

  static int OnWanted(CURL*, curl_socket_t fd, int what, void* self, void*);
  static curl_socket_t OnOpen(void* self, curlsocktype, curl_sockaddr* address);
  static int OnClose(void* self, curl_socket_t fd);
  void Put(curl_socket_t fd, Watch* watch, uint32_t events);

  CURLM* const multi_;
  const int epoll_;
  absl::flat_hash_map<curl_socket_t, Watch> watches_;
  std::array<epoll_event, 64> events_;
  int count_ = 0;
};

}  // namespace ipp::http
