#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace ipp::client {

struct ConnectionOptions {
  // Where the gateway is: host:port, or any name that gRPC resolves ("dns:///…", "unix:/…").
  std::string address = "localhost:50051";

  // TLS. `ca_file` (PEM) implies it; with `tls` alone the system's roots decide.
  bool tls = false;
  std::string ca_file;
  // What this caller shows, where the gateway knows callers by certificate: chain and private key,
  // PEM, both or none. They imply TLS. Read once: after a renewal make a new Connection.
  std::string cert_file;
  std::string key_file;

  // Sent as `authorization: Bearer <token>` with every call; empty: none. A token goes over
  // plaintext only to this machine, unless `allow_plaintext_token` (a service mesh that encrypts
  // below us).
  std::string token;
  bool allow_plaintext_token = false;

  // Sent as `x-merchant-id`; needed when the caller has more than one merchant.
  std::string merchant_id;

  // Deadline that Prepare() gives a call.
  absl::Duration timeout = absl::Seconds(10);

  // Put in front of gRPC's own user agent: "order-service/4.2".
  std::string user_agent;

  // HTTP/2 pings while a call is open, so that a dead peer is noticed under a silent stream.
  absl::Duration keepalive_time = absl::Seconds(30);
  absl::Duration keepalive_timeout = absl::Seconds(10);

  // Longest pause between two attempts to connect.
  absl::Duration max_connect_backoff = absl::Seconds(10);
};

// A channel to the gateway with sane defaults, and what every call over it carries. Thread-safe;
// stubs made from channel() keep working after the Connection is gone.
//
// Calls that end with UNAVAILABLE are repeated (4 attempts, 0.1 s to 2 s apart, within the
// deadline) when that can never do a thing twice; see RetryServiceConfig.
class Connection {
 public:
  // INVALID_ARGUMENT: the options contradict each other or the token or merchant cannot be sent.
  // NOT_FOUND: `ca_file`, `cert_file` or `key_file` cannot be read. Does not connect: that happens
  // with the first call.
  static absl::StatusOr<std::shared_ptr<Connection>> Create(const ConnectionOptions& options);

  const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }

  // Gives a call the default deadline. Streams are meant to last and go without.
  void Prepare(grpc::ClientContext* context) const;

 private:
  Connection(std::shared_ptr<grpc::Channel> channel, absl::Duration timeout)
      : channel_(std::move(channel)), timeout_(timeout) {}

  const std::shared_ptr<grpc::Channel> channel_;
  const absl::Duration timeout_;
};

// gRPC's service config (JSON), made from the contract's own `route` options: UNAVAILABLE is
// repeated for everything but what must be done at most once (creates, simulated taps) and
// SubscribeSessionEvents, which EventSubscription and EventReader reconnect. Not for creates,
// although the gateway answers them UNAVAILABLE only when a retry is safe: a connection to the
// gateway that breaks in mid-call is UNAVAILABLE too.
std::string RetryServiceConfig();

}  // namespace ipp::client
