#include "server/events/event_hub.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "server/base/error.h"
#include "server/events/cursor.h"
#include "tests/events/hub_bed.h"
#include "tests/support/fake_store.h"

namespace ipp::events {
namespace {

using namespace fixtures;  // NOLINT: the words of these tests
using store::FakeStore;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Over a store in memory that waits and fails when told.
class EventHubTest : public testing::Test {
 protected:
  void Open(HubOptions options = {.tail_events = 8, .page_events = 5}) {
    hub_ = std::make_unique<EventHub>(&store_, options, &metrics_);
  }
  double Subscribers() { return metrics_.gauge("ipp_events_subscribers", "").value(); }
  // No read works, until ReadsWork().
  void ReadsFail() {
    store_.FailReads(absl::UnavailableError("disk"), std::numeric_limits<int>::max());
  }
  void ReadsWork() { store_.FailReads(absl::OkStatus(), 0); }
  // Everything that the store was asked for before has been answered.
  void Settle() { (void)store::contract::Read(store_, 0, 1); }

  FakeClock clock_;
  Metrics metrics_;
  FakeStore store_{&clock_};
  std::unique_ptr<EventHub> hub_;
};

TEST_F(EventHubTest, HandsOutWhatIsAppendedNext) {
  Open();
  auto subscription = hub_->Subscribe(Everything(), 0);
  for (int64_t i = 1; i <= 3; ++i) {
    Wish wish;
    EXPECT_EQ(wish.Ask(*subscription), nullptr);
    EXPECT_FALSE(wish.answered());
    Append(store_, 1);
    const auto event = wish.Wait();
    ASSERT_TRUE(event.ok()) << event.status();
    EXPECT_EQ((*event)->row.position, i);
    EXPECT_EQ((*event)->Parse().cursor(), EncodeCursor(store_.log_id(), i));
    EXPECT_EQ(subscription->position(), i);
  }
}

TEST_F(EventHubTest, GivesAnEventAtHandAtOnceAndDropsTheWish) {
  Append(store_, 3);
  Open();
  AppendAndCatchUp(*hub_, store_);
  auto subscription = hub_->Subscribe(Everything(), 3);
  Wish wish;
  const EventPtr event = wish.Ask(*subscription);
  ASSERT_NE(event, nullptr);
  EXPECT_EQ(event->row.position, 4);
  EXPECT_TRUE(wish.dropped());
}

TEST_F(EventHubTest, LetsGoOfAWishOnceItRan) {
  Open();
  auto subscription = hub_->Subscribe(Everything(), 0);
  Wish wish;
  EXPECT_EQ(wish.Ask(*subscription), nullptr);
  Append(store_, 1);
  ASSERT_TRUE(wish.Wait().ok());
  AppendAndCatchUp(*hub_, store_);  // the hub's thread is past the wish
  EXPECT_TRUE(wish.dropped());
}

TEST_F(EventHubTest, SharesOneEventAmongAllSubscribers) {
  Open();
  auto one = hub_->Subscribe(Everything(), 0);
  auto other = hub_->Subscribe(Everything(), 0);
  Wish wish_of_one, wish_of_other;
  wish_of_one.Ask(*one);
  wish_of_other.Ask(*other);
  Append(store_, 1);
  EXPECT_EQ(wish_of_one.Wait()->get(), wish_of_other.Wait()->get());
}

TEST_F(EventHubTest, CatchesUpFromTheBeginningInPages) {
  Append(store_, 23);
  Open();
  auto subscription = hub_->Subscribe(Everything(), 0);
  EXPECT_EQ(Follow(*subscription, 23), Range(1, 23));
}

TEST_F(EventHubTest, ResumesAfterAnyPosition) {
  Append(store_, 30);
  Open();
  AppendAndCatchUp(*hub_, store_);
  for (int64_t after = 0; after <= 30; ++after) {
    auto subscription = hub_->Subscribe(Everything(), after);
    EXPECT_EQ(Follow(*subscription, 31 - after), Range(after + 1, 31)) << after;
  }
}

TEST_F(EventHubTest, MovesOnOverEventsThatDoNotMatchWhileItWaits) {
  Open();
  auto subscription = hub_->Subscribe(Everything("PM2"), 0);
  Wish wish;
  EXPECT_EQ(wish.Ask(*subscription), nullptr);
  Append(store_, 5);
  AppendAndCatchUp(*hub_, store_);
  EXPECT_FALSE(wish.answered());
  EXPECT_TRUE(subscription->Withdraw());
  EXPECT_EQ(subscription->position(), 6);
}

TEST_F(EventHubTest, MovesOnOverPagesThatDoNotMatch) {
  Append(store_, 40);
  Open();
  AppendAndCatchUp(*hub_, store_);
  auto subscription = hub_->Subscribe(Everything("PM2"), 0);
  Wish wish;
  EXPECT_EQ(wish.Ask(*subscription), nullptr);
  Append(store_, 1, "PM2");
  const auto event = wish.Wait();
  ASSERT_TRUE(event.ok()) << event.status();
  EXPECT_EQ((*event)->row.position, 42);
  EXPECT_EQ(subscription->position(), 42);
}

// ---- Withdraw. ----

TEST_F(EventHubTest, TakesAWishBack) {
  Open();
  auto subscription = hub_->Subscribe(Everything(), 0);
  Wish wish;
  EXPECT_EQ(wish.Ask(*subscription), nullptr);
  EXPECT_TRUE(subscription->Withdraw());
  EXPECT_TRUE(wish.dropped());
  EXPECT_FALSE(subscription->Withdraw());
  AppendAndCatchUp(*hub_, store_);
  EXPECT_EQ(subscription->position(), 0);
  EXPECT_EQ(Follow(*subscription, 1), Range(1, 1));
}

TEST_F(EventHubTest, TakesNothingBackOnceAnswered) {
  Open();
  auto subscription = hub_->Subscribe(Everything(), 0);
  EXPECT_FALSE(subscription->Withdraw());
  Wish wish;
  EXPECT_EQ(wish.Ask(*subscription), nullptr);
  Append(store_, 1);
  ASSERT_TRUE(wish.Wait().ok());
  EXPECT_FALSE(subscription->Withdraw());
}

TEST_F(EventHubTest, KeepsThePageOfAWishThatWasTakenBack) {
  Append(store_, 40);
  Open();
  AppendAndCatchUp(*hub_, store_);
  auto subscription = hub_->Subscribe(Everything(), 0);
  store_.Hold();
  Wish wish;
  EXPECT_EQ(wish.Ask(*subscription), nullptr);
  EXPECT_TRUE(subscription->Withdraw());
  EXPECT_TRUE(wish.dropped());
  store_.Release();
  Settle();
  EXPECT_EQ(subscription->position(), 0);
  // No gap and no repeat: the page is at hand.
  Wish second;
  const EventPtr event = second.Ask(*subscription);
  ASSERT_NE(event, nullptr);
  EXPECT_EQ(event->row.position, 1);
  EXPECT_EQ(Follow(*subscription, 40), Range(2, 41));
}

TEST_F(EventHubTest, AnswersAWishThatFollowsOneTakenBackWhileThePageIsRead) {
  Append(store_, 40);
  Open();
  AppendAndCatchUp(*hub_, store_);
  auto subscription = hub_->Subscribe(Everything(), 0);
  store_.Hold();
  Wish first, second;
  EXPECT_EQ(first.Ask(*subscription), nullptr);
  EXPECT_TRUE(subscription->Withdraw());
  EXPECT_EQ(second.Ask(*subscription), nullptr);
  EXPECT_EQ(store_.waiting(), 1u) << "one read serves both";
  store_.Release();
  EXPECT_EQ((*second.Wait())->row.position, 1);
  EXPECT_EQ(Follow(*subscription, 40), Range(2, 41));
}

// ---- Faults. ----

TEST_F(EventHubTest, FailsTheWishWhenThePageCannotBeReadAndGoesOnLater) {
  Append(store_, 40);
  Open();
  AppendAndCatchUp(*hub_, store_);
  auto subscription = hub_->Subscribe(Everything(), 3);
  store_.FailReads(absl::UnavailableError("disk"));
  const absl::Status status = NextOf(*subscription).status();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  // A caller gets to see it: it has what every error has.
  EXPECT_EQ(GetErrorDetail(status).reason, "STORE_UNAVAILABLE");
  EXPECT_EQ(GetErrorDetail(status).metadata.at("retry_safe"), "true");
  EXPECT_EQ(Follow(*subscription, 38), Range(4, 41));
}

TEST_F(EventHubTest, ReadsAgainAfterAFailureThatNobodyWaitedFor) {
  Append(store_, 40);
  Open();
  AppendAndCatchUp(*hub_, store_);
  auto subscription = hub_->Subscribe(Everything(), 3);
  store_.Hold();
  Wish wish;
  EXPECT_EQ(wish.Ask(*subscription), nullptr);
  EXPECT_TRUE(subscription->Withdraw());
  store_.FailReads(absl::UnavailableError("disk"));
  store_.Release();
  Settle();
  EXPECT_EQ(Follow(*subscription, 38), Range(4, 41));
}

TEST_F(EventHubTest, TriesAgainWhenTheTailCannotBeRead) {
  Open();
  auto subscription = hub_->Subscribe(Everything(), 0);
  store_.FailReads(absl::UnavailableError("disk"), 2);
  Append(store_, 3);
  EXPECT_EQ(Follow(*subscription, 3), Range(1, 3));
  EXPECT_EQ(metrics_.counter("ipp_events_read_failures_total", "").value(), 2);
}

TEST_F(EventHubTest, LetsASubscriberStartAheadOfWhatItHasRead) {
  Open();
  ReadsFail();
  // More than the hub reads at once: it passes the subscriber's place in a later batch.
  Append(store_, 3000);
  auto subscription = hub_->Subscribe(Everything(), 3000);
  auto behind = hub_->Subscribe(Everything(), 2000);
  Wish wish, wish_behind;
  EXPECT_EQ(wish.Ask(*subscription), nullptr);
  EXPECT_EQ(wish_behind.Ask(*behind), nullptr);
  ReadsWork();
  EXPECT_EQ((*wish_behind.Wait())->row.position, 2001);
  EXPECT_EQ(Follow(*behind, 999), Range(2002, 3000));
  EXPECT_FALSE(wish.answered());
  Append(store_, 1);
  EXPECT_EQ((*wish.Wait())->row.position, 3001);
  EXPECT_EQ(Follow(*behind, 1), Range(3001, 3001));
}

// ---- Retention. ----

void ExpectExpired(const absl::Status& status, const store::Store& store) {
  EXPECT_TRUE(absl::IsOutOfRange(status)) << status;
  const ErrorDetail detail = GetErrorDetail(status);
  EXPECT_EQ(detail.reason, "CURSOR_EXPIRED");
  EXPECT_EQ(detail.metadata.at("oldest_cursor"),
            EncodeCursor(store.log_id(), store.bounds().oldest - 1));
  EXPECT_EQ(detail.metadata.at("latest_cursor"),
            EncodeCursor(store.log_id(), store.bounds().latest));
}

TEST_F(EventHubTest, ResumesAfterTrimWithOutOfRange) {
  Append(store_, 40);
  Open();
  AppendAndCatchUp(*hub_, store_);
  store_.TrimBefore(20);
  for (const int64_t after : {0, 1, 18}) {
    auto subscription = hub_->Subscribe(Everything(), after);
    ExpectExpired(NextOf(*subscription).status(), store_);
    EXPECT_EQ(subscription->position(), after);
  }
  auto oldest = hub_->Subscribe(Everything(), 19);
  EXPECT_EQ(Follow(*oldest, 22), Range(20, 41));
}

TEST_F(EventHubTest, EndsAReaderThatRetentionOvertakes) {
  Append(store_, 40);
  Open();
  AppendAndCatchUp(*hub_, store_);
  auto subscription = hub_->Subscribe(Everything(), 0);
  EXPECT_EQ(Follow(*subscription, 2), Range(1, 2));
  store_.TrimBefore(20);
  // The page that it has, of five, is still told; the next is gone.
  EXPECT_EQ(Follow(*subscription, 3), Range(3, 5));
  ExpectExpired(NextOf(*subscription).status(), store_);
  ExpectExpired(NextOf(*subscription).status(), store_);
}

TEST_F(EventHubTest, NeedsNothingOfTheStoreForWhatIsInTheTail) {
  Open();
  Append(store_, 40);
  AppendAndCatchUp(*hub_, store_);
  auto subscription = hub_->Subscribe(Everything(), 33);
  store_.TrimBefore(42);
  EXPECT_EQ(Follow(*subscription, 8), Range(34, 41));
}

TEST_F(EventHubTest, TellsAReaderThatWaitsWhenRetentionWasFasterThanTheHub) {
  Open();
  AppendAndCatchUp(*hub_, store_);  // position 1
  auto subscription = hub_->Subscribe(Everything(), 1);
  Wish wish;
  EXPECT_EQ(wish.Ask(*subscription), nullptr);
  ReadsFail();
  Append(store_, 6);
  store_.TrimBefore(5);
  ReadsWork();
  // Events 2 to 4 are lost to it, so it must not go on as if there were none.
  ExpectExpired(wish.Wait().status(), store_);
  auto late = hub_->Subscribe(Everything(), 4);
  EXPECT_EQ(Follow(*late, 3), Range(5, 7));
}

TEST_F(EventHubTest, GoesOnAfterRetentionTookAllThatItHadNotRead) {
  Open();
  AppendAndCatchUp(*hub_, store_);
  auto subscription = hub_->Subscribe(Everything(), 1);
  Wish wish;
  EXPECT_EQ(wish.Ask(*subscription), nullptr);
  ReadsFail();
  Append(store_, 6);
  store_.TrimBefore(8);
  ReadsWork();
  ExpectExpired(wish.Wait().status(), store_);
  auto next = hub_->Subscribe(Everything(), 7);
  Wish wish_next;
  EXPECT_EQ(wish_next.Ask(*next), nullptr);
  Append(store_, 1);
  EXPECT_EQ((*wish_next.Wait())->row.position, 8);
}

// ---- Lives. ----

TEST_F(EventHubTest, CountsItsSubscribers) {
  Open();
  EXPECT_EQ(Subscribers(), 0);
  auto one = hub_->Subscribe(Everything(), 0);
  auto other = hub_->Subscribe(Everything(), 0);
  EXPECT_EQ(Subscribers(), 2);
  one.reset();
  EXPECT_EQ(Subscribers(), 1);
  other.reset();
  EXPECT_EQ(Subscribers(), 0);
}

TEST_F(EventHubTest, WaitsForAPageOfASubscriberThatIsGone) {
  Append(store_, 40);
  Open();
  AppendAndCatchUp(*hub_, store_);
  auto subscription = hub_->Subscribe(Everything(), 0);
  store_.Hold();
  Wish wish;
  EXPECT_EQ(wish.Ask(*subscription), nullptr);
  EXPECT_TRUE(subscription->Withdraw());
  subscription.reset();
  std::thread ending([this] { hub_.reset(); });
  store_.Release();
  ending.join();
  EXPECT_TRUE(wish.dropped());
}

TEST_F(EventHubTest, EndsWhileItReadsTheTail) {
  FakeStore store(&clock_, FakeStore::Mode::kManual);
  auto hub = std::make_unique<EventHub>(&store, HubOptions{}, &metrics_);
  store.Commit(Appending(1), [&store](auto) {
    while (store.waiting() == 0) std::this_thread::yield();  // for the hub's read
    store.Hold();
  });
  store.RunAll();
  ASSERT_EQ(store.waiting(), 1u);
  std::thread ending([&hub] { hub.reset(); });
  store.Release();
  EXPECT_EQ(store.RunAll(), 1);
  ending.join();
}

TEST_F(EventHubTest, StartsWithTheEndOfTheLogAfterARestart) {
  Append(store_, 10);
  Open();
  hub_.reset();
  Append(store_, 5);
  Open();
  auto subscription = hub_->Subscribe(Everything(), 10);
  EXPECT_EQ(Follow(*subscription, 5), Range(11, 15));
  Append(store_, 1);
  EXPECT_EQ(Follow(*subscription, 1), Range(16, 16));
}

}  // namespace
}  // namespace ipp::events
