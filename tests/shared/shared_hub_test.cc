#include "server/shared/shared_hub.h"

#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "server/base/error.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_store.h"

// What the hub does for its streams: room, expiry, what is not sent, errors, what the store
// refuses. The store does nothing until RunAll(), and time stands still until Advance().
namespace ipp::shared {
namespace {

namespace v1 = kustom::ipp::v1;

v1::LeasedSessionEvent Parse(const events::EventPtr& event) {
  v1::ReceiveSessionEventsResponse message;
  EXPECT_TRUE(message.ParseFromString(event->message));
  return message.leased();
}

// One stream, as its transport sees it.
class Stream {
 public:
  explicit Stream(std::unique_ptr<Receiver> receiver) : receiver_(std::move(receiver)) {}
  ~Stream() {
    if (waiting_) receiver_->Withdraw();
  }

  // Asks for the next event, unless that is pending.
  void Ask() {
    if (waiting_) return;
    waiting_ = true;
    events::EventPtr event = receiver_->Next([this](absl::StatusOr<events::EventPtr> later) {
      waiting_ = false;
      if (later.ok()) {
        got_.push_back(Parse(*later));
      } else {
        failed_ = later.status();
      }
    });
    if (event == nullptr) return;
    waiting_ = false;
    got_.push_back(Parse(event));
  }
  const std::vector<v1::LeasedSessionEvent>& got() const { return got_; }
  const absl::Status& failed() const { return failed_; }

 private:
  std::unique_ptr<Receiver> receiver_;
  bool waiting_ = false;
  std::vector<v1::LeasedSessionEvent> got_;
  absl::Status failed_;
};

class SharedHubTest : public testing::Test {
 protected:
  SharedHubTest() {
    v1::SharedSubscription subscription;
    subscription.set_name("orders");
    subscription.add_merchant_ids("PM1");
    FillIn(&subscription);
    store::SharedRecord record;
    record.id = 7;
    record.caller = "shop";
    record.name = "orders";
    record.spec = subscription.SerializeAsString();
    spec_ = *ReadSpec(record);
    store_.ChangeShared({.work = [record](store::SharedTables& tables) -> absl::StatusOr<std::any> {
                          EXPECT_TRUE(tables.Insert(record).ok());
                          return std::any();
                        }},
                        [](const absl::StatusOr<std::any>&) {});
    Settle();
  }
  ~SharedHubTest() override {
    // What is under way is answered while the hub waits for it.
    std::future<void> end = std::async(std::launch::async, [this] { hub_.reset(); });
    while (end.wait_for(std::chrono::milliseconds(1)) != std::future_status::ready) {
      store_.RunAll();
      scheduler_.Advance(absl::ZeroDuration());
    }
  }

  // Until nothing more happens. The hub of events has a thread of its own.
  void Settle() {
    for (int idle = 0; idle < 3;) {
      const int done = store_.RunAll();
      scheduler_.Advance(absl::ZeroDuration());
      idle = done == 0 ? idle + 1 : 0;
    }
  }
  // What the poll would find, also without news of the log.
  void Poll() {
    scheduler_.Advance(absl::Seconds(1));
    Settle();
  }

  void Append(const std::string& session_id) {
    store::Transaction transaction;
    transaction.decide = [session_id, id = ++events_](const store::Snapshot&) {
      store::NewEvent event;
      event.event.set_event_id(absl::StrCat("e", id));
      event.event.set_merchant_id("PM1");
      event.event.set_session_id(session_id);
      return store::Writes{.events = {event}};
    };
    store_.Commit(std::move(transaction), [](const absl::StatusOr<store::Committed>&) {});
    Settle();
  }

  std::unique_ptr<Stream> Receive(int max_in_flight = 16) {
    auto stream = std::make_unique<Stream>(hub_->Receive(spec_, "pod", max_in_flight));
    stream->Ask();
    Settle();
    return stream;
  }

  Outcome SettleLease(const std::string& lease, Action action = Action::kAcknowledge) {
    Outcome outcome = Outcome::kLeaseLost;
    ipp::shared::Settlement settlement;
    settlement.action = action;
    settlement.extend_by = absl::Minutes(10);
    hub_->Settle("shop", "orders", {{*DecodeLease(lease), settlement}},
                 [&outcome](const absl::StatusOr<std::vector<Settled>>& settled) {
                   ASSERT_TRUE(settled.ok()) << settled.status();
                   outcome = settled->front().outcome;
                 });
    Settle();
    return outcome;
  }

  store::SharedCounts Counts() {
    store::SharedCounts counts;
    store_.ReadShared(
        [now = clock_.Now()](store::SharedReads& reads) -> absl::StatusOr<std::any> {
          return std::any(**reads.Count(7, now));
        },
        [&counts](absl::StatusOr<std::any> read) {
          counts = std::any_cast<store::SharedCounts>(*read);
        });
    Settle();
    return counts;
  }

  FakeClock clock_;
  FakeScheduler scheduler_{&clock_};
  Metrics metrics_;
  store::FakeStore store_{&clock_, store::FakeStore::Mode::kManual};
  events::EventHub events_hub_{&store_, {.clock = &clock_}, &metrics_};
  std::unique_ptr<SharedHub> hub_ =
      std::make_unique<SharedHub>(&store_, &events_hub_, &scheduler_, &metrics_);
  SpecPtr spec_;
  int events_ = 0;
};

TEST_F(SharedHubTest, GivesNoMoreThanAStreamHasRoomFor) {
  for (int i = 0; i < 5; ++i) Append(absl::StrCat("s", i));
  const auto stream = Receive(2);
  for (int i = 0; i < 3; ++i) stream->Ask();
  ASSERT_EQ(stream->got().size(), 2u);
  EXPECT_EQ(Counts().out, 2);
  // A settlement makes room.
  EXPECT_EQ(SettleLease(stream->got()[0].lease()), Outcome::kSettled);
  stream->Ask();
  EXPECT_EQ(stream->got().size(), 3u);
  EXPECT_EQ(Counts().out, 2);
}

TEST_F(SharedHubTest, TheSecondEventOfASessionComesAfterTheFirst) {
  Append("s1");
  Append("s1");
  const auto stream = Receive();
  stream->Ask();
  ASSERT_EQ(stream->got().size(), 1u);
  EXPECT_EQ(SettleLease(stream->got()[0].lease()), Outcome::kSettled);
  ASSERT_EQ(stream->got().size(), 2u);
  EXPECT_EQ(stream->got()[1].event().event_id(), "e2");
}

TEST_F(SharedHubTest, AnExpiredLeaseMakesRoomAndIsGivenAgain) {
  Append("s1");
  const auto stream = Receive(1);
  ASSERT_EQ(stream->got().size(), 1u);
  stream->Ask();
  // 30 s, and a pause of about a second.
  for (int i = 0; i < 29; ++i) Poll();
  EXPECT_EQ(stream->got().size(), 1u);
  for (int i = 0; i < 4; ++i) Poll();
  ASSERT_EQ(stream->got().size(), 2u);
  EXPECT_EQ(stream->got()[1].attempt(), 2);
  EXPECT_EQ(SettleLease(stream->got()[0].lease()), Outcome::kLeaseLost);
  EXPECT_EQ(SettleLease(stream->got()[1].lease()), Outcome::kSettled);
}

TEST_F(SharedHubTest, AnExtendedLeaseLasts) {
  Append("s1");
  const auto stream = Receive(1);
  stream->Ask();
  EXPECT_EQ(SettleLease(stream->got()[0].lease(), Action::kExtend), Outcome::kExtended);
  for (int i = 0; i < 60; ++i) Poll();
  EXPECT_EQ(stream->got().size(), 1u);
  EXPECT_EQ(SettleLease(stream->got()[0].lease()), Outcome::kSettled);
}

TEST_F(SharedHubTest, WhatWasNotSentGoesToAnotherStreamAtOnce) {
  for (int i = 0; i < 3; ++i) Append(absl::StrCat("s", i));
  auto first = Receive();
  ASSERT_EQ(first->got().size(), 1u);  // the others wait to be sent
  EXPECT_EQ(Counts().out, 3);
  first.reset();
  Settle();
  EXPECT_EQ(Counts().out, 1) << "what was sent stays leased";
  const auto second = Receive();
  for (int i = 0; i < 2; ++i) second->Ask();
  ASSERT_EQ(second->got().size(), 2u);
  for (const v1::LeasedSessionEvent& leased : second->got()) EXPECT_EQ(leased.attempt(), 1);
}

TEST_F(SharedHubTest, GoesOnAfterTheStoreRefusedAClaim) {
  store_.FailCommits(absl::UnavailableError("away"), 1);
  Append("s1");  // refused
  Append("s1");
  store_.FailCommits(absl::UnavailableError("away"), 1);
  const auto stream = Receive();
  EXPECT_EQ(stream->got().size(), 0u);
  Poll();
  EXPECT_EQ(stream->got().size(), 1u);
}

TEST_F(SharedHubTest, ADeletedSubscriptionEndsItsStreams) {
  const auto stream = Receive();
  store_.ChangeShared({.id = 7,
                       .work = [](store::SharedTables& tables) -> absl::StatusOr<std::any> {
                         EXPECT_TRUE(tables.Remove(7).ok());
                         return std::any();
                       }},
                      [](const absl::StatusOr<std::any>&) {});
  Settle();
  Poll();
  EXPECT_EQ(GetErrorDetail(stream->failed()).reason, "SUBSCRIPTION_NOT_FOUND");
}

TEST_F(SharedHubTest, ALeaseOfAnotherSubscriptionIsLost) {
  LeaseToken token;
  token.set_subscription(8);
  token.set_merchant_id("PM1");
  token.set_session_id("s1");
  token.set_position(1);
  token.set_lease(5);
  EXPECT_EQ(SettleLease(EncodeLease(token)), Outcome::kLeaseLost);
}

TEST_F(SharedHubTest, ShowsHowFarASubscriptionIs) {
  Append("s1");
  Append("s2");
  scheduler_.Advance(absl::Seconds(15));
  Settle();
  const std::string page = metrics_.Text();
  EXPECT_THAT(page, testing::HasSubstr(
                        "ipp_shared_backlog_events{caller=\"shop\",subscription=\"orders\"} 2"));
  EXPECT_THAT(page, testing::HasSubstr("ipp_shared_oldest_unsettled_seconds{caller=\"shop\","
                                       "subscription=\"orders\"} 15"));
}

}  // namespace
}  // namespace ipp::shared
