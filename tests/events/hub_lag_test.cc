#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <thread>
#include <vector>

#include "tests/events/hub_bed.h"

// How far behind the slowest subscriber is.
namespace ipp::events {
namespace {

using namespace fixtures;  // NOLINT: the words of these tests

class HubLag : public HubBed {
 protected:
  void Open() {
    HubBed::Open({.tail_events = 8,
                  .page_events = 5,
                  .lag_interval = absl::Milliseconds(1),
                  .clock = &clock_});
  }
  // The hub looks by itself, often: waits for what it must come to see.
  void ExpectLag(double positions, double seconds) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (Positions() != positions || Seconds() != seconds) {
      if (std::chrono::steady_clock::now() > end) break;
      std::this_thread::yield();
    }
    EXPECT_EQ(Positions(), positions);
    EXPECT_EQ(Seconds(), seconds);
  }
  double Positions() { return metrics_.gauge("ipp_events_slowest_lag_positions", "").value(); }
  double Seconds() { return metrics_.gauge("ipp_events_slowest_lag_seconds", "").value(); }
};

TEST_F(HubLag, IsNoneWhileAllAreAtTheHead) {
  Append(store_, 20);
  Open();
  AppendAndCatchUp(*hub_, store_);
  auto one = hub_->Subscribe(Everything(), 21);
  auto ahead = hub_->Subscribe(Everything(), 25);
  clock_.Advance(absl::Hours(1));
  auto behind = hub_->Subscribe(Everything(), 20);
  ExpectLag(1, 3600);
  behind.reset();
  ExpectLag(0, 0);
}

TEST_F(HubLag, IsThatOfTheSlowestInTheTail) {
  Open();
  for (int i = 0; i < 5; ++i) {
    AppendAndCatchUp(*hub_, store_);
    clock_.Advance(absl::Seconds(10));
  }
  auto quick = hub_->Subscribe(Everything(), 4);
  auto slow = hub_->Subscribe(Everything(), 1);
  ExpectLag(4, 40);  // event 2 was recorded 40 s ago
  EXPECT_EQ(Follow(*slow, 2), Range(2, 3));
  ExpectLag(2, 20);
  EXPECT_EQ(Follow(*slow, 2), Range(4, 5));
  ExpectLag(1, 10);
  EXPECT_EQ(Follow(*quick, 1), Range(5, 5));
  ExpectLag(0, 0);
}

TEST_F(HubLag, IsThatOfTheSlowestInHistory) {
  Append(store_, 30);
  clock_.Advance(absl::Minutes(2));
  Append(store_, 10);
  clock_.Advance(absl::Minutes(1));
  Open();
  auto old = hub_->Subscribe(Everything(), 10);
  auto young = hub_->Subscribe(Everything(), 33);
  ExpectLag(30, 180);
  old.reset();
  ExpectLag(7, 60);
}

TEST_F(HubLag, CountsWhatTheHubItselfHasNotRead) {
  Open();
  auto subscription = hub_->Subscribe(Everything(), 0);
  Wish wish;
  EXPECT_EQ(wish.Ask(*subscription), nullptr);
  replica_.Lies([](int64_t, std::vector<store::StoredEvent>* rows) {
    if (rows->size() > 1) rows->clear();  // the hub's own reads bring nothing
  });
  Append(store_, 3);
  clock_.Advance(absl::Seconds(7));
  ExpectLag(3, 7);
  replica_.Lies(nullptr);
  EXPECT_TRUE(wish.Wait().ok());
}

TEST_F(HubLag, FindsTheSlowestOfManyWhileTheyComeAndGo) {
  Append(store_, 20);
  Open();
  AppendAndCatchUp(*hub_, store_);
  clock_.Advance(absl::Seconds(5));
  std::vector<std::unique_ptr<Subscription>> many;
  for (int i = 0; i < 2000; ++i) many.push_back(hub_->Subscribe(Everything(), 21));
  auto slow = hub_->Subscribe(Everything(), 2);
  for (int i = 0; i < 500; ++i) many.push_back(hub_->Subscribe(Everything(), 21));
  ExpectLag(19, 5);
  // Places change hands meanwhile: it is found all the same.
  for (int i = 0; i < 3000; ++i) {
    many[i % many.size()] = hub_->Subscribe(Everything(), 21);
    EXPECT_EQ(Positions(), 19);
  }
  slow.reset();
  ExpectLag(0, 0);
}

}  // namespace
}  // namespace ipp::events
