#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/rpc/backends.h"

namespace ipp::rpc {

struct ServerOptions {
  std::string listen = "127.0.0.1:0";
  std::string cert_file;  // both or none; re-read when they change
  std::string key_file;
  std::string client_ca_file;  // of callers' certificates; empty: none is asked for
  bool client_certificate_required = false;
  // How often the files above are looked at; whole seconds.
  absl::Duration certificate_refresh = absl::Seconds(30);
  // With client certificates, in place of max_age when it is shorter: the next connection is
  // verified anew.
  absl::Duration verified_for = absl::Minutes(30);
  bool reflection = true;
  int max_message_bytes = 2 * 1024 * 1024;
  // Of what all connections have sent and is not read yet, by gRPC's own estimate; then it closes
  // idle connections and ends calls.
  int64_t memory_bytes = 128 * 1024 * 1024;
  int max_metadata_bytes = 8 * 1024;  // names, values and 32 more for each; of one call
  int max_connections = 4096;         // more: accepted and closed
  // Of one connection, open at once: what a client keeps to itself, once it has said that it knows.
  int max_calls = 2000;
  // For TLS and the first HTTP/2 settings; then the connection is closed.
  absl::Duration handshake_timeout = absl::Seconds(10);
  // A connection that is silent for so long is asked whether it is there, and closed without an
  // answer. The second is also how long what was sent may stay unacknowledged.
  absl::Duration keepalive_time = absl::Seconds(30);
  absl::Duration keepalive_timeout = absl::Seconds(10);
  absl::Duration max_idle = absl::Minutes(15);  // without a call
  // How long a connection is given new calls, jittered by gRPC; then its client connects anew. What
  // is under way goes on for `longest_call`.
  absl::Duration max_age = absl::Minutes(30);
  absl::Duration longest_call = absl::Minutes(35);
};

// The gRPC port: the contract's services, health and reflection. Knows gRPC; whoever uses it need
// not.
class RpcServer {
 public:
  // Drains without patience when nobody has.
  virtual ~RpcServer() = default;

  static absl::StatusOr<std::unique_ptr<RpcServer>> Start(const ServerOptions& options,
                                                          const Backends& backends);
  virtual int port() const = 0;

  // Health says NOT_SERVING, streams get their goodbye, calls under way finish; those that have not
  // after `limit` are cancelled, and with the last of them who watches health or reads reflection.
  // Returns when nothing is under way any more. Once.
  virtual void Drain(absl::Duration limit) = 0;
};

}  // namespace ipp::rpc
