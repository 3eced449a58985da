#include "client/lease_book.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/error_status.h"
#include "client/proto_duration.h"

namespace ipp::client {
namespace {

namespace v1 = ::kustom::ipp::v1;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr absl::Duration kLease = absl::Seconds(30);

// "acknowledge e1"
std::vector<std::string> In(const LeaseBook::Batch& batch) {
  std::vector<std::string> all;
  for (const LeaseBook::Wish& wish : batch) {
    const auto* action = v1::Settlement::descriptor()->oneof_decl(0);
    const auto* field =
        wish.settlement.GetReflection()->GetOneofFieldDescriptor(wish.settlement, action);
    all.push_back(absl::StrCat(std::string(field->name()), " ", wish.settlement.lease()));
  }
  return all;
}

v1::Settlement Acknowledged() {
  v1::Settlement settlement;
  settlement.mutable_acknowledge();
  return settlement;
}

class LeaseBookTest : public ::testing::Test {
 protected:
  std::shared_ptr<Lease> Hold(const std::string& name) {
    v1::LeasedSessionEvent leased;
    leased.set_lease(name);
    return book_.Hold(leased, kLease, now_);
  }
  std::shared_ptr<Lease> Begun(const std::string& name) {
    auto lease = Hold(name);
    EXPECT_TRUE(book_.Begin(lease.get()));
    return lease;
  }
  LeaseBook::Batch TakeAfter(absl::Duration time) {
    now_ += time;
    book_.Pass(now_);
    return book_.Take(now_);
  }
  void Answer(const LeaseBook::Batch& batch, v1::SettlementOutcome outcome) {
    v1::SettleSessionEventsResponse response;
    for (size_t i = 0; i < batch.size(); ++i) response.add_results()->set_outcome(outcome);
    book_.Answered(batch, response, now_);
  }
  void Fail(const LeaseBook::Batch& batch, grpc::StatusCode code) {
    book_.Failed(batch, {code, "no"}, now_, 0.5);
  }
  std::vector<std::string> Lost() {
    std::vector<std::string> names;
    for (const auto& lease : book_.TakeLost()) names.push_back(lease->leased.lease());
    return names;
  }

  LeaseBook book_{absl::Milliseconds(100), absl::Seconds(5)};
  absl::Duration now_ = absl::Hours(3);
};

TEST_F(LeaseBookTest, SettlesOnceAndIsThenAtRest) {
  const auto lease = Begun("e1");
  EXPECT_THAT(book_.Take(now_), IsEmpty());
  book_.Settle(lease, Acknowledged());
  EXPECT_FALSE(book_.Settled());
  const LeaseBook::Batch batch = book_.Take(now_);
  EXPECT_THAT(In(batch), ElementsAre("acknowledge e1"));
  EXPECT_THAT(book_.Take(now_), IsEmpty()) << "it is under way";
  EXPECT_FALSE(book_.Settled());
  Answer(batch, v1::SETTLEMENT_OUTCOME_SETTLED);
  EXPECT_TRUE(book_.Settled());
  EXPECT_EQ(book_.PassDueAt(), absl::InfiniteDuration());
  EXPECT_EQ(book_.TakeDueAt(), absl::InfiniteDuration());
  EXPECT_THAT(Lost(), IsEmpty());
}

TEST_F(LeaseBookTest, TakesAnEarlierSettlementUnderTheLeaseForItsOwn) {
  book_.Settle(Begun("e1"), Acknowledged());
  Answer(book_.Take(now_), v1::SETTLEMENT_OUTCOME_ALREADY_SETTLED);
  EXPECT_TRUE(book_.Settled());
  EXPECT_THAT(Lost(), IsEmpty());
}

// Outcomes that say, or do not deny, that another pod has the event.
class LeaseBookLoses : public LeaseBookTest,
                       public ::testing::WithParamInterface<v1::SettlementOutcome> {};

TEST_P(LeaseBookLoses, OnceAndForGood) {
  const auto lease = Begun("e1");
  book_.Settle(lease, Acknowledged());
  Answer(book_.Take(now_), GetParam());
  EXPECT_TRUE(lease->lost);
  EXPECT_THAT(Lost(), ElementsAre("e1"));
  EXPECT_THAT(Lost(), IsEmpty());
  book_.Settle(lease, Acknowledged());
  EXPECT_THAT(TakeAfter(kLease), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Outcomes, LeaseBookLoses,
                         ::testing::Values(v1::SETTLEMENT_OUTCOME_LEASE_LOST,
                                           v1::SETTLEMENT_OUTCOME_UNSPECIFIED,
                                           static_cast<v1::SettlementOutcome>(99)));

TEST_F(LeaseBookTest, LosesWhatTheAnswerLeavesOut) {
  book_.Settle(Begun("e1"), Acknowledged());
  book_.Settle(Begun("e2"), Acknowledged());
  v1::SettleSessionEventsResponse one;
  one.add_results()->set_outcome(v1::SETTLEMENT_OUTCOME_SETTLED);
  book_.Answered(book_.Take(now_), one, now_);
  EXPECT_THAT(Lost(), ElementsAre("e2"));
}

TEST_F(LeaseBookTest, ExtendsAfterAThirdWhetherAHandlerHasBegunOrNot) {
  Begun("e1");
  Hold("e2");
  EXPECT_EQ(book_.PassDueAt(), now_ + kLease / 3);
  EXPECT_THAT(TakeAfter(kLease / 3 - absl::Milliseconds(1)), IsEmpty());
  const LeaseBook::Batch batch = TakeAfter(absl::Milliseconds(1));
  EXPECT_THAT(In(batch), ElementsAre("extend e1", "extend e2"));
  EXPECT_EQ(FromProto(batch[0].settlement.extend().by()), kLease);
  EXPECT_THAT(TakeAfter(absl::Seconds(1)), IsEmpty()) << "once, until it is answered";
  const absl::Duration sent_at = now_;
  Answer(batch, v1::SETTLEMENT_OUTCOME_EXTENDED);
  EXPECT_EQ(book_.PassDueAt(), sent_at + kLease / 3);
}

TEST_F(LeaseBookTest, LosesALeaseWhenItIsOverByItsOwnClock) {
  const auto lease = Begun("e1");
  Fail(TakeAfter(kLease / 2), grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(In(TakeAfter(kLease / 2 - absl::Milliseconds(1))), ElementsAre("extend e1"));
  EXPECT_THAT(Lost(), IsEmpty());
  now_ += absl::Milliseconds(1);
  book_.Pass(now_);
  EXPECT_TRUE(lease->lost);
  EXPECT_THAT(Lost(), ElementsAre("e1"));
}

TEST_F(LeaseBookTest, WaitsForTheAnswerOfASettlementThatIsUnderWay) {
  const auto lease = Begun("e1");
  book_.Settle(lease, Acknowledged());
  const LeaseBook::Batch batch = book_.Take(now_);
  EXPECT_EQ(book_.PassDueAt(), absl::InfiniteDuration());
  EXPECT_THAT(TakeAfter(2 * kLease), IsEmpty());
  EXPECT_THAT(Lost(), IsEmpty()) << "the answer says what became of it";
  Fail(batch, grpc::StatusCode::DEADLINE_EXCEEDED);
  book_.Pass(now_);
  EXPECT_THAT(Lost(), ElementsAre("e1"));
  EXPECT_TRUE(book_.Settled());
}

TEST_F(LeaseBookTest, SendsTheSameAgainAfterAPauseAndBeforeWhatCameLater) {
  book_.Settle(Begun("e1"), Acknowledged());
  const LeaseBook::Batch first = book_.Take(now_);
  book_.Settle(Begun("e2"), Acknowledged());
  Fail(first, grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(book_.TakeDueAt(), now_ + absl::Milliseconds(75))
      << "half of the first pause is random";
  EXPECT_THAT(TakeAfter(absl::Milliseconds(74)), IsEmpty());
  EXPECT_THAT(In(TakeAfter(absl::Milliseconds(1))),
              ElementsAre("acknowledge e1", "acknowledge e2"));
}

TEST_F(LeaseBookTest, WaitsAsLongAsTheGatewayAsks) {
  book_.Settle(Begun("e1"), Acknowledged());
  // RetryInfo of 2 s, on the wire: Status.details[0] is an Any.
  const std::string retry("\x0a\x02\x08\x02", 4);
  const std::string type = "type.googleapis.com/google.rpc.RetryInfo";
  const std::string any =
      absl::StrCat("\x0a", std::string(1, static_cast<char>(type.size())), type, "\x12\x04", retry);
  const grpc::Status busy(grpc::StatusCode::RESOURCE_EXHAUSTED, "busy",
                          absl::StrCat("\x1a", std::string(1, static_cast<char>(any.size())), any));
  book_.Failed(book_.Take(now_), busy, now_, 0.5);
  EXPECT_EQ(book_.TakeDueAt(), now_ + absl::Seconds(2));
}

TEST_F(LeaseBookTest, LosesWhatNoRetrySettles) {
  book_.Settle(Begun("e1"), Acknowledged());
  Fail(book_.Take(now_), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_THAT(Lost(), ElementsAre("e1"));
  EXPECT_TRUE(book_.Settled());
}

TEST_F(LeaseBookTest, GivesBackWhatNoHandlerHasBegun) {
  Begun("e1");
  const auto waiting = Hold("e2");
  book_.ReleaseWaiting();
  book_.ReleaseWaiting();
  EXPECT_FALSE(book_.Begin(waiting.get()));
  EXPECT_THAT(In(book_.Take(now_)), ElementsAre("release e2"));
}

TEST_F(LeaseBookTest, NeverExtendsWhatIsSettled) {
  const auto asked = Begun("e1");
  const auto sent = Begun("e2");
  book_.Extend(sent);
  const LeaseBook::Batch under_way = book_.Take(now_);
  book_.Extend(asked);
  book_.Settle(asked, Acknowledged());
  book_.Settle(sent, Acknowledged());
  Fail(under_way, grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(In(TakeAfter(kLease / 2)), ElementsAre("acknowledge e1", "acknowledge e2"));
}

TEST_F(LeaseBookTest, SaysWhenAnExtensionIsAnswered) {
  const auto lease = Begun("e1");
  const uint64_t number = book_.Extend(lease);
  EXPECT_LT(lease->extension, number);
  Answer(book_.Take(now_), v1::SETTLEMENT_OUTCOME_EXTENDED);
  EXPECT_GE(lease->extension, number);
}

TEST_F(LeaseBookTest, OnlySettlesOnceItShallExtendNoMore) {
  const auto lease = Begun("e1");
  book_.StopExtending();
  EXPECT_THAT(TakeAfter(kLease / 2), IsEmpty());
  EXPECT_EQ(book_.PassDueAt(), lease->held_until);
  book_.Settle(lease, Acknowledged());
  EXPECT_THAT(In(book_.Take(now_)), ElementsAre("acknowledge e1"));
}

TEST_F(LeaseBookTest, SettlesInCallsOfAsManyAsTheContractAllows) {
  for (int i = 0; i < 300; ++i) book_.Settle(Begun(absl::StrCat("e", i)), Acknowledged());
  EXPECT_EQ(book_.Take(now_).size(), LeaseBook::kLongestBatch);
  EXPECT_EQ(book_.Take(now_).size(), 300 - LeaseBook::kLongestBatch);
}

}  // namespace
}  // namespace ipp::client
