#include <gtest/gtest.h>

#include <future>
#include <memory>

#include "server/base/error.h"
#include "server/events/cursor.h"
#include "tests/events/hub_bed.h"

// Where subscriptions begin: with what is kept, and ahead of what the hub has read.
namespace ipp::events {
namespace {

using namespace fixtures;  // NOLINT: the words of these tests

// A start whose end can be waited for.
class Start {
 public:
  // True: done at once.
  bool Ask(Subscription& subscription) {
    auto promise = std::make_shared<std::promise<absl::Status>>();
    answer_ = promise->get_future();
    return subscription.StartWithKept(
        [promise](absl::Status status) { promise->set_value(std::move(status)); });
  }
  absl::Status Wait() { return answer_.get(); }

 private:
  std::future<absl::Status> answer_;
};

absl::Status StartOf(Subscription& subscription) {
  Start start;
  return start.Ask(subscription) ? absl::OkStatus() : start.Wait();
}

class HubStarts : public HubBed {};

TEST_F(HubStarts, BeginsWhereAskedWhenAllIsKept) {
  Append(store_, 40);
  Open();
  AppendAndCatchUp(*hub_, store_);
  for (const int64_t after : {0, 7, 30, 36, 40, 41}) {
    auto subscription = hub_->Subscribe(Everything(), after);
    EXPECT_TRUE(StartOf(*subscription).ok());
    EXPECT_EQ(subscription->position(), after);
    EXPECT_EQ(Follow(*subscription, 41 - after), Range(after + 1, 41));
  }
  ExpectNothingWrong();
}

TEST_F(HubStarts, BeginsWithWhatIsKept) {
  Append(store_, 40);
  Open();
  AppendAndCatchUp(*hub_, store_);
  store_.TrimBefore(20);
  auto subscription = hub_->Subscribe(Everything(), 3);
  EXPECT_TRUE(StartOf(*subscription).ok());
  EXPECT_EQ(subscription->position(), 19);
  EXPECT_EQ(Follow(*subscription, 22), Range(20, 41));
  ExpectNothingWrong();
}

TEST_F(HubStarts, BeginsWithWhatIsKeptThoughTheBoundsLag) {
  Append(store_, 40);
  Open();
  AppendAndCatchUp(*hub_, store_);
  replica_.HoldBounds();
  store_.TrimBefore(20);
  auto subscription = hub_->Subscribe(Everything(), replica_.bounds().oldest - 1);
  EXPECT_TRUE(StartOf(*subscription).ok());
  EXPECT_EQ(subscription->position(), 19);
}

TEST_F(HubStarts, RacedByATrimBeginsWithWhatIsLeft) {
  Append(store_, 40);
  Open();
  AppendAndCatchUp(*hub_, store_);
  auto subscription = hub_->Subscribe(Everything(), store_.bounds().oldest - 1);
  replica_.HoldReads();
  Start start;
  EXPECT_FALSE(start.Ask(*subscription));
  store_.TrimBefore(11);
  replica_.ReleaseReads();
  EXPECT_TRUE(start.Wait().ok());
  EXPECT_EQ(subscription->position(), 10);
  EXPECT_EQ(Follow(*subscription, 31), Range(11, 41));
}

TEST_F(HubStarts, RacedByATrimThatLeavesNothingBeginsAtTheEnd) {
  Append(store_, 40);
  Open();
  auto subscription = hub_->Subscribe(Everything(), 0);
  replica_.HoldReads();
  Start start;
  EXPECT_FALSE(start.Ask(*subscription));
  store_.TrimBefore(41);
  replica_.ReleaseReads();
  EXPECT_TRUE(start.Wait().ok());
  EXPECT_EQ(subscription->position(), 40);
  Append(store_, 2);
  EXPECT_EQ(Follow(*subscription, 2), Range(41, 42));
}

// Between the two another trim can come, and a tail that moves on.
TEST_F(HubStarts, HoldsOnToWhereItBegan) {
  Append(store_, 40);
  Open();
  AppendAndCatchUp(*hub_, store_);
  auto in_history = hub_->Subscribe(Everything(), 5);
  auto in_the_tail = hub_->Subscribe(Everything(), 40);
  EXPECT_TRUE(StartOf(*in_history).ok());
  EXPECT_TRUE(StartOf(*in_the_tail).ok());
  Append(store_, 100);
  AppendAndCatchUp(*hub_, store_);
  store_.TrimBefore(142);
  EXPECT_EQ(Follow(*in_history, 1), Range(6, 6));
  EXPECT_EQ(Follow(*in_the_tail, 1), Range(41, 41));
  // From there on they are overtaken like everybody.
  EXPECT_EQ(Follow(*in_history, 4), Range(7, 10)) << "the rest of its page";
  EXPECT_TRUE(absl::IsOutOfRange(NextOf(*in_history).status()));
  EXPECT_TRUE(absl::IsOutOfRange(NextOf(*in_the_tail).status()));
}

TEST_F(HubStarts, FailsWhenTheStoreDoes) {
  Append(store_, 40);
  Open();
  AppendAndCatchUp(*hub_, store_);
  auto subscription = hub_->Subscribe(Everything(), 3);
  store_.FailReads(absl::UnavailableError("disk"));
  const absl::Status status = StartOf(*subscription);
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_EQ(GetErrorDetail(status).reason, "STORE_UNAVAILABLE");
  EXPECT_EQ(subscription->position(), 3);
  // The same when only the bounds cannot be had.
  store_.TrimBefore(20);
  replica_.FailRefresh(absl::UnavailableError("database"));
  auto again = hub_->Subscribe(Everything(), 3);
  EXPECT_TRUE(absl::IsUnavailable(StartOf(*again)));
}

TEST_F(HubStarts, TellsWhereToGoOnThoughTheBoundsLag) {
  Append(store_, 40);
  Open();
  AppendAndCatchUp(*hub_, store_);
  replica_.HoldBounds();
  store_.TrimBefore(20);
  auto subscription = hub_->Subscribe(Everything(), 3);
  const absl::Status status = NextOf(*subscription).status();
  EXPECT_TRUE(absl::IsOutOfRange(status)) << status;
  EXPECT_EQ(GetErrorDetail(status).metadata.at("oldest_cursor"),
            EncodeCursor(store_.log_id(), {19}));
}

// ---- Among replicas. ----

TEST_F(HubStarts, AheadOfTheTailGetsWhatComesAfterItsCursorAndNothingBefore) {
  replica_.HoldBounds();
  replica_.HoldNews();
  Open();
  // All of it through another replica, where a subscriber came to 7.
  Append(store_, 10);
  auto subscription = hub_->Subscribe(Everything(), 7);
  auto at_the_end = hub_->Subscribe(Everything(), 10);
  Wish wish, wish_at_the_end;
  EXPECT_EQ(wish.Ask(*subscription), nullptr);
  EXPECT_EQ(wish_at_the_end.Ask(*at_the_end), nullptr);
  replica_.Tell();
  EXPECT_EQ((*wish.Wait())->row.position, 8);
  EXPECT_EQ(Follow(*subscription, 2), Range(9, 10));
  EXPECT_FALSE(wish_at_the_end.answered());
  Append(store_, 1);
  EXPECT_EQ((*wish_at_the_end.Wait())->row.position, 11);
  EXPECT_EQ(Follow(*subscription, 1), Range(11, 11));
  ExpectNothingWrong();
}

TEST_F(HubStarts, AheadOfTheTailMayStartWithWhatIsKept) {
  replica_.HoldBounds();
  replica_.HoldNews();
  Open();
  Append(store_, 10);
  auto subscription = hub_->Subscribe(Everything(), 7);
  EXPECT_TRUE(StartOf(*subscription).ok());
  EXPECT_EQ(subscription->position(), 7);
  replica_.Tell();
  EXPECT_EQ(Follow(*subscription, 3), Range(8, 10));
}

TEST_F(HubStarts, BehindRetentionMayStartWithWhatIsKept) {
  replica_.HoldNews();
  Open();
  Append(store_, 4);
  store_.TrimBefore(3);
  auto subscription = hub_->Subscribe(Everything(), 1);
  EXPECT_TRUE(StartOf(*subscription).ok());
  replica_.Tell();
  EXPECT_EQ(Follow(*subscription, 2), Range(3, 4));
}

TEST_F(HubStarts, SeesWhatTheBoundsDidNotShowWhenItBegan) {
  replica_.HoldBounds();
  Append(store_, 3);  // not in the bounds that the hub sees first
  Open();
  auto subscription = hub_->Subscribe(Everything(), 0);
  Wish wish;
  EXPECT_EQ(wish.Ask(*subscription), nullptr);
  Append(store_, 1);
  EXPECT_EQ((*wish.Wait())->row.position, 1);
  EXPECT_EQ(Follow(*subscription, 3), Range(2, 4));
}

TEST_F(HubStarts, AsksTheLogItselfBeforeItRefusesAPlace) {
  Append(store_, 10);
  replica_.HoldBounds();
  Append(store_, 5);
  store_.TrimBefore(4);
  const auto check = [this](int64_t position) {
    std::promise<absl::Status> promise;
    CheckPlaceInLog(&replica_, {position}, "after_cursor",
                    [&promise](absl::Status status) { promise.set_value(std::move(status)); });
    return promise.get_future().get();
  };
  EXPECT_TRUE(check(12).ok());
  EXPECT_TRUE(check(15).ok());
  EXPECT_EQ(GetErrorDetail(check(16)).reason, "CURSOR_FOREIGN");
  EXPECT_TRUE(check(3).ok());
  EXPECT_EQ(GetErrorDetail(check(2)).reason, "CURSOR_EXPIRED");
  replica_.FailRefresh(absl::UnavailableError("database at 10.0.0.7"));
  const absl::Status status = check(12);
  EXPECT_EQ(GetErrorDetail(status).reason, "STORE_UNAVAILABLE");
  EXPECT_EQ(status.message().find("10.0.0.7"), absl::string_view::npos);
}

}  // namespace
}  // namespace ipp::events
