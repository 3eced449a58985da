#pragma once

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "ippclient/connection.h"
#include "ippclient/error.h"
#include "ippclient/payment.h"
#include "tests/client/fake_gateway.h"
#include "tests/client/manual_clock.h"
#include "tests/client/scripted_sessions.h"

namespace ipp::client {

// Statuses as the gateway sends them.
inline grpc::Status Refusal(absl::StatusCode code, std::string reason,
                            std::map<std::string, std::string> metadata,
                            std::optional<absl::Duration> retry_after = std::nullopt) {
  return GatewayError(ipp::MakeError(code, "it failed",
                                     {.reason = std::move(reason),
                                      .metadata = std::move(metadata),
                                      .violations = {},
                                      .retry_after = retry_after}));
}
inline grpc::Status NotSent() {
  return Refusal(absl::StatusCode::kUnavailable, "UPSTREAM_UNAVAILABLE",
                 {{"outcome", "NOT_SENT"}, {"retry_safe", "true"}});
}
inline grpc::Status OutcomeUnknown() {
  return Refusal(absl::StatusCode::kUnknown, "OUTCOME_UNKNOWN",
                 {{"outcome", "UNKNOWN"}, {"retry_safe", "false"}});
}

inline v1::Session SessionAt(v1::SessionStatus status) {
  v1::Session session;
  session.set_session_id("s-1");
  session.set_status(status);
  session.set_order_amount(25000);
  if (status == v1::SESSION_STATUS_FINALIZED) session.set_order_id("o-1");
  return session;
}
inline v1::WatchSessionResponse StepTo(v1::SessionStatus status) {
  v1::WatchSessionResponse step;
  *step.mutable_session() = SessionAt(status);
  return step;
}
inline ScriptedSessions::Create Created() {
  ScriptedSessions::Create script;
  *script.response.mutable_session() = SessionAt(v1::SESSION_STATUS_CREATED);
  return script;
}
inline ScriptedSessions::Cancel CancelledAs(v1::SessionStatus status) {
  ScriptedSessions::Cancel script;
  *script.response.mutable_session() = SessionAt(status);
  return script;
}
inline ScriptedSessions::Outcome OutcomeIs(v1::CreateState state) {
  ScriptedSessions::Outcome script;
  script.response.mutable_outcome()->set_state(state);
  if (state == v1::CREATE_STATE_EXECUTED) {
    script.response.mutable_outcome()->set_session_id("s-1");
  }
  return script;
}

inline constexpr auto kCreated = v1::SESSION_STATUS_CREATED;
inline constexpr auto kActive = v1::SESSION_STATUS_ACTIVE;
inline constexpr auto kFinalized = v1::SESSION_STATUS_FINALIZED;
inline constexpr auto kCancelled = v1::SESSION_STATUS_CANCELLED;

// How long a session is looked for at a time.
inline constexpr absl::Duration kLook = absl::Seconds(10);

// Lets every such look pass, as long as it lives.
class PassingLooks {
 public:
  explicit PassingLooks(ManualClock* clock)
      : clock_(*clock), thread_([this] {
          while (clock_.PassNextWait(kLook)) {
          }
        }) {}
  ~PassingLooks() {
    clock_.Release();
    thread_.join();
  }

 private:
  ManualClock& clock_;
  std::thread thread_;
};

// A gateway that plays scripts, and a payment of the request "r-1" over it. Pauses take no time;
// looking for a session takes 10 s, until the test lets them pass.
class PaymentBed : public ::testing::Test {
 protected:
  PaymentBed() {
    options_.clock = &clock_;
    options_.on_step = [this](const v1::WatchSessionResponse& step) {
      steps_.push_back(absl::StrCat(
          v1::SessionStatus_Name(step.session().status()).substr(sizeof("SESSION_STATUS")),
          step.failure_reason().empty() ? "" : " ", step.failure_reason()));
      if (on_step_) on_step_(step.session().status());
    };
    request_.set_request_id("r-1");
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(&gateway_);
    builder.RegisterService(gateway_.outcome_service());
    server_ = builder.BuildAndStart();
  }
  ~PaymentBed() override { server_->Shutdown(); }

  static std::shared_ptr<grpc::Channel> ChannelTo(int port) {
    ConnectionOptions options;
    options.address = absl::StrCat("127.0.0.1:", port);
    return (*Connection::Create(options))->channel();
  }
  PaymentResult Collect() {
    payment_ = std::make_unique<Payment>(ChannelTo(port_), request_, options_);
    return payment_->Collect();
  }

  ScriptedSessions gateway_;
  ManualClock clock_{/*short_wait=*/absl::Seconds(8)};
  v1::CreateSessionRequest request_;
  PaymentOptions options_;
  std::function<void(v1::SessionStatus)> on_step_;
  std::vector<std::string> steps_;
  std::unique_ptr<Payment> payment_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace ipp::client
