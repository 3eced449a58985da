#include "server/rpc/rpc_server.h"

#include <grpc/grpc.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>

#include <chrono>
#include <future>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "server/rpc/services.h"

namespace ipp::rpc {
namespace {

constexpr std::chrono::milliseconds kDrainPoll{10};
constexpr std::chrono::milliseconds kDrainIdle{200};

std::shared_ptr<grpc::ServerCredentials> Credentials(const ServerOptions& options) {
  if (options.cert_file.empty()) return grpc::InsecureServerCredentials();
  using grpc::experimental::FileWatcherCertificateProvider;
  auto provider = std::make_shared<FileWatcherCertificateProvider>(
      options.key_file, options.cert_file, options.client_ca_file,
      static_cast<unsigned>(absl::ToInt64Seconds(options.certificate_refresh)));
  grpc::experimental::TlsServerCredentialsOptions tls(provider);
  tls.watch_identity_key_cert_pairs();
  tls.set_cert_request_type(GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE);
  if (!options.client_ca_file.empty()) {
    tls.watch_root_certs();
    tls.set_cert_request_type(options.client_certificate_required
                                  ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
                                  : GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY);
  }
  return grpc::experimental::TlsServerCredentials(tls);
}

// Reflection comes with the library, for every server of the process.
class WithoutReflection final : public grpc::ServerBuilderOption {
 public:
  void UpdateArguments(grpc::ChannelArguments* /*arguments*/) override {}
  void UpdatePlugins(std::vector<std::unique_ptr<grpc::ServerBuilderPlugin>>* plugins) override {
    std::erase_if(*plugins,
                  [](const auto& plugin) { return plugin->name() == "proto_server_reflection"; });
  }
};

class RpcServerImpl final : public RpcServer {
 public:
  explicit RpcServerImpl(const Gateway& gateway)
      : edge_(gateway),
        streams_({gateway.options.max_subscribers, gateway.options.max_subscribers_per_caller},
                 gateway.clock, gateway.scheduler, gateway.metrics) {}

  ~RpcServerImpl() override {
    // gRPC's own end would wait for every stream to reach its age.
    if (server_ != nullptr && !drained_) RpcServerImpl::Drain(absl::ZeroDuration());
  }

  absl::Status Listen(const ServerOptions& options) {
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    services_.push_back(NewDeviceService(&edge_));
    services_.push_back(NewEnrollmentService(&edge_));
    services_.push_back(NewLocationService(&edge_));
    services_.push_back(NewSessionService(&edge_, &streams_));
    services_.push_back(NewSessionEventService(&edge_, &streams_));
    services_.push_back(NewSimulationService(&edge_));
    services_.push_back(NewOutcomeService(&edge_));
    grpc::ServerBuilder builder;
    if (!options.reflection) builder.SetOption(std::make_unique<WithoutReflection>());
    builder.AddListeningPort(options.listen, Credentials(options), &port_);
    for (const auto& service : services_) builder.RegisterService(service.get());
    builder.SetMaxReceiveMessageSize(options.max_message_bytes);
    // A subscriber that vanished without a word is noticed by a ping, not by the next event.
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 30'000);
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10'000);
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
    builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 10'000);
    if (!options.client_ca_file.empty()) {
      builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS,
                                 static_cast<int>(absl::ToInt64Milliseconds(options.verified_for)));
    }
    // A second gateway on the same port is an error, not a way to share it.
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    server_ = builder.BuildAndStart();
    if (server_ == nullptr || port_ == 0) {
      return absl::UnavailableError(absl::StrCat("cannot listen on ", options.listen));
    }
    return absl::OkStatus();
  }

  int port() const override { return port_; }

  void Drain(absl::Duration limit) override {
    drained_ = true;
    server_->GetHealthCheckService()->SetServingStatus(false);
    streams_.Drain();
    const auto deadline = std::chrono::system_clock::now() + absl::ToChronoNanoseconds(limit);
    auto ended = std::async(std::launch::async, [&] { server_->Shutdown(deadline); });
    // gRPC waits for every call, also for those of its own services: a health watch lasts as long
    // as its caller likes. Once ours have ended, and none has come out of its queue for a while,
    // nothing is worth waiting for.
    auto busy = std::chrono::steady_clock::now();
    while (ended.wait_for(kDrainPoll) != std::future_status::ready) {
      const auto now = std::chrono::steady_clock::now();
      if (edge_.methods.InFlight() > 0) busy = now;
      if (now - busy >= kDrainIdle) grpc_server_cancel_all_calls(server_->c_server());
    }
    server_->Wait();
  }

 private:
  const Edge edge_;
  StreamRegistry streams_;
  std::vector<std::unique_ptr<grpc::Service>> services_;
  int port_ = 0;
  bool drained_ = false;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<RpcServer>> RpcServer::Start(const ServerOptions& options,
                                                            const Gateway& gateway) {
  // gRPC's locks are absl's, and Debian builds absl with its search for lock cycles on: a graph
  // kept up to date at every lock, for a report that would abort the process.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  auto server = std::make_unique<RpcServerImpl>(gateway);
  if (absl::Status status = server->Listen(options); !status.ok()) return status;
  return server;
}

}  // namespace ipp::rpc
