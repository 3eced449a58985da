#include <gtest/gtest.h>

#include "server/base/error.h"
#include "tests/events/hub_bed.h"

// What is read ahead for a subscriber behind the tail, and when it is not used.
namespace ipp::events {
namespace {

using namespace fixtures;  // NOLINT: the words of these tests

class HubReadAhead : public HubBed {
 protected:
  // A log of 41 events, the tail from 34 on; a subscriber that has got 1, and has 2 to 5 in its
  // page. What it reads next waits for Release().
  void Begin() {
    Append(store_, 40);
    Open();
    AppendAndCatchUp(*hub_, store_);
    subscription_ = hub_->Subscribe(Everything(), 0);
    ASSERT_EQ(Follow(*subscription_, 1), Range(1, 1));
    replica_.HoldReads();
  }
  void Release() {
    replica_.ReleaseReads();
    Settle();
  }
  // Those in memory, up to `most`.
  std::vector<int64_t> AtHand(size_t most = 100) {
    std::vector<int64_t> positions;
    while (positions.size() < most) {
      const EventPtr event = subscription_->NextAtHand();
      if (event == nullptr) break;
      positions.push_back(event->row.position);
    }
    return positions;
  }
  void ExpectTheRest(int64_t from) {
    EXPECT_EQ(Follow(*subscription_, 42 - from), Range(from, 41));
    ExpectNothingWrong();
    EXPECT_EQ(Counted("read_failures"), 0);
  }

  // The database behind the gateway is replaced by its copy of an earlier time, and goes on from
  // there; the hub has noticed.
  void GoBackTo(const store::FakeDisk& earlier, int new_events) {
    store_.Replace(earlier);
    clock_.Advance(absl::Seconds(1));  // so that other events have other bytes
    ASSERT_TRUE(store::contract::Await<store::LogBounds>([&](auto done) {
                  store_.BeginEpoch({}, std::move(done));
                }).ok());
    Append(store_, new_events - 1);
    AppendAndCatchUp(*hub_, store_);
  }

  std::unique_ptr<Subscription> subscription_;
};

TEST_F(HubReadAhead, IsThereWhenThePageEnds) {
  Begin();
  EXPECT_EQ(AtHand(1), Range(2, 2));
  EXPECT_EQ(replica_.waiting_reads(), 1u);
  Release();
  replica_.HoldReads();
  EXPECT_EQ(AtHand(), Range(3, 10));
  EXPECT_EQ(replica_.waiting_reads(), 1u);  // of 11 to 15, once
  Release();
  EXPECT_EQ(AtHand(1), Range(11, 11));
  ExpectTheRest(12);
}

TEST_F(HubReadAhead, IsUsedWhenItComesAfterThePageHasEnded) {
  Begin();
  EXPECT_EQ(AtHand(), Range(2, 5));
  Release();
  EXPECT_EQ(AtHand(1), Range(6, 6));
  ExpectTheRest(7);
}

TEST_F(HubReadAhead, IsWaitedForInsteadOfReadingTwice) {
  Begin();
  EXPECT_EQ(AtHand(), Range(2, 5));
  Wish wish;
  EXPECT_EQ(wish.Ask(*subscription_), nullptr);
  EXPECT_EQ(replica_.waiting_reads(), 1u);
  replica_.ReleaseReads();
  EXPECT_EQ((*wish.Wait())->row.position, 6);
  ExpectTheRest(7);
}

TEST_F(HubReadAhead, MayBeWithdrawnFromAndIsThereLater) {
  Begin();
  EXPECT_EQ(AtHand(), Range(2, 5));
  Wish wish;
  EXPECT_EQ(wish.Ask(*subscription_), nullptr);
  EXPECT_TRUE(subscription_->Withdraw());
  EXPECT_TRUE(wish.dropped());
  Release();
  EXPECT_EQ(AtHand(1), Range(6, 6));
  ExpectTheRest(7);
}

TEST_F(HubReadAhead, IsReadAgainWithoutAnErrorWhenItFails) {
  Begin();
  EXPECT_EQ(AtHand(1), Range(2, 2));
  store_.FailReads(absl::UnavailableError("disk"));
  Release();
  ExpectTheRest(3);
}

TEST_F(HubReadAhead, IsReadAgainWithoutAnErrorWhenItFailsAndIsWaitedFor) {
  Begin();
  EXPECT_EQ(AtHand(), Range(2, 5));
  Wish wish;
  EXPECT_EQ(wish.Ask(*subscription_), nullptr);
  store_.FailReads(absl::UnavailableError("disk"));
  replica_.ReleaseReads();
  EXPECT_EQ((*wish.Wait())->row.position, 6);
  ExpectTheRest(7);
}

TEST_F(HubReadAhead, IsAnErrorOnlyIfTheReadAfterItFailsToo) {
  Begin();
  EXPECT_EQ(AtHand(), Range(2, 5));
  Wish wish;
  EXPECT_EQ(wish.Ask(*subscription_), nullptr);
  store_.FailReads(absl::UnavailableError("disk"), 2);
  replica_.ReleaseReads();
  EXPECT_EQ(GetErrorDetail(wish.Wait().status()).reason, "STORE_UNAVAILABLE");
  ExpectTheRest(6);
}

// What was read before retention came is delivered, as of a page; what was not, is not skipped.
TEST_F(HubReadAhead, EndsWhereRetentionWasFaster) {
  Begin();
  EXPECT_EQ(AtHand(1), Range(2, 2));
  Release();  // up to 10
  replica_.HoldReads();
  EXPECT_EQ(AtHand(1), Range(3, 3));
  store_.TrimBefore(20);
  EXPECT_EQ(AtHand(), Range(4, 10));
  Wish wish;
  EXPECT_EQ(wish.Ask(*subscription_), nullptr);
  replica_.ReleaseReads();
  EXPECT_EQ(GetErrorDetail(wish.Wait().status()).reason, "CURSOR_EXPIRED");
  EXPECT_EQ(subscription_->position(), 10);
}

TEST_F(HubReadAhead, IsNotUsedIfItShowsAnotherEventWhereThePageEnds) {
  Begin();
  EXPECT_EQ(AtHand(), Range(2, 5));
  Wish wish;
  EXPECT_EQ(wish.Ask(*subscription_), nullptr);
  replica_.Lies([](int64_t /*after*/, std::vector<store::StoredEvent>* rows) {
    for (store::StoredEvent& row : *rows) row.payload += "\xfa\x3f\x03new";
  });
  replica_.ReleaseReads();
  EXPECT_EQ(GetErrorDetail(wish.Wait().status()).reason, "CURSOR_FOREIGN");
}

// The page was cut, so what was read ahead does not follow it any more.
TEST_F(HubReadAhead, IsDroppedWhenThePageLosesItsEnd) {
  Append(store_, 4);
  const store::FakeDisk kept = store_.Copy();
  Append(store_, 36);
  Open();
  AppendAndCatchUp(*hub_, store_);
  subscription_ = hub_->Subscribe(Everything(), 0);
  ASSERT_EQ(Follow(*subscription_, 1), Range(1, 1));
  replica_.HoldReads();
  EXPECT_EQ(AtHand(1), Range(2, 2));
  replica_.HoldNoMoreReads();
  GoBackTo(kept, 26);
  Release();
  EXPECT_EQ(Follow(*subscription_, 28), Range(3, 30));
  ExpectNothingWrong();
}

// It was read before the log lost these events, and comes after.
TEST_F(HubReadAhead, IsDroppedWhenTheLogHasLostWhatWasRead) {
  Append(store_, 7);
  const store::FakeDisk kept = store_.Copy();
  Append(store_, 33);
  Open();
  AppendAndCatchUp(*hub_, store_);
  subscription_ = hub_->Subscribe(Everything(), 0);
  ASSERT_EQ(Follow(*subscription_, 1), Range(1, 1));
  const auto before = store::contract::Read(store_, 4, 6);
  ASSERT_TRUE(before.ok());
  replica_.HoldReads();
  EXPECT_EQ(AtHand(1), Range(2, 2));
  replica_.HoldNoMoreReads();
  GoBackTo(kept, 23);
  replica_.Lies([&before](int64_t after, std::vector<store::StoredEvent>* rows) {
    if (after == 4) *rows = *before;
  });
  Release();
  replica_.Lies(nullptr);
  const auto now = store::contract::Read(store_, 0, 100);
  ASSERT_TRUE(now.ok());
  for (int64_t position = 3; position <= 30; ++position) {
    const absl::StatusOr<EventPtr> event = NextOf(*subscription_);
    ASSERT_TRUE(event.ok()) << event.status();
    EXPECT_EQ((*event)->row.position, position);
    EXPECT_EQ((*event)->place.content, ContentOf((*now)[static_cast<size_t>(position) - 1]));
  }
  ExpectNothingWrong();
}

TEST_F(HubReadAhead, LeavesOutWhatDoesNotMatch) {
  for (int i = 0; i < 20; ++i) Append(store_, 1, i % 7 == 0 ? "PM1" : "PM2");
  Open();
  AppendAndCatchUp(*hub_, store_);
  subscription_ = hub_->Subscribe(Everything(), 0);
  EXPECT_EQ(Follow(*subscription_, 4), (std::vector<int64_t>{1, 8, 15, 21}));
  ExpectNothingWrong();
}

TEST_F(HubReadAhead, OutlivesItsSubscriptionAndHoldsTheHub) {
  Begin();
  EXPECT_EQ(AtHand(1), Range(2, 2));
  subscription_ = nullptr;
  std::future<void> gone = std::async(std::launch::async, [this] { hub_ = nullptr; });
  EXPECT_EQ(replica_.waiting_reads(), 1u);
  replica_.ReleaseReads();
  gone.get();
}

}  // namespace
}  // namespace ipp::events
