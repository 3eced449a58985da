// Shared subscriptions over the real server and a real store: who gets which event, what a
// settlement does, what the errors say.

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "gmock/gmock.h"
#include "kustom/ipp/v1/shared_subscription.grpc.pb.h"
#include "tests/support/gateway_streams.h"
#include "tests/support/gateway_under_test.h"

namespace ipp {
namespace {

namespace v1 = kustom::ipp::v1;
using Shared = v1::SharedSubscriptionService::Stub;
using testing::ElementsAre;

// A pod that receives.
class Pod {
 public:
  Pod(const std::shared_ptr<grpc::Channel>& channel, const std::string& request) : stub_(channel) {
    reader_ = stub_.ReceiveSessionEvents(&context_, Text<v1::ReceiveSessionEventsRequest>(request));
    v1::ReceiveSessionEventsResponse first;
    started_ = reader_->Read(&first);
    if (started_) first_ = first.started();
  }
  ~Pod() {
    context_.TryCancel();
    if (!ended_) reader_->Finish().ok();
  }

  bool started() const { return started_; }
  const v1::ReceiveStarted& first() const { return first_; }
  // The next event, whatever heartbeats come before.
  v1::LeasedSessionEvent Next() {
    v1::ReceiveSessionEventsResponse message;
    while (reader_->Read(&message)) {
      if (message.has_leased()) return message.leased();
      if (message.has_goodbye()) said_goodbye_ = true;
    }
    ADD_FAILURE() << "the stream ended";
    return {};
  }
  // How it ended, after all that is left.
  grpc::Status End() {
    v1::ReceiveSessionEventsResponse message;
    while (reader_->Read(&message)) said_goodbye_ = said_goodbye_ || message.has_goodbye();
    ended_ = true;
    return reader_->Finish();
  }
  bool said_goodbye() const { return said_goodbye_; }

 private:
  Shared stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReader<v1::ReceiveSessionEventsResponse>> reader_;
  bool started_ = false;
  bool ended_ = false;
  bool said_goodbye_ = false;
  v1::ReceiveStarted first_;
};

class SharedTest : public testing::Test {
 protected:
  auto Create(const std::string& subscription) {
    return bed_.Call(&Shared::CreateSharedSubscription, Text<v1::CreateSharedSubscriptionRequest>(
                                                            "subscription {" + subscription + "}"));
  }
  v1::SharedSubscription Get(const std::string& name = "orders") {
    const auto reply = bed_.Call(&Shared::GetSharedSubscription,
                                 Text<v1::GetSharedSubscriptionRequest>("name: '" + name + "'"));
    EXPECT_TRUE(Ok(reply));
    return reply.response.subscription();
  }
  // The outcome of one settlement; `action` as text.
  v1::SettlementOutcome Settle(const std::string& lease,
                               const std::string& action = "acknowledge {}") {
    const auto reply = bed_.Call(
        &Shared::SettleSessionEvents,
        Text<v1::SettleSessionEventsRequest>("subscription: 'orders' settlements { lease: '" +
                                             lease + "' " + action + "}"));
    EXPECT_TRUE(Ok(reply));
    return reply.response.results_size() == 1 ? reply.response.results(0).outcome()
                                              : v1::SETTLEMENT_OUTCOME_UNSPECIFIED;
  }
  std::unique_ptr<Pod> Receive(const std::string& more = "") {
    auto pod = std::make_unique<Pod>(bed_.gateway.channel(), "subscription: 'orders' " + more);
    EXPECT_TRUE(pod->started());
    return pod;
  }
  // A paid session: CREATED, ACTIVATED, FINALIZED.
  std::string Sell(const std::string& till) {
    const std::string session = bed_.NewSession(till);
    bed_.Tap(session, "SUCCESS");
    return session;
  }

  GatewayBed bed_;
  const std::string till_ = bed_.NewDevice("Till 1");
  const std::string from_oldest_ = "start { position: START_POSITION_FROM_OLDEST }";
};

TEST_F(SharedTest, DeliversOneEventOfASessionAtATimeInOrder) {
  ASSERT_TRUE(Ok(Create("name: 'orders' " + from_oldest_)));
  const auto pod = Receive("consumer: 'pod-1'");
  EXPECT_EQ(pod->first().subscription().name(), "orders");
  const std::string session = Sell(till_);
  std::vector<std::string> types;
  for (int i = 0; i < 3; ++i) {
    const v1::LeasedSessionEvent leased = pod->Next();
    EXPECT_EQ(leased.event().session_id(), session);
    EXPECT_EQ(leased.attempt(), 1);
    EXPECT_FALSE(leased.event().cursor().empty());
    EXPECT_EQ(Get().counts().out(), 1);
    types.push_back(ShortName(leased.event().type()));
    EXPECT_EQ(Settle(leased.lease()), v1::SETTLEMENT_OUTCOME_SETTLED);
    EXPECT_EQ(Settle(leased.lease()), v1::SETTLEMENT_OUTCOME_ALREADY_SETTLED);
  }
  EXPECT_THAT(types, ElementsAre("CREATED", "ACTIVATED", "FINALIZED"));
  const v1::SharedSubscriptionCounts counts = Get().counts();
  EXPECT_EQ(counts.backlog(), 0);
  EXPECT_EQ(counts.out() + counts.held() + counts.parked(), 0);
  EXPECT_FALSE(counts.has_oldest_unsettled_at());
}

TEST_F(SharedTest, SpreadsSessionsOverPods) {
  ASSERT_TRUE(Ok(Create("name: 'orders' " + from_oldest_ +
                        " filter { types: SESSION_EVENT_TYPE_FINALIZED }")));
  const std::string second_till = bed_.NewDevice("Till 2");
  const auto one = Receive("max_in_flight: 1 consumer: 'a'");
  const auto other = Receive("max_in_flight: 1 consumer: 'b'");
  std::set<std::string> sold = {Sell(till_), Sell(second_till)};
  const v1::LeasedSessionEvent a = one->Next();
  const v1::LeasedSessionEvent b = other->Next();
  EXPECT_EQ((std::set<std::string>{a.event().session_id(), b.event().session_id()}), sold);
  EXPECT_EQ(Settle(a.lease()), v1::SETTLEMENT_OUTCOME_SETTLED);
  EXPECT_EQ(Settle(b.lease()), v1::SETTLEMENT_OUTCOME_SETTLED);
}

TEST_F(SharedTest, RetriesParksAndRedrives) {
  ASSERT_TRUE(Ok(Create("name: 'orders' max_attempts: 2 " + from_oldest_ +
                        " filter { types: SESSION_EVENT_TYPE_FINALIZED }")));
  const auto pod = Receive("consumer: 'pod-1'");
  Sell(till_);
  const v1::LeasedSessionEvent first = pod->Next();
  EXPECT_EQ(Settle(first.lease(), "retry { delay {} reason: 'no till' }"),
            v1::SETTLEMENT_OUTCOME_SETTLED);
  EXPECT_EQ(Settle(first.lease(), "retry {}"), v1::SETTLEMENT_OUTCOME_ALREADY_SETTLED);
  const v1::LeasedSessionEvent second = pod->Next();
  EXPECT_EQ(second.attempt(), 2);
  EXPECT_EQ(second.event().event_id(), first.event().event_id());
  EXPECT_EQ(Settle(first.lease()), v1::SETTLEMENT_OUTCOME_LEASE_LOST);
  // The last attempt: it is parked.
  EXPECT_EQ(Settle(second.lease(), "retry { reason: 'still no till' }"),
            v1::SETTLEMENT_OUTCOME_SETTLED);
  const auto parked = bed_.Call(&Shared::ListParkedSessionEvents,
                                Text<v1::ListParkedSessionEventsRequest>("subscription: 'orders'"));
  ASSERT_TRUE(Ok(parked));
  ASSERT_EQ(parked.response.events_size(), 1);
  EXPECT_EQ(parked.response.events(0).event().event_id(), first.event().event_id());
  EXPECT_EQ(parked.response.events(0).attempts(), 2);
  EXPECT_EQ(parked.response.events(0).reason(), "still no till");
  EXPECT_EQ(parked.response.events(0).consumer(), "pod-1");
  EXPECT_EQ(Get().counts().parked(), 1);

  const auto redriven =
      bed_.Call(&Shared::RedriveSessionEvents,
                Text<v1::RedriveSessionEventsRequest>("subscription: 'orders' all: true"));
  ASSERT_TRUE(Ok(redriven));
  EXPECT_EQ(redriven.response.redriven(), 1);
  const v1::LeasedSessionEvent again = pod->Next();
  EXPECT_TRUE(again.redriven());
  EXPECT_EQ(again.attempt(), 1);
  EXPECT_EQ(again.event().event_id(), first.event().event_id());
  EXPECT_EQ(Settle(again.lease()), v1::SETTLEMENT_OUTCOME_SETTLED);
  EXPECT_EQ(Get().counts().parked(), 0);
}

TEST_F(SharedTest, ALeaseIsExtendedAndReleased) {
  ASSERT_TRUE(Ok(Create("name: 'orders' " + from_oldest_)));
  const auto pod = Receive();
  bed_.NewSession(till_);
  const v1::LeasedSessionEvent first = pod->Next();
  EXPECT_EQ(Settle(first.lease(), "extend { by { seconds: 600 } }"),
            v1::SETTLEMENT_OUTCOME_EXTENDED);
  EXPECT_EQ(Settle(first.lease(), "release {}"), v1::SETTLEMENT_OUTCOME_SETTLED);
  const v1::LeasedSessionEvent again = pod->Next();
  EXPECT_EQ(again.attempt(), 1) << "a release is no attempt";
  EXPECT_EQ(Settle(first.lease()), v1::SETTLEMENT_OUTCOME_LEASE_LOST);
}

TEST_F(SharedTest, DeletesParkedEvents) {
  ASSERT_TRUE(Ok(Create("name: 'orders' " + from_oldest_)));
  const auto pod = Receive();
  bed_.NewSession(till_);
  const v1::LeasedSessionEvent first = pod->Next();
  EXPECT_EQ(Settle(first.lease(), "park { reason: 'cannot be read' }"),
            v1::SETTLEMENT_OUTCOME_SETTLED);
  const auto deleted = bed_.Call(
      &Shared::DeleteParkedSessionEvents,
      Text<v1::DeleteParkedSessionEventsRequest>("subscription: 'orders' event_ids: '" +
                                                 first.event().event_id() + "' event_ids: 'x'"));
  ASSERT_TRUE(Ok(deleted));
  EXPECT_EQ(deleted.response.deleted(), 1);
  EXPECT_EQ(Get().counts().parked(), 0);
}

TEST_F(SharedTest, TheSameSettingsAreTheSameSubscription) {
  const auto made = Create("name: 'orders' " + from_oldest_);
  ASSERT_TRUE(Ok(made));
  EXPECT_FALSE(made.response.existed());
  EXPECT_EQ(made.response.subscription().lease().seconds(), 30);
  EXPECT_EQ(made.response.subscription().max_attempts(), 10);
  EXPECT_THAT(made.response.subscription().merchant_ids(), ElementsAre(kMerchant));
  const auto again = Create("name: 'orders' lease { seconds: 30 } " + from_oldest_);
  ASSERT_TRUE(Ok(again));
  EXPECT_TRUE(again.response.existed());
  const auto other = Create("name: 'orders' max_attempts: 3 lease { seconds: 5 } " + from_oldest_);
  EXPECT_TRUE(Refused(other, grpc::StatusCode::ALREADY_EXISTS, "SUBSCRIPTION_EXISTS"));
  EXPECT_THAT(other.message, testing::HasSubstr("another lease, max_attempts"));
}

TEST_F(SharedTest, ItsEndEndsItsStreams) {
  ASSERT_TRUE(Ok(Create("name: 'orders' " + from_oldest_)));
  const auto pod = Receive();
  bed_.NewSession(till_);
  const v1::LeasedSessionEvent first = pod->Next();
  const auto deleted = bed_.Call(&Shared::DeleteSharedSubscription,
                                 Text<v1::DeleteSharedSubscriptionRequest>("name: 'orders'"));
  ASSERT_TRUE(Ok(deleted));
  EXPECT_TRUE(deleted.response.existed());
  EXPECT_EQ(pod->End().error_code(), grpc::StatusCode::NOT_FOUND);
  const auto settled = bed_.Call(
      &Shared::SettleSessionEvents,
      Text<v1::SettleSessionEventsRequest>("subscription: 'orders' settlements { lease: '" +
                                           first.lease() + "' acknowledge {} }"));
  EXPECT_TRUE(Refused(settled, grpc::StatusCode::NOT_FOUND, "SUBSCRIPTION_NOT_FOUND"));
  // Made anew, it knows nothing of the old leases.
  ASSERT_TRUE(Ok(Create("name: 'orders' " + from_oldest_)));
  EXPECT_EQ(Settle(first.lease()), v1::SETTLEMENT_OUTCOME_LEASE_LOST);
}

TEST_F(SharedTest, APodThatIsGoneLeavesItsLeases) {
  ASSERT_TRUE(Ok(Create("name: 'orders' " + from_oldest_)));
  auto pod = Receive("max_in_flight: 1");
  bed_.NewSession(till_);
  const v1::LeasedSessionEvent first = pod->Next();
  pod.reset();
  const auto other = Receive();
  EXPECT_EQ(Get().counts().out(), 1);
  // Any connection settles it.
  EXPECT_EQ(Settle(first.lease()), v1::SETTLEMENT_OUTCOME_SETTLED);
}

}  // namespace
}  // namespace ipp
