#include "server/http/curl_sockets.h"

#include <sys/socket.h>
#include <unistd.h>

namespace ipp::http {

CurlSockets::CurlSockets(CURLM* multi, int wake_fd)
    : multi_(multi), epoll_(epoll_create1(EPOLL_CLOEXEC)) {
  epoll_event wake{};
  wake.events = EPOLLIN | EPOLLET;
  wake.data.fd = wake_fd;
  epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_fd, &wake);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &CurlSockets::OnWanted);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
}

CurlSockets::~CurlSockets() { close(epoll_); }

void CurlSockets::SetUp(CURL* easy) {
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, &CurlSockets::OnOpen);
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, this);
  curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, &CurlSockets::OnClose);
  curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, this);
}

curl_socket_t CurlSockets::OnOpen(void* self, curlsocktype, curl_sockaddr* address) {
  const int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
  if (fd < 0) return CURL_SOCKET_BAD;
  static_cast<CurlSockets*>(self)->watches_[fd] = {.end_is_told = true};
  return fd;
}

// Closing takes the socket out of the epoll.
int CurlSockets::OnClose(void* self, curl_socket_t fd) {
  static_cast<CurlSockets*>(self)->watches_.erase(fd);
  return close(fd);
}

int CurlSockets::OnWanted(CURL*, curl_socket_t fd, int what, void* self, void*) {
  auto& x = *static_cast<CurlSockets*>(self);
  Watch& watch = x.watches_[fd];
  watch.wanted = (what == CURL_POLL_IN || what == CURL_POLL_INOUT ? uint32_t{EPOLLIN} : 0) |
                 (what == CURL_POLL_OUT || what == CURL_POLL_INOUT ? uint32_t{EPOLLOUT} : 0);
  if (watch.wanted != 0) {
    x.Put(fd, &watch, watch.wanted);
  } else if (!watch.end_is_told) {
    x.Put(fd, &watch, 0);
    x.watches_.erase(fd);
  }
  return 0;
}

void CurlSockets::Put(curl_socket_t fd, Watch* watch, uint32_t events) {
  if (watch->in_epoll == events) return;
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  epoll_ctl(epoll_,
            events == 0            ? EPOLL_CTL_DEL
            : watch->in_epoll == 0 ? EPOLL_CTL_ADD
                                   : EPOLL_CTL_MOD,
            fd, &event);
  watch->in_epoll = events;
}

void CurlSockets::Wait(int timeout_ms) {
  count_ = epoll_wait(epoll_, events_.data(), static_cast<int>(events_.size()), timeout_ms);
}

void CurlSockets::Handle() {
  for (int i = 0; i < count_; ++i) {
    const uint32_t events = events_[i].events;
    const curl_socket_t fd = events_[i].data.fd;
    // Not there: the wakeup, or what an earlier event of this turn has closed.
    const auto found = watches_.find(fd);
    if (found == watches_.end()) continue;
    if (found->second.wanted == 0) {
      Put(fd, &found->second, 0);
      continue;
    }
    const int what = ((events & (EPOLLIN | EPOLLHUP)) != 0 ? CURL_CSELECT_IN : 0) |
                     ((events & EPOLLOUT) != 0 ? CURL_CSELECT_OUT : 0) |
                     ((events & EPOLLERR) != 0 ? CURL_CSELECT_ERR : 0);
    int running = 0;
    curl_multi_socket_action(multi_, fd, what, &running);
  }
  count_ = 0;
}

}  // namespace ipp::http
