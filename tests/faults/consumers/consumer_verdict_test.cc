#include "tests/faults/consumers/consumer_verdict.h"

#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "kustom/ipp/v1/shared_subscription.pb.h"

// A history in which all is well, doctored: each breach must be found.
namespace ipp::faults {
namespace {

namespace v1 = kustom::ipp::v1;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr absl::Duration kLease = absl::Seconds(5);

absl::Time At(double seconds) {
  return absl::FromUnixSeconds(1'700'000'000) + absl::Seconds(seconds);
}

class ConsumerVerdictTest : public testing::Test {
 protected:
  ConsumerVerdictTest() {
    truth_.log = {{"e1", "s"}, {"e2", "s"}, {"e3", "s"}};
    truth_.parked = {{"e3", 2}};
    truth_.lease = kLease;
    truth_.max_attempts = 2;
    Deliver("e1", "l1", 0);
    Settle("l1", "acknowledge", 1, v1::SETTLEMENT_OUTCOME_SETTLED);
    Settle("l1", "acknowledge", 1.5, v1::SETTLEMENT_OUTCOME_ALREADY_SETTLED);
    Deliver("e2", "l2", 2);
    Deliver("e2", "l3", 8, 2);  // the first lease expired
    Settle("l2", "acknowledge", 8.5, v1::SETTLEMENT_OUTCOME_LEASE_LOST);
    Settle("l3", "acknowledge", 9, v1::SETTLEMENT_OUTCOME_SETTLED);
    Deliver("e3", "l4", 10);
    Settle("l4", "park", 11, v1::SETTLEMENT_OUTCOME_SETTLED);
  }

  void Deliver(const std::string& event, const std::string& lease, double given, int attempt = 1) {
    history_.deliveries.push_back({.consumer = "pod",
                                   .event_id = event,
                                   .session_id = "s",
                                   .lease = lease,
                                   .received_at = At(given),
                                   .expires_at = At(given) + kLease,
                                   .attempt = attempt});
  }
  SettleRequest& Settle(const std::string& lease, const std::string& action, double sent,
                        int outcome) {
    SettleRequest request;
    request.action = action;
    request.sent_at = At(sent);
    request.answered_at = At(sent + 0.1);
    request.outcome = outcome;
    history_.requests[lease].push_back(request);
    return history_.requests[lease].back();
  }
  std::vector<std::string> Wrong() const { return JudgeConsumers(truth_, history_).wrong; }

  SharedTruth truth_;
  ConsumerHistory history_;
};

TEST_F(ConsumerVerdictTest, KeptPromisesAreKept) {
  const ConsumerVerdict verdict = JudgeConsumers(truth_, history_);
  EXPECT_THAT(verdict.wrong, IsEmpty());
  EXPECT_EQ(verdict.acknowledged, 2);
  EXPECT_EQ(verdict.parked, 1);
  EXPECT_EQ(verdict.redelivered, 1);
  EXPECT_EQ(verdict.lease_lost, 1);
  EXPECT_EQ(verdict.already_settled, 1);
}

TEST_F(ConsumerVerdictTest, FindsALostEvent) {
  truth_.parked.clear();
  EXPECT_THAT(Wrong(), Contains(HasSubstr("neither acknowledged nor parked")));
}

TEST_F(ConsumerVerdictTest, FindsAnEventThatIsBoth) {
  truth_.parked.push_back({"e1", 1});
  EXPECT_THAT(Wrong(), Contains(HasSubstr("parked and acknowledged")));
}

TEST_F(ConsumerVerdictTest, FindsADeliveryAfterTheAcknowledgement) {
  Deliver("e2", "l9", 12);
  EXPECT_THAT(Wrong(), Contains(HasSubstr("delivered after it was acknowledged")));
}

TEST_F(ConsumerVerdictTest, FindsTwoHolders) {
  Deliver("e2", "l9", 3);
  EXPECT_THAT(Wrong(), Contains(HasSubstr("given while e2 was at pod")));
}

TEST_F(ConsumerVerdictTest, FindsADeliveryWhileAnExtensionLasts) {
  Settle("l2", "extend", 6, v1::SETTLEMENT_OUTCOME_EXTENDED).expires_at = At(60);
  EXPECT_THAT(Wrong(), Contains(HasSubstr("given while e2 was at pod")));
}

TEST_F(ConsumerVerdictTest, FindsAnotherOrder) {
  truth_.log = {{"e2", "s"}, {"e1", "s"}, {"e3", "s"}};
  EXPECT_THAT(Wrong(), Contains(HasSubstr("out of order")));
}

TEST_F(ConsumerVerdictTest, FindsAnAttemptTooMany) {
  Deliver("e3", "l9", 17, 3);
  EXPECT_THAT(Wrong(), Contains(HasSubstr("an attempt beyond the limits")));
}

TEST_F(ConsumerVerdictTest, FindsALeaseThatWasLostTooSoon) {
  Deliver("e3", "l9", 17);
  Settle("l9", "acknowledge", 18, v1::SETTLEMENT_OUTCOME_LEASE_LOST);
  EXPECT_THAT(Wrong(), Contains(HasSubstr("acknowledge was LEASE_LOST")));
}

TEST_F(ConsumerVerdictTest, FindsARepetitionThatIsNotKnown) {
  Settle("l1", "acknowledge", 20, v1::SETTLEMENT_OUTCOME_LEASE_LOST);
  EXPECT_THAT(Wrong(), Contains(HasSubstr("a repetition was LEASE_LOST")));
}

TEST_F(ConsumerVerdictTest, FindsASecondSettlement) {
  Settle("l1", "acknowledge", 20, v1::SETTLEMENT_OUTCOME_SETTLED);
  EXPECT_THAT(Wrong(), Contains(HasSubstr("SETTLED twice")));
}

TEST_F(ConsumerVerdictTest, FindsARepetitionThatIsNone) {
  Deliver("e3", "l9", 17);
  Settle("l9", "acknowledge", 18, v1::SETTLEMENT_OUTCOME_ALREADY_SETTLED);
  EXPECT_THAT(Wrong(), Contains(HasSubstr("the first time")));
}

TEST_F(ConsumerVerdictTest, AnAnswerThatWasLostLeavesADoubt) {
  truth_.parked.clear();
  history_.requests["l4"].clear();
  Settle("l4", "acknowledge", 11, 0);
  EXPECT_THAT(Wrong(), IsEmpty());
  EXPECT_EQ(JudgeConsumers(truth_, history_).in_doubt, 1);
}

TEST(ConsumerJournal, IsReadAsItWasWritten) {
  ConsumerHistory history;
  const std::string text =
      "delivered\t1000000\tpod\te\ts\tl\t6000000\t2\t1\n"
      "sent\t2000000\tl\tpark\nsent\t3000000\tl\tpark\nanswer\t4000000\tl\tpark\t1\t0\n"
      "complaint\t5000000\twhat\n";
  ASSERT_TRUE(ReadJournal(text, &history).ok());
  ASSERT_EQ(history.deliveries.size(), 1u);
  EXPECT_EQ(history.deliveries[0].attempt, 2);
  EXPECT_TRUE(history.deliveries[0].redriven);
  ASSERT_EQ(history.requests["l"].size(), 2u);
  EXPECT_EQ(history.requests["l"][0].outcome, 0);
  EXPECT_EQ(history.requests["l"][1].outcome, 1);
  EXPECT_THAT(history.complaints, testing::ElementsAre("what"));
  EXPECT_FALSE(ReadJournal("sent\t1\n", &history).ok());
}

}  // namespace
}  // namespace ipp::faults
