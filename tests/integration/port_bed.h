#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "kustom/ipp/v1/location.grpc.pb.h"
#include "tests/support/gateway_streams.h"
#include "tests/support/gateway_under_test.h"
#include "tests/support/http2_peer.h"
#include "tests/support/test_authority.h"
#include "tests/support/tls_front.h"

namespace ipp {

// A gateway whose gRPC port is attacked. Plaintext, or TLS without client certificates.
class PortBed {
 public:
  explicit PortBed(bool tls = false,
                   const std::function<void(config::Config&)>& configure = nullptr)
      : tls_(tls), bed_({.configure = [&](const TestDirectory&, config::Config& config) {
          if (tls_) {
            config.mutable_tls()->set_cert_file(certificate_.cert_file());
            config.mutable_tls()->set_key_file(certificate_.key_file());
          }
          if (configure) configure(config);
          EXPECT_TRUE(config::Validate(config).ok()) << config::Validate(config);
        }}) {}

  RunningGateway& gateway() { return bed_.gateway; }
  GatewayBed& bed() { return bed_; }
  int port() { return gateway().app().grpc_port(); }
  // A connection of its own, made when this returns.
  std::shared_ptr<grpc::Channel> Connect() {
    auto channel =
        gateway().NewChannel(tls_ ? TlsCredentials(FileText(certificate_.cert_file())) : nullptr);
    EXPECT_TRUE(
        channel->WaitForConnected(std::chrono::system_clock::now() + std::chrono::seconds(60)));
    return channel;
  }
  // One that speaks TLS where that is asked for, and HTTP/2 not yet.
  http2::Peer NewPeer() {
    return http2::Peer(port(), tls_ ? http2::Peer::Tls::kHandshake : http2::Peer::Tls::kNone);
  }

  void WaitForConnections(int count) {
    gateway().WaitForMetric("ipp_connections", count, {R"(port="grpc")"});
  }
  double Refused(const std::string& reason) {
    return gateway().Metric("ipp_connections_refused_total",
                            {R"(port="grpc")", absl::StrCat("reason=\"", reason, "\"")});
  }
  size_t RequestsUpstream() const { return bed_.simulator.Requests().size(); }

 private:
  const bool tls_;
  http::TestCertificate certificate_;
  GatewayBed bed_;
};

// Somebody who calls all the time, over one connection, and must not notice anything.
class Bystander {
 public:
  explicit Bystander(PortBed* bed) : bed_(bed), channel_(bed->Connect()) {
    thread_ = std::thread([this] {
      while (!stop_) Call();
    });
  }
  ~Bystander() { Stop(); }

  // A call that begins now is answered.
  void ExpectServed() const {
    const int so_far = calls_;
    const absl::Time end = absl::Now() + absl::Seconds(60);
    while (calls_ < so_far + 2 && absl::Now() < end) std::this_thread::yield();
    EXPECT_GE(calls_, so_far + 2) << "it is not served any more";
  }
  // That all of its calls were answered well, and that no other call has gone upstream.
  void ExpectUnharmed() {
    ExpectServed();
    Stop();
    EXPECT_EQ(failed_, 0) << first_failure_;
    EXPECT_EQ(bed_->RequestsUpstream(), static_cast<size_t>(calls_));
  }

 private:
  void Call() {
    namespace v1 = kustom::ipp::v1;
    const auto reply =
        CallOver(channel_, &v1::LocationService::Stub::ListLocations, v1::ListLocationsRequest());
    if (!reply.ok() && failed_++ == 0) first_failure_ = reply.message;
    ++calls_;
  }
  void Stop() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
  }

  PortBed* const bed_;
  const std::shared_ptr<grpc::Channel> channel_;
  std::atomic<bool> stop_ = false;
  std::atomic<int> calls_ = 0;
  std::atomic<int> failed_ = 0;
  std::string first_failure_;  // read when the thread has ended
  std::thread thread_;
};

}  // namespace ipp
