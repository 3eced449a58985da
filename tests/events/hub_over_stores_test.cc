#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "server/events/cursor.h"
#include "server/events/event_hub.h"
#include "server/store/sqlite/store.h"
#include "tests/events/hub_bed.h"
#include "tests/support/fake_store.h"

// What the hub promises to subscribers, over the store in memory and over SQLite.
namespace ipp::events {
namespace {

using namespace fixtures;  // NOLINT: the words of these tests

enum class Kind { kFake, kSqlite };

class HubOverStore : public testing::TestWithParam<Kind> {
 protected:
  HubOverStore() {
    if (GetParam() == Kind::kFake) {
      store_ = std::make_unique<store::FakeStore>(&clock_);
      return;
    }
    store_ = *store::OpenSqliteStore({.path = directory_.File("gateway.db"),
                                      .queue = {.retention = {.events = absl::Hours(1)},
                                                .maintenance_interval = absl::Milliseconds(1)}},
                                     &clock_, &metrics_);
  }
  void Open(HubOptions options = {.tail_events = 16, .page_events = 7}) {
    hub_ = std::make_unique<EventHub>(store_.get(), options, &metrics_);
  }

  FakeClock clock_;
  Metrics metrics_;
  const store::contract::TempDirectory directory_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<EventHub> hub_;
};

TEST_P(HubOverStore, HasNoGapAndNoRepeatFromHistoryToLive) {
  constexpr int kBefore = 100;
  constexpr int kDuring = 150;
  Append(*store_, kBefore);
  Open();
  std::vector<std::thread> followers;
  for (const int64_t after : {0, 1, 50, 99, 100}) {
    followers.emplace_back([this, after] {
      auto subscription = hub_->Subscribe(Everything(), after);
      EXPECT_EQ(Follow(*subscription, kBefore + kDuring - after),
                Range(after + 1, kBefore + kDuring))
          << "after " << after;
    });
  }
  for (int written = 0; written < kDuring; written += 3) Append(*store_, 3);
  for (std::thread& follower : followers) follower.join();
  EXPECT_EQ(metrics_.counter("ipp_events_order_violations_total", "").value(), 0);
}

TEST_P(HubOverStore, ShowsEachOfManySubscribersItsOwnEventsInOrder) {
  Open();
  constexpr int kRounds = 40;
  std::vector<std::unique_ptr<Subscription>> subscriptions;
  for (int i = 0; i < 60; ++i) {
    subscriptions.push_back(hub_->Subscribe(Everything(i % 2 == 0 ? "PM1" : "PM2"), 0));
  }
  std::vector<Wish> wishes(subscriptions.size());
  for (size_t i = 0; i < wishes.size(); ++i) {
    ASSERT_EQ(wishes[i].Ask(*subscriptions[i]), nullptr);
  }
  // Odd positions are PM1's, even ones PM2's.
  for (int round = 0; round < kRounds; ++round) {
    Append(*store_, 1, "PM1");
    Append(*store_, 1, "PM2");
  }
  for (size_t i = 0; i < subscriptions.size(); ++i) {
    const int64_t first = i % 2 == 0 ? 1 : 2;
    ASSERT_EQ((*wishes[i].Wait())->row.position, first);
    EXPECT_EQ(Follow(*subscriptions[i], kRounds - 1), Range(first + 2, 2 * kRounds, 2));
  }
}

TEST_P(HubOverStore, GoesOnFromAnyCursorThatItGaveOut) {
  Append(*store_, 20);
  Open();
  auto subscription = hub_->Subscribe(Everything(), 0);
  for (int64_t i = 1; i <= 20; ++i) {
    const auto event = NextOf(*subscription);
    ASSERT_TRUE(event.ok());
    const auto position = ParseCursor((*event)->Parse().cursor(), store_->log_id(), "after_cursor");
    ASSERT_TRUE(position.ok()) << position.status();
    EXPECT_EQ(position->position, i);
    EXPECT_NE(position->content, 0u);
    if (i == 20) break;
    auto resumed = hub_->Subscribe(Everything(), *position);
    EXPECT_EQ(Follow(*resumed, 1), Range(i + 1, i + 1));
  }
}

TEST_P(HubOverStore, KeepsMovingAReaderWhoseFilterMatchesNothing) {
  Append(*store_, 50);
  Open();
  auto subscription = hub_->Subscribe(Everything("PM9"), 0);
  Wish wish;
  EXPECT_EQ(wish.Ask(*subscription), nullptr);
  // Behind the tail it is the store's thread that moves it on.
  while (subscription->position() < 50) std::this_thread::yield();
  AppendAndCatchUp(*hub_, *store_);
  EXPECT_FALSE(wish.answered());
  EXPECT_TRUE(subscription->Withdraw());
  EXPECT_EQ(subscription->position(), 51);
}

TEST_P(HubOverStore, SurvivesSubscribersThatComeAndGo) {
  Append(*store_, 60);
  Open();
  std::vector<std::thread> visitors;
  for (int visitor = 0; visitor < 3; ++visitor) {
    visitors.emplace_back([this, visitor] {
      for (int64_t after = visitor; after < 60; after += 3) {
        auto subscription = hub_->Subscribe(Everything(), after);
        Wish wish;
        const EventPtr event = wish.Ask(*subscription);
        if (event != nullptr || subscription->Withdraw()) continue;
        EXPECT_EQ((*wish.Wait())->row.position, after + 1);
      }
    });
  }
  for (int i = 0; i < 20; ++i) Append(*store_, 1);
  for (std::thread& visitor : visitors) visitor.join();
  hub_.reset();  // with pages on their way
}

INSTANTIATE_TEST_SUITE_P(Stores, HubOverStore, testing::Values(Kind::kFake, Kind::kSqlite),
                         [](const auto& info) {
                           return info.param == Kind::kFake ? "Fake" : "Sqlite";
                         });

class HubOverSqlite : public HubOverStore {};

TEST_P(HubOverSqlite, ResumesAfterTrimWithOutOfRange) {
  Append(*store_, 40);
  Open();
  clock_.Advance(absl::Hours(2));
  AppendAndCatchUp(*hub_, *store_);
  while (store_->bounds().oldest < 41) std::this_thread::yield();
  auto subscription = hub_->Subscribe(Everything(), 3);
  EXPECT_TRUE(absl::IsOutOfRange(NextOf(*subscription).status()));
  auto kept = hub_->Subscribe(Everything(), 40);
  EXPECT_EQ(Follow(*kept, 1), Range(41, 41));
}

INSTANTIATE_TEST_SUITE_P(Store, HubOverSqlite, testing::Values(Kind::kSqlite),
                         [](const auto&) { return "Sqlite"; });

}  // namespace
}  // namespace ipp::events
