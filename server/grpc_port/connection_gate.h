#pragma once

#include <grpcpp/server_builder.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/base/metrics.h"

namespace ipp::grpc_port {

struct GateOptions {
  std::string listen = "127.0.0.1:0";  // host:port, [v6]:port; port 0: any free port
  int max_connections = 4096;          // further ones are accepted and closed
  // The same for one peer: one IPv4 address, or one /64 of IPv6, since a host has all of its own.
  // 0: no limit.
  int max_per_peer = 0;
  // How long sent data may stay unacknowledged (TCP_USER_TIMEOUT).
  absl::Duration unacknowledged = absl::Seconds(10);
  // A connection is cut off if the peer sends this many bytes while nothing is sent to it. HTTP/2
  // answers everything legitimate long before that, except a message whose window was granted in
  // one piece at its start; the limit leaves room for two of the largest messages. The attacks that
  // remain are an endless block of headers, all of which gRPC 1.51 keeps in memory, many times over
  // (CVE-2023-33953), and endless new calls by a peer that never acknowledges the limit on
  // concurrent calls.
  int64_t most_unanswered = 4 * 1024 * 1024;
};

// The listening sockets of the gRPC port. gRPC's own listener accepts every connection, and stops
// listening permanently once file descriptors run out. This class accepts as many as are allowed
// and hands them to gRPC; none that would take one of the descriptors that are held back
// (base/descriptors.h). It keeps a duplicate of each descriptor, to detect when gRPC has shut its
// own down, so a connection needs two descriptors. Uses one thread.
class ConnectionGate {
 public:
  virtual ~ConnectionGate() = default;  // destroy it after the server

  // Starts listening at once; connections wait until Open. UNAVAILABLE with the address and the
  // system's reason.
  static absl::StatusOr<std::unique_ptr<ConnectionGate>> Listen(const GateOptions& options,
                                                                Metrics* metrics);

  virtual int port() const = 0;
  // Hands connections to a server that has started. Call it once.
  virtual void Open(std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> acceptor) = 0;
  // Accepts no further connection once it returns; existing ones continue. Call it before the
  // server shuts down, since gRPC would lose later connections.
  virtual void Close() = 0;
};

}  // namespace ipp::grpc_port
