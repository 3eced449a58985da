#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>

#include "tests/client/ippctl_fixture.h"

namespace ipp::ippctl {
namespace {

using ::testing::MatchesRegex;
using ::testing::StartsWith;

class IppctlWatch : public IppctlTest {};

v1::WatchSessionResponse Step(v1::SessionStatus status) {
  v1::WatchSessionResponse step;
  step.mutable_session()->set_session_id("s-1");
  step.mutable_session()->set_status(status);
  step.mutable_session()->set_order_amount(25000);
  step.mutable_session()->set_purchase_currency("SEK");
  return step;
}

TEST_F(IppctlWatch, PrintsEveryStepToTheEnd) {
  gateway_.sessions.watch = [](const auto& request, auto* writer) {
    EXPECT_EQ(request.request_id(), "r-1");
    writer->Write(Step(v1::SESSION_STATUS_CREATED));
    auto failed = Step(v1::SESSION_STATUS_ACTIVE);
    failed.set_failure_reason("card_declined");
    writer->Write(failed);
    auto paid = Step(v1::SESSION_STATUS_FINALIZED);
    paid.mutable_session()->set_order_id("o-1");
    writer->Write(paid);
    return grpc::Status::OK;
  };
  EXPECT_THAT(Out({"sessions", "watch", "--request-id", "r-1"}),
              MatchesRegex("20[-0-9T:]+Z  CREATED    250.00 SEK\n"
                           "20[-0-9T:]+Z  ACTIVE     250.00 SEK    payment failed: card_declined\n"
                           "20[-0-9T:]+Z  FINALIZED  250.00 SEK    order o-1\n"));
  const std::string json = Out({"sessions", "watch", "--request-id", "r-1", "-o", "json"});
  EXPECT_EQ(std::count(json.begin(), json.end(), '\n'), 3);
  EXPECT_THAT(json, StartsWith("{\"session\":{\"session_id\":\"s-1\",\"status\":"));
}

TEST_F(IppctlWatch, TellsOfAFailedPaymentWithoutAReason) {
  gateway_.sessions.watch = [](const auto&, auto* writer) {
    writer->Write(Step(v1::SESSION_STATUS_ACTIVE));
    writer->Write(Step(v1::SESSION_STATUS_ACTIVE));
    writer->Write(Step(v1::SESSION_STATUS_EXPIRED));
    return grpc::Status::OK;
  };
  EXPECT_THAT(Out({"sessions", "watch", "s-1"}),
              MatchesRegex("[^ ]+  ACTIVE     250.00 SEK\n"
                           "[^ ]+  ACTIVE     250.00 SEK    payment failed\n"
                           "[^ ]+  EXPIRED    250.00 SEK\n"));
}

TEST_F(IppctlWatch, ReconnectsAndRepeatsNoStep) {
  std::atomic<int> calls = 0;
  gateway_.sessions.watch = [&](const auto& request, auto* writer) {
    EXPECT_EQ(request.session_id(), "s-1");
    switch (++calls) {
      case 1:
        writer->Write(Step(v1::SESSION_STATUS_CREATED));
        return grpc::Status(grpc::StatusCode::UNAVAILABLE, "draining");
      case 2:
        writer->Write(Step(v1::SESSION_STATUS_CREATED));
        return grpc::Status(grpc::StatusCode::INTERNAL, "reset");
      default:
        writer->Write(Step(v1::SESSION_STATUS_FINALIZED));
        return grpc::Status::OK;
    }
  };
  EXPECT_THAT(Out({"sessions", "watch", "s-1"}),
              MatchesRegex("[^ ]+  CREATED    250.00 SEK\n[^ ]+  FINALIZED  250.00 SEK\n"));
  EXPECT_EQ(err_,
            "ippctl: ready, waiting for the next step\n"
            "ippctl: UNAVAILABLE: draining; again in 250ms\n"
            "ippctl: connected again\n"
            "ippctl: INTERNAL: reset; again in 250ms\n"
            "ippctl: connected again\n");
}

TEST_F(IppctlWatch, WaitsLongerEachTimeUntilSomethingComes) {
  std::atomic<int> calls = 0;
  gateway_.sessions.watch = [&](const auto&, auto* writer) {
    // Not UNAVAILABLE, which the channel would repeat by itself first.
    if (++calls < 3) return grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "full");
    writer->Write(Step(v1::SESSION_STATUS_CANCELLED));
    return grpc::Status::OK;
  };
  Out({"sessions", "watch", "s-1"});
  EXPECT_EQ(err_,
            "ippctl: RESOURCE_EXHAUSTED: full; again in 250ms\n"
            "ippctl: RESOURCE_EXHAUSTED: full; again in 500ms\n"
            "ippctl: connected again\n");
}

TEST_F(IppctlWatch, EndsWithAnErrorThatARetryCannotHeal) {
  gateway_.sessions.watch = [](const auto&, auto*) {
    return client::GatewayError(MakeError(absl::StatusCode::kInternal, "wrong key",
                                          {.reason = "UPSTREAM_CREDENTIALS",
                                           .metadata = {},
                                           .violations = {},
                                           .retry_after = std::nullopt}));
  };
  RunResult run = RunAt(gateway_.address(), {"sessions", "watch", "s-1"});
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_EQ(run.err,
            "ippctl: INTERNAL (UPSTREAM_CREDENTIALS): wrong key\n"
            "retry: after the operator has acted\n"
            "what to do: the operator is to look at the gateway's API key for this merchant\n");
  gateway_.sessions.watch = [](const auto&, auto*) {
    return grpc::Status(grpc::StatusCode::NOT_FOUND, "no such session");
  };
  run = RunAt(gateway_.address(), {"sessions", "watch", "s-1"});
  EXPECT_EQ(run.exit_code, 4);
  EXPECT_EQ(run.err, "ippctl: NOT_FOUND: no such session\nretry: correct it first\n");
}

TEST_F(IppctlWatch, EndsOnCtrlCWhileItWaits) {
  Interrupt interrupt;
  gateway_.sessions.watch = [&](const auto&, auto*) {
    interrupt.Trigger();
    return grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "full");
  };
  const RunResult run = RunAt(gateway_.address(), {"sessions", "watch", "s-1"}, "", &interrupt);
  EXPECT_EQ(run.exit_code, 0);
}

TEST_F(IppctlWatch, EndsWithSuccessOnCtrlC) {
  Interrupt interrupt;
  gateway_.sessions.watch = [&](const auto&, auto* writer) {
    EXPECT_TRUE(interrupt.Trigger());
    while (writer->Write(Step(v1::SESSION_STATUS_CREATED))) {
    }
    return grpc::Status::CANCELLED;
  };
  const RunResult run = RunAt(gateway_.address(), {"sessions", "watch", "s-1"}, "", &interrupt);
  EXPECT_EQ(run.exit_code, 0);
  // Whether a step was read before it ended is a matter of luck.
  EXPECT_THAT(run.err, MatchesRegex("(ippctl: ready, waiting for the next step\n)?"));
}

TEST_F(IppctlWatch, ExitStatusSaysWhetherItWasPaid) {
  v1::SessionStatus end = v1::SESSION_STATUS_FINALIZED;
  gateway_.sessions.watch = [&end](const auto&, auto* writer) {
    writer->Write(Step(end));
    return grpc::Status::OK;
  };
  const auto exit_code = [&](std::vector<std::string> more) {
    std::vector<std::string> args = {"sessions", "watch", "s-1"};
    args.insert(args.end(), more.begin(), more.end());
    return RunAt(gateway_.address(), args).exit_code;
  };
  EXPECT_EQ(exit_code({"--exit-status"}), 0);
  for (const auto status :
       {v1::SESSION_STATUS_CANCELLED, v1::SESSION_STATUS_EXPIRED, v1::SESSION_STATUS_FAILED}) {
    end = status;
    EXPECT_EQ(exit_code({"--exit-status"}), 8) << status;
    EXPECT_EQ(exit_code({}), 0) << status;
  }
  end = v1::SESSION_STATUS_ACTIVE;  // ended before the session was
  EXPECT_EQ(exit_code({"--exit-status"}), 7);
}

TEST_F(IppctlWatch, SaysThatItWaitsForASessionThatIsNotThereYet) {
  gateway_.sessions.watch = [](const auto& request, auto* writer) {
    EXPECT_GT(request.heartbeat_interval().seconds(), 0);
    v1::WatchSessionResponse heartbeat;
    heartbeat.set_heartbeat(true);
    writer->Write(heartbeat);
    writer->Write(Step(v1::SESSION_STATUS_FINALIZED));
    return grpc::Status::OK;
  };
  Out({"sessions", "watch", "--request-id", "r-1"});
  EXPECT_EQ(err_, "ippctl: ready, waiting for the session to be created\n");
}

}  // namespace
}  // namespace ipp::ippctl
