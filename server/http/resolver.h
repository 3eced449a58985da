#pragma once

#include <sys/socket.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace ipp::http {

struct SocketAddress {
  sockaddr_storage address{};
  socklen_t size = 0;
};

// Looks up host names on a thread of its own, since getaddrinfo() blocks, and has no time limit
// that a caller could set. Thread-safe.
//
// The destructor does not wait for a lookup under way: its thread ends by itself later. A callback
// that has not begun by then does not run.
class Resolver {
 public:
  // The addresses for TCP, in the order in which they should be tried; UNAVAILABLE if there is
  // none.
  using Addresses = absl::StatusOr<std::vector<SocketAddress>>;

  Resolver();
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  // `port` is in digits. `done` runs once: inside this call if `host` is an address, otherwise on
  // the resolver's thread. It must not block.
  void Resolve(const std::string& host, const std::string& port,
               std::function<void(Addresses)> done);

 private:
  struct State;
  // Shared with the thread, which may outlive the resolver.
  const std::shared_ptr<State> state_;
};

}  // namespace ipp::http
