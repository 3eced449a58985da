#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "server/base/error.h"
#include "tests/events/hub_bed.h"

// A database that loses events behind a gateway that runs, with streams open.
namespace ipp::events {
namespace {

using fixtures::Everything;
using fixtures::Follow;
using fixtures::NextOf;
using fixtures::Range;
using fixtures::Wish;

class LostEvents : public testing::Test {
 protected:
  void Open(HubOptions options = {.tail_events = 8, .page_events = 3}) {
    hub_ = std::make_unique<EventHub>(&store_, options, &metrics_);
  }
  void Append(int count) {
    for (int i = 0; i < count; ++i) {
      const std::string id = absl::StrCat("e", ++made_);
      ASSERT_TRUE(store::contract::Commit(store_, store::contract::Append(id)).ok());
    }
  }
  // As the failover to a standby that had only the first `kept` events.
  void Lose(const store::FakeDisk& earlier) { store_.Replace(earlier); }
  void BeginEpoch() {
    ASSERT_TRUE(store::contract::Await<store::LogBounds>([&](auto done) {
                  store_.BeginEpoch({}, std::move(done));
                }).ok());
  }
  static std::string ReasonOf(const absl::StatusOr<EventPtr>& event) {
    return GetErrorDetail(event.status()).reason;
  }

  FakeClock clock_;
  Metrics metrics_;
  store::FakeStore store_{&clock_};
  std::unique_ptr<EventHub> hub_;
  int made_ = 0;
};

TEST_F(LostEvents, EndTheStreamsThatHavePassedSomeAndNoOther) {
  Open();
  Append(5);
  const store::FakeDisk kept = store_.Copy();
  auto before = hub_->Subscribe(Everything(), 0);
  EXPECT_EQ(Follow(*before, 5), Range(1, 5));
  Append(3);
  auto waiting = hub_->Subscribe(Everything(), 0);
  EXPECT_EQ(Follow(*waiting, 8), Range(1, 8));
  auto resting = hub_->Subscribe(Everything(), 0);
  EXPECT_EQ(Follow(*resting, 6), Range(1, 6));
  Wish wish;
  EXPECT_EQ(wish.Ask(*waiting), nullptr);
  const LogPlace passed = waiting->place();

  Lose(kept);
  BeginEpoch();
  EXPECT_EQ(ReasonOf(wish.Wait()), "CURSOR_FOREIGN");
  EXPECT_EQ(ReasonOf(NextOf(*resting)), "CURSOR_FOREIGN");
  EXPECT_EQ(ReasonOf(NextOf(*resting)), "CURSOR_FOREIGN");
  Append(4);
  const auto next = NextOf(*before);
  ASSERT_TRUE(next.ok()) << next.status();
  EXPECT_EQ((*next)->row.position, 6);
  EXPECT_EQ((*next)->Parse().event_id(), "e9");
  EXPECT_EQ(Follow(*before, 3), Range(7, 9));
  // For ever, also now that the log has grown past it; what is given out now is good.
  EXPECT_FALSE(CheckPlace(passed, store_.log_id(), store_.bounds(), "c").ok());
  EXPECT_TRUE(CheckPlace(before->place(), store_.log_id(), store_.bounds(), "c").ok());
  auto late = hub_->Subscribe(Everything(), passed);
  EXPECT_EQ(ReasonOf(NextOf(*late)), "CURSOR_FOREIGN");
}

TEST_F(LostEvents, AreFoundThoughTheLogHasGrownPastThem) {
  Open();
  Append(5);
  const store::FakeDisk kept = store_.Copy();
  auto before = hub_->Subscribe(Everything(), 0);
  EXPECT_EQ(Follow(*before, 4), Range(1, 4));
  Append(2);
  auto waiting = hub_->Subscribe(Everything(), 0);
  EXPECT_EQ(Follow(*waiting, 7), Range(1, 7));
  Wish wish;
  EXPECT_EQ(wish.Ask(*waiting), nullptr);

  // Another replica, which had seen no more than the standby, has written since: no number shows
  // that anything is missing.
  Lose(kept);
  {
    store::FakeStore other(&clock_, store::FakeStore::Mode::kThread,
                           std::make_shared<store::FakeDisk>(kept));
    for (int i = 0; i < 4; ++i) {
      const std::string id = absl::StrCat("other", i);
      ASSERT_TRUE(store::contract::Commit(other, store::contract::Append(id)).ok());
    }
    Lose(other.Copy());
  }
  Append(1);
  EXPECT_EQ(ReasonOf(wish.Wait()), "CURSOR_FOREIGN");
  EXPECT_EQ(store_.bounds().epoch().starts_after, 5);
  EXPECT_EQ(Follow(*before, 6), Range(5, 10));
}

TEST_F(LostEvents, AreFoundByAReaderOfPagesThatHasPassedSome) {
  Append(20);
  const store::FakeDisk kept = store_.Copy();
  store_.TrimBefore(1);
  Open({.tail_events = 2, .page_events = 3});
  auto behind = hub_->Subscribe(Everything(), 0);
  EXPECT_EQ(Follow(*behind, 1), Range(1, 1));
  store_.Hold();  // what is read ahead
  EXPECT_EQ(Follow(*behind, 2), Range(2, 3));
  // The same number of events, other ones from the first on.
  store::FakeStore other(&clock_);
  for (int i = 0; i < 20; ++i) {
    const std::string id = absl::StrCat("other", i);
    ASSERT_TRUE(store::contract::Commit(other, store::contract::Append(id)).ok());
  }
  Lose(other.Copy());
  store_.Release();
  EXPECT_EQ(ReasonOf(NextOf(*behind)), "CURSOR_FOREIGN");
}

TEST_F(LostEvents, AreNoneWhenTheLogOnlyBeginsAnEpoch) {
  Open();
  Append(5);
  auto subscription = hub_->Subscribe(Everything(), 0);
  EXPECT_EQ(Follow(*subscription, 5), Range(1, 5));
  Wish wish;
  EXPECT_EQ(wish.Ask(*subscription), nullptr);
  BeginEpoch();
  BeginEpoch();
  Append(1);
  EXPECT_EQ((*wish.Wait())->row.position, 6);
  EXPECT_EQ(metrics_.counter("ipp_events_gaps_total", "").value(), 0);
}

}  // namespace
}  // namespace ipp::events
