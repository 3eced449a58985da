#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <vector>

#include "tests/events/hub_bed.h"

// What the hub counts, and still promises, over a store that lies.
namespace ipp::events {
namespace {

using namespace fixtures;  // NOLINT: the words of these tests
using Rows = std::vector<store::StoredEvent>;

class HubInvariants : public HubBed {
 protected:
  // A reader at the end of the tail that has asked.
  void Wait(int64_t after) {
    subscription_ = hub_->Subscribe(Everything(), after);
    ASSERT_EQ(wish_.Ask(*subscription_), nullptr);
  }
  // What it gets, `count` events from the one that it waits for.
  std::vector<int64_t> Got(int64_t count) {
    const absl::StatusOr<EventPtr> first = wish_.Wait();
    if (!first.ok()) {
      ADD_FAILURE() << first.status();
      return {};
    }
    std::vector<int64_t> got = {(*first)->row.position};
    for (const int64_t position : Follow(*subscription_, count - 1)) got.push_back(position);
    return got;
  }

  std::unique_ptr<Subscription> subscription_;
  Wish wish_;
};

TEST_F(HubInvariants, CountsEventsOutOfOrderAndHandsThemOutInOrder) {
  Open();
  Wait(0);
  replica_.Lies([](int64_t, Rows* rows) { std::reverse(rows->begin(), rows->end()); });
  Append(store_, 4);
  EXPECT_EQ(Got(4), Range(1, 4));
  EXPECT_GE(Counted("order_violations"), 1);
  EXPECT_EQ(Counted("gaps"), 0);
  EXPECT_EQ(Counted("duplicates"), 0);
}

TEST_F(HubInvariants, CountsEventsThatComeTwiceAndHandsThemOutOnce) {
  Open();
  Wait(0);
  replica_.Lies([](int64_t, Rows* rows) {
    if (!rows->empty()) rows->push_back(rows->back());
  });
  Append(store_, 3);
  Append(store_, 1);
  EXPECT_EQ(Got(4), Range(1, 4));
  EXPECT_GE(Counted("duplicates"), 1);
  EXPECT_EQ(Counted("gaps"), 0);
  EXPECT_EQ(Counted("order_violations"), 0);
}

// As from a store that hands out positions before they are committed.
TEST_F(HubInvariants, CountsAHoleThatClosesAndLeavesNothingOut) {
  Open();
  Wait(0);
  std::atomic<int> reads = 0;
  replica_.Lies([&reads](int64_t, Rows* rows) {
    if (++reads > 3) return;
    std::erase_if(*rows, [](const auto& row) { return row.position == 2; });
  });
  Append(store_, 4);
  EXPECT_EQ(Got(4), Range(1, 4));
  EXPECT_EQ(Counted("gaps"), 1);
  EXPECT_EQ(Counted("duplicates"), 0);
  EXPECT_EQ(Counted("order_violations"), 0);
  replica_.Lies(nullptr);
}

TEST_F(HubInvariants, CountsAHoleThatStaysAndGoesOnBehindIt) {
  Open();
  Wait(0);
  replica_.Lies([](int64_t, Rows* rows) {
    std::erase_if(*rows, [](const auto& row) { return row.position == 2 || row.position == 3; });
  });
  Append(store_, 5);
  EXPECT_EQ(Got(3), (std::vector<int64_t>{1, 4, 5}));
  EXPECT_EQ(Counted("gaps"), 1) << "once for each time that it is met, not for each read";
  // Over the hole in the tail, from each side of it.
  for (const int64_t after : {0, 1, 2, 3}) {
    auto subscription = hub_->Subscribe(Everything(), after);
    EXPECT_EQ(Follow(*subscription, 2),
              after == 0 ? (std::vector<int64_t>{1, 4}) : (std::vector<int64_t>{4, 5}))
        << after;
  }
}

TEST_F(HubInvariants, PassesAHoleInHistoryToo) {
  Append(store_, 30);
  Open({.tail_events = 8, .page_events = 50});
  AppendAndCatchUp(*hub_, store_);
  replica_.Lies([](int64_t, Rows* rows) {
    std::erase_if(*rows, [](const auto& row) { return row.position > 3 && row.position < 20; });
  });
  auto subscription = hub_->Subscribe(Everything(), 0);
  EXPECT_EQ(Follow(*subscription, 5), (std::vector<int64_t>{1, 2, 3, 20, 21}));
  EXPECT_EQ(Counted("gaps"), 1);
  auto start = hub_->Subscribe(Everything(), 4);
  EXPECT_EQ(Follow(*start, 1), Range(20, 20));
  EXPECT_EQ(Counted("gaps"), 2);
}

TEST_F(HubInvariants, FailsAReadThatShowsNothingOfWhatIsKept) {
  Append(store_, 30);
  Open();
  AppendAndCatchUp(*hub_, store_);
  replica_.Lies([](int64_t, Rows* rows) { rows->clear(); });
  auto subscription = hub_->Subscribe(Everything(), 3);
  EXPECT_TRUE(absl::IsUnavailable(NextOf(*subscription).status()));
  EXPECT_EQ(subscription->position(), 3);
  replica_.Lies(nullptr);
  EXPECT_EQ(Follow(*subscription, 28), Range(4, 31));
}

TEST_F(HubInvariants, HandsOutPagesInOrderAndOnceToo) {
  Append(store_, 30);
  Open();
  AppendAndCatchUp(*hub_, store_);
  replica_.Lies([](int64_t, Rows* rows) {
    if (rows->empty()) return;
    rows->push_back(rows->front());
    std::reverse(rows->begin(), rows->end());
  });
  auto subscription = hub_->Subscribe(Everything(), 0);
  EXPECT_EQ(Follow(*subscription, 31), Range(1, 31));
  EXPECT_GE(Counted("order_violations"), 1);
  EXPECT_GE(Counted("duplicates"), 1);
  EXPECT_EQ(Counted("gaps"), 0);
}

TEST_F(HubInvariants, TakesWhatRetentionRemovedForNoHole) {
  Append(store_, 30);
  Open();
  AppendAndCatchUp(*hub_, store_);
  // Another replica trimmed; this one has not heard of it.
  replica_.HoldBounds();
  store_.TrimBefore(20);
  auto subscription = hub_->Subscribe(Everything(), 3);
  const absl::Status status = NextOf(*subscription).status();
  EXPECT_TRUE(absl::IsOutOfRange(status)) << status;
  ExpectNothingWrong();
}

}  // namespace
}  // namespace ipp::events
