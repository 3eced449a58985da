#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace ipp::client {

struct ConnectionOptions {
  // The address of the gateway: host:port, or any name that gRPC resolves ("dns:///…", "unix:/…").
  std::string address = "localhost:50051";

  // TLS. `ca_file` (PEM) implies it; with `tls` alone the system's root certificates are used.
  bool tls = false;
  std::string ca_file;
  // The client certificate, for a gateway that identifies callers by certificate: chain and private
  // key in PEM, both or none. They imply TLS. Read once: after a renewal create a new Connection.
  std::string cert_file;
  std::string key_file;

  // Sent as `authorization: Bearer <token>` with every call; empty: none. Over plaintext a token is
  // sent to this machine only, unless `allow_plaintext_token` is set (for a service mesh that
  // encrypts below this library).
  std::string token;
  bool allow_plaintext_token = false;

  // Sent as `x-merchant-id`; needed when the caller has more than one merchant.
  std::string merchant_id;

  // The deadline that Prepare() gives a call.
  absl::Duration timeout = absl::Seconds(10);

  // Prepended to gRPC's own user agent: "order-service/4.2".
  std::string user_agent;

  // HTTP/2 pings while a call is open, so that a dead peer is noticed during a silent stream.
  absl::Duration keepalive_time = absl::Seconds(30);
  absl::Duration keepalive_timeout = absl::Seconds(10);

  // The longest pause between two attempts to connect.
  absl::Duration max_connect_backoff = absl::Seconds(10);
};

// A channel to the gateway with sane defaults and the metadata that every call carries.
// Thread-safe; stubs made from channel() keep working after the Connection is destroyed.
//
// Calls that end with UNAVAILABLE are retried (4 attempts, 0.1 s to 2 s apart, within the deadline)
// if a retry can never execute anything twice; see RetryServiceConfig. Not when the gateway says in
// RetryInfo when to come back: that error is returned at once.
class Connection {
 public:
  // INVALID_ARGUMENT: the options contradict each other, or the token or merchant cannot be sent.
  // NOT_FOUND: `ca_file`, `cert_file` or `key_file` cannot be read. Does not connect; the first
  // call does.
  static absl::StatusOr<std::shared_ptr<Connection>> Create(const ConnectionOptions& options);

  const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }

  // Gives a call the default deadline. Do not use it for streams, which are meant to last.
  void Prepare(grpc::ClientContext* context) const;

 private:
  Connection(std::shared_ptr<grpc::Channel> channel, absl::Duration timeout)
      : channel_(std::move(channel)), timeout_(timeout) {}

  const std::shared_ptr<grpc::Channel> channel_;
  const absl::Duration timeout_;
};

// gRPC's service config (JSON), made from the `route` options of the contract: UNAVAILABLE is
// retried for all calls except those that must be executed at most once (creates, simulated taps)
// and those that this library repeats by itself: SubscribeSessionEvents (EventSubscription and
// EventReader), CreateSharedSubscription, ReceiveSessionEvents and SettleSessionEvents (Consumer).
// Creates are excluded although the gateway answers them UNAVAILABLE only when a retry is safe,
// because a connection to the gateway that breaks in the middle of a call is UNAVAILABLE too.
std::string RetryServiceConfig();

}  // namespace ipp::client
