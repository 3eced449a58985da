#pragma once

#include <grpcpp/server_builder.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/base/metrics.h"

namespace ipp::grpc_port {

struct GateOptions {
  std::string listen = "127.0.0.1:0";  // host:port, [v6]:port; port 0: any free one
  int max_connections = 4096;          // more: accepted and closed
  // How long what was sent may stay unacknowledged (TCP_USER_TIMEOUT).
  absl::Duration unacknowledged = absl::Seconds(10);
  // A peer that sends so many bytes while nothing is sent to it is cut off. Whatever HTTP/2 wants
  // an answer for gets one long before, but for a message whose window was given in one piece when
  // it began: room for two of the largest. What is left is a block of headers without end, all of
  // which gRPC 1.51 keeps in memory, many times over (CVE-2023-33953), and calls opened without end
  // by a peer that never acknowledges how many it may.
  int64_t most_unanswered = 4 * 1024 * 1024;
};

// The listening sockets of the gRPC port. gRPC's own take every connection there is, and stop
// listening for good once file descriptors run out. This takes what is allowed and hands it to
// gRPC. It keeps a duplicate of each descriptor, to know when gRPC has shut its own: two are needed
// for a connection. One thread.
class ConnectionGate {
 public:
  virtual ~ConnectionGate() = default;  // after the server

  // Listens at once; connections wait until Open. UNAVAILABLE with the address and the system's
  // reason.
  static absl::StatusOr<std::unique_ptr<ConnectionGate>> Listen(const GateOptions& options,
                                                                Metrics* metrics);

  virtual int port() const = 0;
  // Hands connections to a server that has started. Once.
  virtual void Open(std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> acceptor) = 0;
  // Takes no further connection once it returns; those there are go on. Before the server shuts
  // down, since gRPC would lose what comes later.
  virtual void Close() = 0;
};

}  // namespace ipp::grpc_port
