#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

namespace ipp {

struct RawResponse {
  int code = 0;  // 0: none arrived
  std::string version;
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
  std::string body;

  std::string header(absl::string_view name) const {
    for (const auto& [key, value] : headers) {
      if (key == name) return value;
    }
    return "";
  }
};

// One TCP connection to 127.0.0.1 that sends whatever bytes a test wants. Every wait ends after
// 20 s, so that a broken server fails a test and does not hang it.
class WebClient {
 public:
  explicit WebClient(int port, int receive_buffer = 0) : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    if (receive_buffer > 0) {
      setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer));
    }
    const timeval patience{.tv_sec = 20, .tv_usec = 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    const int at_once = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &at_once, sizeof(at_once));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  }
  ~WebClient() { Close(); }
  WebClient(WebClient&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)),
        connected_(other.connected_),
        pending_(std::move(other.pending_)) {}
  WebClient& operator=(WebClient&&) = delete;

  bool connected() const { return connected_; }

  // False when the peer has gone.
  bool Send(absl::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(n));
    }
    return true;
  }

  // Sends `bytes` over and over, with a moment between, until something arrives from the peer.
  void SendUntilAnswered(absl::string_view bytes) {
    pollfd waiting{.fd = fd_, .events = POLLIN, .revents = 0};
    while (Send(bytes) && poll(&waiting, 1, 5) == 0) {
    }
  }

  // Tells the peer that no more comes.
  void EndSending() { shutdown(fd_, SHUT_WR); }

  void Close() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }

  // Resets the connection.
  void Abort() {
    const linger now{.l_onoff = 1, .l_linger = 0};
    setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    Close();
  }

  // The next response with its body; `without_body` for the answer to a HEAD.
  RawResponse Receive(bool without_body = false) {
    RawResponse response;
    size_t end;
    while ((end = pending_.find("\r\n\r\n")) == std::string::npos) {
      if (!Fill()) return response;
    }
    const std::vector<std::string> lines = absl::StrSplit(pending_.substr(0, end), "\r\n");
    pending_.erase(0, end + 4);
    const std::vector<std::string> words = absl::StrSplit(lines[0], absl::MaxSplits(' ', 2));
    if (words.size() < 2 || !absl::SimpleAtoi(words[1], &response.code)) return response;
    response.version = words[0];
    for (size_t i = 1; i < lines.size(); ++i) {
      const std::pair<std::string, std::string> field =
          absl::StrSplit(lines[i], absl::MaxSplits(": ", 1));
      response.headers.emplace_back(absl::AsciiStrToLower(field.first), field.second);
    }
    size_t length = 0;
    if (without_body || !absl::SimpleAtoi(response.header("content-length"), &length)) {
      return response;
    }
    while (pending_.size() < length && Fill()) {
    }
    response.body = pending_.substr(0, length);
    pending_.erase(0, length);
    return response;
  }

  // Sends a request and waits for the answer.
  RawResponse Call(absl::string_view bytes) {
    Send(bytes);
    return Receive();
  }

  // Whether the peer ends the connection, with nothing more to read.
  bool WaitForClose() {
    if (!pending_.empty()) return false;
    char byte;
    const ssize_t n = recv(fd_, &byte, 1, 0);
    return n == 0 || (n < 0 && errno == ECONNRESET);
  }

  // Whether the peer resets the connection, while nothing is read from it.
  bool WaitForReset() {
    pollfd waiting{.fd = fd_, .events = 0, .revents = 0};
    return poll(&waiting, 1, 20'000) == 1 && (waiting.revents & POLLERR) != 0;
  }

 private:
  bool Fill() {
    char bytes[16 * 1024];
    const ssize_t n = recv(fd_, bytes, sizeof(bytes), 0);
    if (n <= 0) return false;
    pending_.append(bytes, static_cast<size_t>(n));
    return true;
  }

  int fd_;
  bool connected_ = false;
  std::string pending_;
};

}  // namespace ipp
