#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/rpc/backends.h"

namespace ipp::rpc {

struct ServerOptions {
  std::string listen = "127.0.0.1:0";
  // PEM, the certificate chain and its private key; empty: plaintext. Both in one file, so that
  // gRPC never reads one of them without the other. gRPC does not survive a content that it cannot
  // use: until the next one, every handshake fails.
  std::string identity_file;
  std::string client_ca_file;  // CA of callers' certificates; empty: none is requested
  bool client_certificate_required = false;
  // How often gRPC reads the files above again; whole seconds. It cannot be asked to do so at
  // another time, so this is also how soon a new certificate is in use.
  absl::Duration certificate_refresh = absl::Seconds(1);
  // With client certificates, the maximum age of a connection if it is shorter than max_age: the
  // next connection verifies the certificate again.
  absl::Duration verified_for = absl::Minutes(30);
  bool reflection = true;
  int max_message_bytes = 2 * 1024 * 1024;
  // The limit on data that all connections have received and not yet processed, by gRPC's own
  // estimate. At the limit gRPC closes idle connections and ends calls.
  int64_t memory_bytes = 128 * 1024 * 1024;
  // Per call: names, values and 32 bytes for each. A call with more ends its connection, and all
  // calls on it, before any of our code sees it (gRPC 1.51, CVE-2023-32731). So this is far above
  // what is accepted (RpcOptions::max_metadata_bytes).
  int most_metadata_bytes = 64 * 1024;
  int max_connections = 4096;  // further ones are accepted and closed
  int max_per_peer = 0;        // of one address (see GateOptions); 0: no limit
  // Concurrent calls on one connection. A client keeps to the limit once it has acknowledged it.
  int max_calls = 2000;
  // The time for TLS and the first HTTP/2 settings; then the connection is closed.
  absl::Duration handshake_timeout = absl::Seconds(10);
  // A connection that is silent for keepalive_time gets a ping, and is closed if no answer arrives
  // within keepalive_timeout. That is also how long sent data may stay unacknowledged.
  absl::Duration keepalive_time = absl::Seconds(30);
  absl::Duration keepalive_timeout = absl::Seconds(10);
  absl::Duration max_idle = absl::Minutes(15);  // without a call
  // How long a connection accepts new calls, with gRPC's jitter; then its client reconnects. Calls
  // in progress continue for up to `longest_call`.
  absl::Duration max_age = absl::Minutes(30);
  absl::Duration longest_call = absl::Minutes(35);
};

// The gRPC port: the contract's services, health and reflection. This header does not expose gRPC.
class RpcServer {
 public:
  // Drains with a zero limit if Drain() was not called.
  virtual ~RpcServer() = default;

  static absl::StatusOr<std::unique_ptr<RpcServer>> Start(const ServerOptions& options,
                                                          const Backends& backends);
  virtual int port() const = 0;

  // Health becomes NOT_SERVING, streams get a goodbye, and calls in progress finish. Those that
  // have not finished after `limit` are cancelled; once only health watches and reflection streams
  // remain, they are cancelled too. Returns when no call is in progress. Call it once.
  virtual void Drain(absl::Duration limit) = 0;
};

}  // namespace ipp::rpc
