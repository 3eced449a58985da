#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/rpc/gateway.h"

namespace ipp::rpc {

struct ServerOptions {
  std::string listen = "127.0.0.1:0";
  std::string cert_file;  // both or none; re-read when they change
  std::string key_file;
  std::string client_ca_file;  // of callers' certificates; empty: none is asked for
  bool client_certificate_required = false;
  // How often the files above are looked at; whole seconds.
  absl::Duration certificate_refresh = absl::Seconds(30);
  // With client certificates, how long a connection is given new calls: then its client connects,
  // and is verified, anew. What is under way goes on.
  absl::Duration verified_for = absl::Minutes(30);
  bool reflection = true;
  int max_message_bytes = 4 * 1024 * 1024;
};

// The gRPC port: the contract's services, health and reflection. Knows gRPC; whoever uses it need
// not.
class RpcServer {
 public:
  // Drains without patience when nobody has.
  virtual ~RpcServer() = default;

  static absl::StatusOr<std::unique_ptr<RpcServer>> Start(const ServerOptions& options,
                                                          const Gateway& gateway);
  virtual int port() const = 0;

  // Health says NOT_SERVING, streams get their goodbye, calls under way finish; those that have not
  // after `limit` are cancelled, and with the last of them who watches health or reads reflection.
  // Returns when nothing is under way any more. Once.
  virtual void Drain(absl::Duration limit) = 0;
};

}  // namespace ipp::rpc
