#include "simulator/session.h"

#include "tests/simulator/harness.h"

namespace ipp::simulator {
namespace {

using S = SessionStatus;
using Step = SessionStep;

struct StepRow {
  S from;
  Step step;
  std::optional<S> to;
};

class SimulatedSessionMachine : public testing::TestWithParam<StepRow> {};

TEST_P(SimulatedSessionMachine, GoesWhereTheTableSays) {
  EXPECT_EQ(Next(GetParam().from, GetParam().step), GetParam().to);
}

INSTANTIATE_TEST_SUITE_P(Table, SimulatedSessionMachine,
                         testing::Values(StepRow{S::kCreated, Step::kActivate, S::kActive},
                                         StepRow{S::kCreated, Step::kDecline, std::nullopt},
                                         StepRow{S::kCreated, Step::kPay, std::nullopt},
                                         StepRow{S::kCreated, Step::kCancel, S::kCancelled},
                                         StepRow{S::kCreated, Step::kExpire, S::kExpired},
                                         StepRow{S::kCreated, Step::kFail, S::kFailed},
                                         StepRow{S::kActive, Step::kActivate, std::nullopt},
                                         StepRow{S::kActive, Step::kDecline, S::kActive},
                                         StepRow{S::kActive, Step::kPay, S::kFinalized},
                                         StepRow{S::kActive, Step::kCancel, S::kCancelled},
                                         StepRow{S::kActive, Step::kExpire, S::kExpired},
                                         StepRow{S::kActive, Step::kFail, S::kFailed}));

TEST(SimulatedSession, NeverLeavesAFinalState) {
  for (const S from : {S::kFinalized, S::kCancelled, S::kExpired, S::kFailed}) {
    EXPECT_TRUE(IsFinal(from));
    for (const Step step :
         {Step::kActivate, Step::kDecline, Step::kPay, Step::kCancel, Step::kExpire, Step::kFail}) {
      EXPECT_EQ(Next(from, step), std::nullopt) << Name(from);
    }
  }
}

class SimulatorSessions : public SimulatorTest {
 protected:
  Reply Sim(const std::string& session, const std::string& what) {
    return Post("/_sim/sessions/" + session + "/" + what);
  }
  Reply Cancel(const std::string& session) {
    return Send("PUT", "/ipp/v1/sessions/" + session + "/cancel");
  }
  // The types of all events so far, in their order.
  std::vector<std::string> Events() {
    const auto list = Get("/_sim/webhooks").Json();
    std::vector<std::string> types;
    for (size_t i = 0; i < SizeAt(list, "events"); ++i) {
      types.push_back(At(list, "events." + std::to_string(i) + ".type"));
    }
    return types;
  }
};

TEST_F(SimulatorSessions, StartCreatedAndShowWhatWasSent) {
  const std::string device = NewDevice();
  const Reply reply =
      Post(std::string("/ipp/v1/sessions?location_id=") + kLocation1, OrderFor(device));
  EXPECT_EQ(reply.status, 200);
  const auto session = reply.Json();
  EXPECT_EQ(At(session, "status"), "CREATED");
  EXPECT_EQ(At(session, "device_id"), device);
  EXPECT_EQ(At(session, "order_id"), "null");
  EXPECT_EQ(At(session, "order_amount"), "25000");
  EXPECT_EQ(At(session, "order_tax_amount"), "5000");
  EXPECT_EQ(At(session, "purchase_started_at"), "2026-09-21T14:13:20Z");
  EXPECT_EQ(At(session, "purchase_completed_at"), "null");
  EXPECT_EQ(At(session, "merchant_data"), R"({"order_id":1001})");
  EXPECT_EQ(At(session, "order_items.0.unit_price"), "12500");
  EXPECT_EQ(Get("/ipp/v1/sessions/" + At(session, "session_id")).body, reply.body);
}

TEST_F(SimulatorSessions, ArePaidByATap) {
  const std::string session = NewSession();
  const Reply tapped = Post("/ipp/v1/dev/sessions/" + session + "/simulate-tap");
  EXPECT_EQ(tapped.status, 200);
  EXPECT_EQ(At(tapped.Json(), "status"), "FINALIZED");
  EXPECT_EQ(At(tapped.Json(), "order_id").size(), 36u);
  EXPECT_NE(At(tapped.Json(), "purchase_completed_at"), "null");
  EXPECT_EQ(Tap(session, "SUCCESS").status, 409);
  EXPECT_EQ(Cancel(session).status, 409);
  EXPECT_THAT(Events(), testing::ElementsAre("ipp.session.created", "ipp.session.activated",
                                             "ipp.session.finalized"));
}

TEST_F(SimulatorSessions, CanBeReadByAnIdInUpperCase) {
  std::string session = NewSession();
  for (char& c : session) c = static_cast<char>(std::toupper(c));
  EXPECT_EQ(Get("/ipp/v1/sessions/" + session).status, 200);
}

TEST_F(SimulatorSessions, AreCancelledOnceButAnswerAgain) {
  const std::string session = NewSession();
  EXPECT_EQ(At(Cancel(session).Json(), "status"), "CANCELLED");
  EXPECT_EQ(Cancel(session).status, 200);
  EXPECT_EQ(Tap(session, "SUCCESS").status, 409);
  EXPECT_THAT(Events(), testing::ElementsAre("ipp.session.created", "ipp.session.cancelled"));
}

TEST_F(SimulatorSessions, ExpireAndFailWithoutAnEvent) {
  const std::string expired = NewSession();
  const std::string failed = NewSession();
  EXPECT_EQ(At(Sim(expired, "expire").Json(), "status"), "EXPIRED");
  EXPECT_EQ(At(Sim(failed, "fail").Json(), "status"), "FAILED");
  EXPECT_EQ(Cancel(expired).status, 409);
  EXPECT_EQ(Cancel(failed).status, 409);
  EXPECT_THAT(Events(), testing::ElementsAre("ipp.session.created", "ipp.session.created"));
}

TEST_F(SimulatorSessions, FollowTheClerk) {
  const std::string session = NewSession();
  EXPECT_EQ(At(Sim(session, "activate").Json(), "status"), "ACTIVE");
  EXPECT_EQ(Sim(session, "activate").status, 409);
  EXPECT_EQ(At(Sim(session, "clerk-cancel").Json(), "status"), "CANCELLED");
  EXPECT_EQ(Sim(session, "clerk-cancel").status, 409);
  EXPECT_EQ(Sim(kNobody, "activate").status, 404);
  EXPECT_EQ(Sim(session, "dance").status, 404);
}

TEST_F(SimulatorSessions, ExpireWhenTheirTimeIsOver) {
  const std::string session = NewSession();
  Post("/_sim/clock/advance", R"({"seconds":3600})");
  EXPECT_EQ(StatusOf(session), "EXPIRED");
  EXPECT_EQ(Tap(session, "SUCCESS").status, 409);
}

class SimulatorDeclines : public SimulatorSessions,
                          public testing::WithParamInterface<std::string> {};

TEST_P(SimulatorDeclines, LeaveTheSessionActive) {
  Receiver receiver;
  Simulator::Options options;
  options.webhook_urls = {receiver.url()};
  Start(options);
  const std::string session = NewSession();
  EXPECT_EQ(At(Tap(session, GetParam()).Json(), "status"), "ACTIVE");
  EXPECT_EQ(StatusOf(session), "ACTIVE");
  std::string reason = GetParam();
  for (char& c : reason) c = static_cast<char>(std::tolower(c));
  const Delivery event = receiver.Wait(3)[2];
  EXPECT_EQ(event.type(), "ipp.payment.failed");
  EXPECT_THAT(event.body,
              testing::HasSubstr(R"("order_id":null,"failure_reason":")" + reason + "\""));
  EXPECT_EQ(At(Tap(session, "SUCCESS").Json(), "status"), "FINALIZED");
}

INSTANTIATE_TEST_SUITE_P(Outcomes, SimulatorDeclines,
                         testing::Values("DECLINED_GENERIC", "INSUFFICIENT_FUNDS", "LOST_CARD",
                                         "STOLEN_CARD", "EXPIRED_CARD", "INCORRECT_CVC",
                                         "PROCESSING_ERROR", "INCORRECT_NUMBER",
                                         "CARD_VELOCITY_EXCEEDED"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace ipp::simulator
