#pragma once

#include <functional>
#include <memory>
#include <string>

#include "server/app.h"
#include "server/config/config.h"
#include "tests/support/gateway_rpc.h"
#include "tests/support/gateway_simulator.h"

namespace ipp {

// A directory that goes away.
class TestDirectory {
 public:
  TestDirectory();
  ~TestDirectory();
  TestDirectory(const TestDirectory&) = delete;
  TestDirectory& operator=(const TestDirectory&) = delete;

  std::string path(const std::string& name) const { return path_ + "/" + name; }
  // The file's path.
  std::string Write(const std::string& name, const std::string& text) const;

 private:
  std::string path_;
};

// Merchant kMerchant with the simulator's key and webhook secret, free ports, a store in
// `directory`; the rest as by default.
config::Config TestConfig(const TestDirectory& directory, const std::string& base_url);
// One more merchant, with the files that it needs.
config::Merchant* AddMerchant(const TestDirectory& directory, const std::string& id,
                              const std::string& api_key, config::Config* config);
// A caller whose token is "token-of-<name>".
void AddCaller(const TestDirectory& directory, const std::string& name,
               const std::vector<std::string>& merchants,
               const std::vector<std::string>& permissions, config::Config* config);
CallOptions AsCaller(const std::string& name, const std::string& merchant = "");

// The whole gateway in process, with a channel to it. Drains at its end.
class RunningGateway {
 public:
  explicit RunningGateway(config::Config config,
                          std::shared_ptr<grpc::ChannelCredentials> credentials = nullptr,
                          App::Options options = {});
  ~RunningGateway();

  App& app() { return *app_; }
  const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }
  // A connection of its own.
  std::shared_ptr<grpc::Channel> NewChannel(
      std::shared_ptr<grpc::ChannelCredentials> credentials = nullptr,
      grpc::ChannelArguments arguments = {}) const;
  std::string webhook_url() const;

  // Everything gone, then started again on the same store; on other ports, since another process
  // may have taken these.
  void Restart();
  void Drain();
  void Stop();  // drained and destroyed

  template <typename Rpc, typename Request>
  auto Call(Rpc rpc, const Request& request, const CallOptions& options = {}) const {
    return CallOver(channel_, rpc, request, options);
  }

  RawResponse Webhook(const std::string& headers, const std::string& body) const;
  // A page of the operator's port.
  std::string Admin(const std::string& path) const;
  // The sum over the series of a metric whose labels hold all of `labels` (each `key="value"`).
  double Metric(const std::string& name, const std::vector<std::string>& labels = {}) const;
  // Asks until it is so.
  void WaitForMetric(const std::string& name, double value,
                     const std::vector<std::string>& labels = {}) const;

 private:
  void Start();

  config::Config config_;
  std::shared_ptr<grpc::ChannelCredentials> credentials_;
  App::Options options_;
  std::unique_ptr<App> app_;
  std::shared_ptr<grpc::Channel> channel_;
  bool drained_ = false;
};

// The headers of a webhook that the upstream would send, signed with `secret` (`whsec_…`).
std::string SignedHeaders(const std::string& body, const std::string& secret, absl::Time now,
                          const std::string& id = "msg_1");

// Gateway and simulator, connected both ways.
class GatewayBed {
 public:
  struct Options {
    simulator::Simulator::Options simulator = {};
    bool webhooks = true;  // the simulator tells the gateway
    bool two_merchants = false;
    // The last word on the configuration.
    std::function<void(const TestDirectory&, config::Config&)> configure = nullptr;
  };

  explicit GatewayBed(Options options);
  GatewayBed() : GatewayBed(Options()) {}

  template <typename Rpc, typename Request>
  auto Call(Rpc rpc, const Request& request, const CallOptions& options = {}) const {
    return gateway.Call(rpc, request, options);
  }
  // The gateway anew; the simulator's webhooks go to the new one.
  void RestartGateway();

  // Made through the gateway; the id.
  std::string NewDevice(const std::string& name = "Till 1", const CallOptions& options = {}) const;
  std::string NewSession(const std::string& device_id, const CallOptions& options = {}) const;
  std::string NewSession() const { return NewSession(NewDevice()); }
  // Through the gateway; `outcome` as in TapOutcome, without its prefix.
  void Tap(const std::string& session_id, const std::string& outcome = "SUCCESS",
           const CallOptions& options = {}) const;

  TestDirectory directory;
  RunningSimulator simulator;
  RunningGateway gateway;
};

// A good CreateSessionRequest as text.
std::string OrderText(const std::string& device_id);

}  // namespace ipp
