// A payment that is stopped, by Cancel or by its timeout.

#include <thread>

#include "ippclient/payment.h"
#include "tests/client/payment_bed.h"

namespace ipp::client {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr auto kLeave = PaymentOptions::OnStop::kLeaveSession;

grpc::Status AlreadyPaid() {
  return Refusal(absl::StatusCode::kFailedPrecondition, "SESSION_ALREADY_FINALIZED",
                 {{"outcome", "REJECTED"}, {"retry_safe", "true"}, {"order_id", "o-1"}});
}

class PaymentStop : public PaymentBed {
 protected:
  // Cancels when the session has come so far.
  void CancelAt(v1::SessionStatus status) {
    on_step_ = [this, status](v1::SessionStatus now) {
      if (now == status) payment_->Cancel();
    };
  }
  // The session is made, and then waits for its customer.
  void PutOnThePhone() {
    gateway_.creates.left = {Created()};
    gateway_.watches.left = {{.messages = {StepTo(kCreated), StepTo(kActive)}, .silent = true}};
  }
};

TEST_F(PaymentStop, BeforeCollectMakesNoCall) {
  Payment payment(ChannelTo(port_), request_, options_);
  payment.Cancel();
  const PaymentResult result = payment.Collect();
  EXPECT_EQ(result.end, PaymentEnd::kNotCreated);
  EXPECT_EQ(result.money, Money::kNotPaid);
  EXPECT_EQ(result.status.error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_THAT(gateway_.calls(), IsEmpty());
}

TEST_F(PaymentStop, BeforeCollectEndsWhatAnEarlierProcessBegan) {
  options_.resumed = true;
  gateway_.outcomes.left = {OutcomeIs(v1::CREATE_STATE_EXECUTED)};
  gateway_.cancels.left = {CancelledAs(kCancelled)};
  Payment payment(ChannelTo(port_), request_, options_);
  payment.Cancel();
  EXPECT_EQ(payment.Collect().end, PaymentEnd::kCancelled);
  EXPECT_THAT(gateway_.calls(), ElementsAre("outcome r-1", "cancel s-1"));
}

TEST_F(PaymentStop, DuringTheCreateWaitsForItsAnswerAndCancelsTheSession) {
  auto script = Created();
  script.first = [this] { payment_->Cancel(); };
  gateway_.creates.left = {script};
  gateway_.cancels.left = {CancelledAs(kCancelled)};
  const PaymentResult result = Collect();
  EXPECT_EQ(result.end, PaymentEnd::kCancelled);
  EXPECT_EQ(result.money, Money::kNotPaid);
  EXPECT_THAT(gateway_.calls(), ElementsAre("create r-1", "cancel s-1"));
}

TEST_F(PaymentStop, DuringACreateThatIsNotAnsweredEndsAndSaysThatItIsNotKnown) {
  gateway_.creates.left = {{.first = [this] { payment_->Cancel(); }, .silent = true}};
  options_.stop_timeout = absl::Seconds(5);  // over at once
  const PaymentResult result = Collect();
  EXPECT_EQ(result.end, PaymentEnd::kStopped);
  EXPECT_EQ(result.money, Money::kNotKnown);
  EXPECT_THAT(gateway_.calls(), ElementsAre("create r-1"));
}

TEST_F(PaymentStop, DuringTheCreateCanEndAtOnce) {
  options_.on_stop = kLeave;
  gateway_.creates.left = {{.first = [this] { payment_->Cancel(); }, .silent = true}};
  const PaymentResult result = Collect();
  EXPECT_EQ(result.end, PaymentEnd::kStopped);
  EXPECT_EQ(result.money, Money::kNotKnown);
  EXPECT_THAT(gateway_.calls(), ElementsAre("create r-1"));
}

TEST_F(PaymentStop, BetweenTwoTriesMakesNoOtherTry) {
  gateway_.creates.left = {{.status = NotSent(), .first = [this] { payment_->Cancel(); }}};
  const PaymentResult result = Collect();
  EXPECT_EQ(result.end, PaymentEnd::kNotCreated);
  EXPECT_EQ(result.money, Money::kNotPaid);
  EXPECT_THAT(gateway_.calls(), ElementsAre("create r-1"));
}

TEST_F(PaymentStop, WhileTheSessionIsLookedForFindsItAndCancelsIt) {
  gateway_.creates.left = {{.status = OutcomeUnknown()}};
  auto unknown = OutcomeIs(v1::CREATE_STATE_UNKNOWN);
  unknown.first = [this] { payment_->Cancel(); };
  gateway_.outcomes.left = {unknown};
  gateway_.watches.left = {{.messages = {StepTo(kCreated)}, .silent = true}};
  gateway_.cancels.left = {CancelledAs(kCancelled)};
  EXPECT_EQ(Collect().end, PaymentEnd::kCancelled);
  EXPECT_THAT(gateway_.calls(),
              ElementsAre("create r-1", "outcome r-1", "watch r-1", "cancel s-1"));
}

TEST_F(PaymentStop, DuringTheWatchCancelsTheSession) {
  PutOnThePhone();
  CancelAt(kActive);
  gateway_.cancels.left = {CancelledAs(kCancelled)};
  const PaymentResult result = Collect();
  EXPECT_EQ(result.end, PaymentEnd::kCancelled);
  EXPECT_EQ(result.money, Money::kNotPaid);
  EXPECT_TRUE(result.status.ok());
  EXPECT_THAT(steps_, ElementsAre("CREATED", "ACTIVE", "CANCELLED"));
  EXPECT_THAT(gateway_.calls(), ElementsAre("create r-1", "watch s-1", "cancel s-1"));
}

TEST_F(PaymentStop, ThatComesAfterTheCustomersCardIsPaid) {
  PutOnThePhone();
  CancelAt(kActive);
  gateway_.cancels.left = {{.status = AlreadyPaid()}};
  const PaymentResult result = Collect();
  EXPECT_EQ(result.end, PaymentEnd::kPaid);
  EXPECT_EQ(result.money, Money::kPaid);
  EXPECT_EQ(result.session.order_id(), "o-1");
  EXPECT_EQ(result.session.order_amount(), 25000);
}

TEST_F(PaymentStop, ThatFoundItEndedOtherwiseSaysHow) {
  PutOnThePhone();
  CancelAt(kActive);
  gateway_.cancels.left = {CancelledAs(v1::SESSION_STATUS_EXPIRED)};
  EXPECT_EQ(Collect().end, PaymentEnd::kExpired);
}

TEST_F(PaymentStop, AsksAgainWhileTheCancelsEndIsNotClear) {
  PutOnThePhone();
  CancelAt(kActive);
  gateway_.cancels.left = {{.status = Refusal(absl::StatusCode::kUnknown, "OUTCOME_UNKNOWN",
                                              {{"outcome", "UNKNOWN"}, {"retry_safe", "true"}})},
                           {.status = {grpc::StatusCode::INTERNAL, "RST_STREAM"}},
                           CancelledAs(kCancelled)};
  EXPECT_EQ(Collect().end, PaymentEnd::kCancelled);
  EXPECT_THAT(gateway_.calls(),
              ElementsAre("create r-1", "watch s-1", "cancel s-1", "cancel s-1", "cancel s-1"));
}

TEST_F(PaymentStop, ThatNeverBecomesClearIsNotKnown) {
  PutOnThePhone();
  CancelAt(kActive);
  const grpc::Status unclear = Refusal(absl::StatusCode::kUnknown, "OUTCOME_UNKNOWN",
                                       {{"outcome", "UNKNOWN"}, {"retry_safe", "true"}});
  gateway_.cancels.left = {{.status = unclear}};
  gateway_.cancels.for_ever = true;
  const PaymentResult result = Collect();
  EXPECT_EQ(result.end, PaymentEnd::kStopped);
  EXPECT_EQ(result.money, Money::kNotKnown);
  EXPECT_EQ(result.session.status(), kActive);
  EXPECT_EQ(DecodeError(result.status).reason, "OUTCOME_UNKNOWN");
  EXPECT_LE(clock_.Now(), options_.stop_timeout);
  EXPECT_GE(clock_.Now(), options_.stop_timeout / 2);
}

TEST_F(PaymentStop, ThatIsNotAllowedToCancelIsNotKnown) {
  PutOnThePhone();
  CancelAt(kActive);
  gateway_.cancels.left = {{.status = {grpc::StatusCode::PERMISSION_DENIED, "no"}}};
  const PaymentResult result = Collect();
  EXPECT_EQ(result.end, PaymentEnd::kStopped);
  EXPECT_EQ(result.money, Money::kNotKnown);
  EXPECT_EQ(result.status.error_code(), grpc::StatusCode::PERMISSION_DENIED);
}

TEST_F(PaymentStop, CanLeaveTheSessionAlone) {
  PutOnThePhone();
  CancelAt(kActive);
  options_.on_stop = kLeave;
  const PaymentResult result = Collect();
  EXPECT_EQ(result.end, PaymentEnd::kStopped);
  EXPECT_EQ(result.money, Money::kNotKnown);
  EXPECT_EQ(result.session.status(), kActive);
  EXPECT_EQ(result.status.error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_THAT(gateway_.calls(), ElementsAre("create r-1", "watch s-1"));
}

TEST_F(PaymentStop, AtTheTimeoutIsACancel) {
  PutOnThePhone();
  gateway_.cancels.left = {CancelledAs(kCancelled)};
  on_step_ = [this](v1::SessionStatus status) {
    if (status == kActive) clock_.Pass(options_.timeout);
  };
  EXPECT_EQ(Collect().end, PaymentEnd::kCancelled);
  EXPECT_THAT(gateway_.calls(), ElementsAre("create r-1", "watch s-1", "cancel s-1"));
}

TEST_F(PaymentStop, AtTheTimeoutCanLeaveTheSessionAlone) {
  PutOnThePhone();
  options_.on_stop = kLeave;
  on_step_ = [this](v1::SessionStatus status) {
    if (status == kActive) clock_.Pass(options_.timeout);
  };
  const PaymentResult result = Collect();
  EXPECT_EQ(result.end, PaymentEnd::kStopped);
  EXPECT_EQ(result.status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
}

TEST_F(PaymentStop, AtTheTimeoutOfACreateThatNeverSettlesSaysThatItIsNotKnown) {
  gateway_.creates.left = {{.status = OutcomeUnknown()}};
  gateway_.outcomes.left = {OutcomeIs(v1::CREATE_STATE_UNKNOWN)};
  gateway_.outcomes.for_ever = true;
  gateway_.watches.left = {{.silent = true}};
  gateway_.watches.for_ever = true;
  options_.timeout = absl::Seconds(25);
  options_.stop_timeout = absl::Seconds(10);
  const PassingLooks time(&clock_);
  const PaymentResult result = Collect();
  EXPECT_EQ(result.end, PaymentEnd::kStopped);
  EXPECT_EQ(result.money, Money::kNotKnown);
  EXPECT_EQ(DecodeError(result.status).reason, "OUTCOME_UNKNOWN");
  EXPECT_EQ(clock_.Now(), absl::Seconds(35));
}

TEST_F(PaymentStop, ComesFromAnyThreadAnyNumberOfTimes) {
  PutOnThePhone();
  gateway_.cancels.left = {CancelledAs(kCancelled)};
  std::vector<std::thread> threads;
  on_step_ = [&](v1::SessionStatus status) {
    if (status != kActive) return;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([this] {
        for (int j = 0; j < 100; ++j) payment_->Cancel();
      });
    }
  };
  EXPECT_EQ(Collect().end, PaymentEnd::kCancelled);
  for (std::thread& thread : threads) thread.join();
  payment_->Cancel();  // and when it is over
  EXPECT_THAT(gateway_.calls(), ElementsAre("create r-1", "watch s-1", "cancel s-1"));
}

}  // namespace
}  // namespace ipp::client
