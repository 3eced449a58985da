#include "server/grpc_port/listening_sockets.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "server/base/host_port.h"
#include "server/base/status_macros.h"

namespace ipp::grpc_port {
namespace {

absl::Status Cannot(const std::string& address, absl::string_view why) {
  return absl::UnavailableError(absl::StrCat("cannot listen on ", address, ": ", why));
}

using Addresses = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

absl::StatusOr<Addresses> Resolve(const std::string& address, const std::string& host) {
  addrinfo wanted{};
  wanted.ai_family = AF_UNSPEC;
  wanted.ai_socktype = SOCK_STREAM;
  wanted.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (const int error = getaddrinfo(host.c_str(), "0", &wanted, &found); error != 0) {
    return Cannot(address, gai_strerror(error));
  }
  return Addresses(found, &freeaddrinfo);
}

void SetPort(sockaddr* address, int port) {
  const auto number = htons(static_cast<uint16_t>(port));
  if (address->sa_family == AF_INET6) {
    reinterpret_cast<sockaddr_in6*>(address)->sin6_port = number;
  } else {
    reinterpret_cast<sockaddr_in*>(address)->sin_port = number;
  }
}

void Set(int fd, int level, int option, int value) {
  setsockopt(fd, level, option, &value, sizeof(value));
}

// Returns the listening socket and stores its port in `*port`; -1 with errno on failure.
int Open(const addrinfo& at, absl::Duration unacknowledged, int* port) {
  const int fd = socket(at.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  Set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  if (at.ai_family == AF_INET6) Set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
  // Accepted connections inherit these options.
  Set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  Set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT,
      static_cast<int>(absl::ToInt64Milliseconds(unacknowledged)));
  SetPort(at.ai_addr, *port);
  sockaddr_storage bound{};
  socklen_t size = sizeof(bound);
  if (bind(fd, at.ai_addr, at.ai_addrlen) != 0 || listen(fd, SOMAXCONN) != 0 ||
      getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &size) != 0) {
    const int error = errno;
    close(fd);
    errno = error;
    return -1;
  }
  *port = ntohs(bound.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(bound).sin6_port
                                            : reinterpret_cast<sockaddr_in&>(bound).sin_port);
  return fd;
}

}  // namespace

absl::StatusOr<ListeningSockets> ListenOn(const std::string& address,
                                          absl::Duration unacknowledged) {
  const std::optional<HostPort> wanted = ParseHostPort(address);
  if (!wanted) return Cannot(address, "it is not host:port, or [v6]:port");
  ListeningSockets sockets{.fds = {}, .port = wanted->port};
  int error = 0;
  const auto listen_on = [&](const std::string& host) -> absl::Status {
    IPP_ASSIGN_OR_RETURN(const Addresses found, Resolve(address, host));
    for (const addrinfo* at = found.get(); at != nullptr; at = at->ai_next) {
      const int fd = Open(*at, unacknowledged, &sockets.port);
      if (fd >= 0) {
        sockets.fds.push_back(fd);
      } else {
        error = errno;
      }
    }
    return absl::OkStatus();
  };
  const bool everywhere = wanted->host == "0.0.0.0" || wanted->host == "::";
  if (everywhere) IPP_RETURN_IF_ERROR(listen_on("::"));
  // For all addresses: use IPv4 only if the host has no IPv6. A port that is in use remains an
  // error.
  if (sockets.fds.empty() && error != EADDRINUSE) {
    IPP_RETURN_IF_ERROR(listen_on(everywhere ? "0.0.0.0" : wanted->host));
  }
  if (!sockets.fds.empty() && error != EADDRINUSE) return sockets;
  for (const int fd : sockets.fds) close(fd);
  return Cannot(address, strerror(error));
}

}  // namespace ipp::grpc_port
