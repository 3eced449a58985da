#include "server/rpc/rpc_server.h"

#include <grpc/compression.h>
#include <grpc/grpc.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>

#include <algorithm>
#include <chrono>
#include <future>
#include <limits>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "server/base/status_macros.h"
#include "server/grpc_port/connection_gate.h"
#include "server/grpc_port/library_log.h"
#include "server/rpc/health.pb.h"
#include "server/rpc/services/services.h"

namespace ipp::rpc {
namespace {

constexpr std::chrono::milliseconds kDrainPoll{10};
constexpr std::chrono::milliseconds kDrainIdle{200};

// What the server reads from `provider`: its own certificate and, with `of_clients`, the roots of
// its clients'. gRPC 1.51 has other names for this than later versions, which deprecate them.
template <typename Options, typename Provider>
Options TlsOptions(const std::shared_ptr<Provider>& provider, bool of_clients) {
  if constexpr (requires { Options::Create(provider); }) {
    Options tls = *Options::Create(provider);
    if (of_clients) tls.set_root_certificate_provider(provider);
    return tls;
  } else {
    Options tls(provider);
    tls.watch_identity_key_cert_pairs();
    if (of_clients) tls.watch_root_certs();
    return tls;
  }
}

std::shared_ptr<grpc::ServerCredentials> Credentials(const ServerOptions& options) {
  if (options.identity_file.empty()) return grpc::InsecureServerCredentials();
  using grpc::experimental::FileWatcherCertificateProvider;
  auto provider = std::make_shared<FileWatcherCertificateProvider>(
      options.identity_file, options.identity_file, options.client_ca_file,
      static_cast<unsigned>(absl::ToInt64Seconds(options.certificate_refresh)));
  const bool of_clients = !options.client_ca_file.empty();
  auto tls = TlsOptions<grpc::experimental::TlsServerCredentialsOptions>(provider, of_clients);
  tls.set_cert_request_type(GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE);
  if (of_clients) {
    tls.set_cert_request_type(options.client_certificate_required
                                  ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
                                  : GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY);
  }
  return grpc::experimental::TlsServerCredentials(tls);
}

// Removes the reflection service, which the library adds to every server of the process.
class WithoutReflection final : public grpc::ServerBuilderOption {
 public:
  void UpdateArguments(grpc::ChannelArguments* /*arguments*/) override {}
  void UpdatePlugins(std::vector<std::unique_ptr<grpc::ServerBuilderPlugin>>* plugins) override {
    std::erase_if(*plugins,
                  [](const auto& plugin) { return plugin->name() == "proto_server_reflection"; });
  }
};

// At least 1, since gRPC ignores 0. gRPC treats INT_MAX as "never".
int Milliseconds(absl::Duration duration) {
  return static_cast<int>(
      std::clamp<int64_t>(absl::ToInt64Milliseconds(duration), 1, std::numeric_limits<int>::max()));
}

// The limits on a connection that gRPC enforces; ConnectionGate enforces the others.
void LimitConnections(const ServerOptions& options, grpc::ServerBuilder* builder) {
  builder->SetMaxReceiveMessageSize(options.max_message_bytes);
  builder->SetResourceQuota(
      grpc::ResourceQuota("gRPC port").Resize(static_cast<size_t>(options.memory_bytes)));
  // gRPC 1.51 decompresses a whole message before it checks the size: 2 KiB can become 2 MiB, and 2
  // MiB can become 2 GiB. Compressed messages are therefore rejected with UNIMPLEMENTED.
  builder->SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_DEFLATE, false);
  builder->SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_GZIP, false);
  builder->AddChannelArgument(GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0);
  // Keeps the flow-control window of a stream at 64 KiB: gRPC would let it grow to 4 MiB and more.
  builder->AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  builder->AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, options.most_metadata_bytes);
  builder->AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, options.max_calls);
  builder->AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS,
                              Milliseconds(options.handshake_timeout));
  // A ping detects a subscriber that disappeared without closing, before the next event would.
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, Milliseconds(options.keepalive_time));
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS,
                              Milliseconds(options.keepalive_timeout));
  // Later gRPC waits this long instead, by default a minute (its pull request 34647).
  builder->AddChannelArgument("grpc.http2.ping_timeout_ms",
                              Milliseconds(options.keepalive_timeout));
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder->AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 10'000);
  builder->AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS, Milliseconds(options.max_idle));
  const absl::Duration age = options.client_ca_file.empty()
                                 ? options.max_age
                                 : std::min(options.max_age, options.verified_for);
  builder->AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS, Milliseconds(age));
  builder->AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS,
                              Milliseconds(options.longest_call));
}

class RpcServerImpl final : public RpcServer {
 public:
  explicit RpcServerImpl(const Backends& backends)
      : service_(backends),
        streams_({backends.options.max_subscribers, backends.options.max_subscribers_per_caller},
                 backends.clock, backends.scheduler, backends.metrics) {}

  ~RpcServerImpl() override {
    // gRPC's own shutdown would wait until every stream has reached its age.
    if (server_ != nullptr && !drained_) RpcServerImpl::Drain(absl::ZeroDuration());
  }

  absl::Status Listen(const ServerOptions& options) {
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    // Links the descriptor that reflection needs to describe the health service.
    [[maybe_unused]] const auto* const health = grpc::health::v1::HealthCheckRequest::descriptor();
    services_.push_back(NewDeviceService(&service_));
    services_.push_back(NewEnrollmentService(&service_));
    services_.push_back(NewLocationService(&service_));
    services_.push_back(NewSessionService(&service_, &streams_));
    services_.push_back(NewSessionEventService(&service_, &streams_));
    services_.push_back(NewSharedSubscriptionService(&service_, &streams_));
    services_.push_back(NewSimulationService(&service_));
    services_.push_back(NewOutcomeService(&service_));
    services_.push_back(NewSessionHistoryService(&service_));
    services_.push_back(NewReportService(&service_));
    grpc::ServerBuilder builder;
    if (!options.reflection) builder.SetOption(std::make_unique<WithoutReflection>());
    for (const auto& service : services_) builder.RegisterService(service.get());
    LimitConnections(options, &builder);
    grpc_port::GateOptions gate;
    gate.listen = options.listen;
    gate.max_connections = options.max_connections;
    gate.max_per_peer = options.max_per_peer;
    gate.unacknowledged = options.keepalive_timeout;
    gate.most_unanswered = int64_t{2} * options.max_message_bytes;
    IPP_ASSIGN_OR_RETURN(gate_, grpc_port::ConnectionGate::Listen(gate, service_.backends.metrics));
    auto acceptor = builder.experimental().AddExternalConnectionAcceptor(
        grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD,
        Credentials(options));
    server_ = builder.BuildAndStart();
    if (server_ == nullptr) return absl::InternalError("gRPC does not start");
    // Beside the empty name, which gRPC knows by itself.
    for (const std::string& name : service_.methods.Services()) {
      server_->GetHealthCheckService()->SetServingStatus(name, true);
    }
    gate_->Open(std::move(acceptor));
    return absl::OkStatus();
  }

  int port() const override { return gate_->port(); }

  void Drain(absl::Duration limit) override {
    drained_ = true;
    server_->GetHealthCheckService()->SetServingStatus(false);  // of every name
    streams_.Drain();
    gate_->Close();
    const auto deadline = std::chrono::system_clock::now() + absl::ToChronoNanoseconds(limit);
    auto ended = std::async(std::launch::async, [&] { server_->Shutdown(deadline); });
    // gRPC waits for every call, including those of its own services: a health watch lasts as long
    // as its caller wants. Once our calls have ended, and no new one has started for a while, the
    // rest is cancelled.
    auto busy = std::chrono::steady_clock::now();
    while (ended.wait_for(kDrainPoll) != std::future_status::ready) {
      const auto now = std::chrono::steady_clock::now();
      if (service_.methods.InFlight() > 0) busy = now;
      if (now - busy >= kDrainIdle) grpc_server_cancel_all_calls(server_->c_server());
    }
    server_->Wait();
  }

 private:
  const ServiceContext service_;
  events::StreamRegistry streams_;
  std::vector<std::unique_ptr<grpc::Service>> services_;
  bool drained_ = false;
  std::unique_ptr<grpc_port::ConnectionGate>
      gate_;  // outlives the server, whose connections it watches
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<RpcServer>> RpcServer::Start(const ServerOptions& options,
                                                            const Backends& backends) {
  // gRPC uses Abseil's locks, and Debian builds Abseil with its deadlock detection on: it updates a
  // graph at every lock, for a report that would abort the process.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  grpc_port::TakeOverLibraryLogs();
  auto server = std::make_unique<RpcServerImpl>(backends);
  if (absl::Status status = server->Listen(options); !status.ok()) return status;
  return server;
}

}  // namespace ipp::rpc
