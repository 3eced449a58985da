#include "server/events/event_hub.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "server/events/cursor.h"
#include "tests/events/hub_bed.h"
#include "tests/support/fake_store.h"

namespace ipp::events {
namespace {

using namespace fixtures;  // NOLINT: the words of these tests
using store::FakeStore;

class EventHubTest : public HubBed {};

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
    EXPECT_EQ((*event)->place.position, i);
    EXPECT_EQ((*event)->Parse().cursor(), EncodeCursor(store_.log_id(), (*event)->place));
    EXPECT_EQ(subscription->position(), i);
  }
}

// A store with one writer gives the rows of each commit to the hub.
TEST_F(EventHubTest, TakesTheRowsOfACommitWithoutReadingThem) {
  Append(store_, 2);
  hub_ = std::make_unique<EventHub>(&store_, HubOptions{.tail_events = 8}, &metrics_);
  ReadsFail();
  auto subscription = hub_->Subscribe(Everything(), 2);
  for (int64_t i = 3; i <= 30; ++i) {
    Wish wish;
    EXPECT_EQ(wish.Ask(*subscription), nullptr);
    Append(store_, 1);
    const auto event = wish.Wait();
    ASSERT_TRUE(event.ok()) << event.status();
    EXPECT_EQ((*event)->row.position, i);
  }
  EXPECT_EQ(Counted("read_failures"), 0);
  ExpectNothingWrong();
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
  store::AlteredStore reads_only(&store);  // the hub gets no rows from it
  auto hub = std::make_unique<EventHub>(&reads_only, HubOptions{}, &metrics_);
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
