#include <gtest/gtest.h>

#include "server/base/error.h"
#include "server/events/cursor.h"
#include "tests/events/hub_bed.h"

// The hub over a store that cannot be read, or that forgets.
namespace ipp::events {
namespace {

using namespace fixtures;  // NOLINT: the words of these tests

class EventHubFaults : public HubBed {};

TEST_F(EventHubFaults, FailsTheWishWhenThePageCannotBeReadAndGoesOnLater) {
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

TEST_F(EventHubFaults, ReadsAgainAfterAFailureThatNobodyWaitedFor) {
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

TEST_F(EventHubFaults, TriesAgainWhenTheTailCannotBeRead) {
  Open();
  auto subscription = hub_->Subscribe(Everything(), 0);
  store_.FailReads(absl::UnavailableError("disk"), 2);
  Append(store_, 3);
  EXPECT_EQ(Follow(*subscription, 3), Range(1, 3));
  EXPECT_EQ(metrics_.counter("ipp_events_read_failures_total", "").value(), 2);
}

TEST_F(EventHubFaults, LetsASubscriberStartAheadOfWhatItHasRead) {
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
            EncodeCursor(store.log_id(), {store.bounds().oldest - 1}));
  EXPECT_EQ(detail.metadata.at("latest_cursor"),
            EncodeCursor(store.log_id(), {store.bounds().latest}));
}

TEST_F(EventHubFaults, ResumesAfterTrimWithOutOfRange) {
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

TEST_F(EventHubFaults, EndsAReaderThatRetentionOvertakes) {
  Append(store_, 40);
  Open();
  AppendAndCatchUp(*hub_, store_);
  auto subscription = hub_->Subscribe(Everything(), 0);
  EXPECT_EQ(Follow(*subscription, 1), Range(1, 1));
  replica_.HoldReads();  // nothing is read ahead
  EXPECT_EQ(Follow(*subscription, 1), Range(2, 2));
  store_.TrimBefore(20);
  replica_.ReleaseReads();
  // The page that it has, of five, is still delivered; the next is gone.
  EXPECT_EQ(Follow(*subscription, 3), Range(3, 5));
  ExpectExpired(NextOf(*subscription).status(), store_);
  ExpectExpired(NextOf(*subscription).status(), store_);
}

TEST_F(EventHubFaults, NeedsNothingOfTheStoreForWhatIsInTheTail) {
  Open();
  Append(store_, 40);
  AppendAndCatchUp(*hub_, store_);
  auto subscription = hub_->Subscribe(Everything(), 33);
  store_.TrimBefore(42);
  EXPECT_EQ(Follow(*subscription, 8), Range(34, 41));
}

TEST_F(EventHubFaults, TellsAReaderThatWaitsWhenRetentionWasFasterThanTheHub) {
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

TEST_F(EventHubFaults, GoesOnAfterRetentionTookAllThatItHadNotRead) {
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

}  // namespace
}  // namespace ipp::events
