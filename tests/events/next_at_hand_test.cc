#include <gtest/gtest.h>

#include <algorithm>

#include "server/events/event_hub.h"
#include "tests/events/hub_bed.h"

namespace ipp::events {
namespace {

using namespace fixtures;  // NOLINT: the words of these tests

class NextAtHand : public HubBed {};

TEST_F(NextAtHand, IsNothingAtTheEndOfTheLogAndMakesNoWish) {
  Append(store_, 3);
  Open();
  auto subscription = hub_->Subscribe(Everything(), 3);
  EXPECT_EQ(subscription->NextAtHand(), nullptr);
  EXPECT_FALSE(subscription->Withdraw());
  AppendAndCatchUp(*hub_, store_);
  const EventPtr event = subscription->NextAtHand();
  ASSERT_NE(event, nullptr);
  EXPECT_EQ(event->row.position, 4);
  EXPECT_EQ(subscription->NextAtHand(), nullptr);
}

TEST_F(NextAtHand, IsNothingWhereItWouldHaveToBeRead) {
  Append(store_, 12);
  Open();  // pages of 5
  auto subscription = hub_->Subscribe(Everything(), 0);
  EXPECT_EQ(subscription->NextAtHand(), nullptr);
  EXPECT_EQ(subscription->position(), 0);
  EXPECT_EQ(Follow(*subscription, 1), Range(1, 1));
  for (int64_t page = 1; page <= 11; page += 5) {
    replica_.HoldReads();  // of what comes after this page
    for (int64_t i = std::max<int64_t>(page, 2); i <= std::min<int64_t>(page + 4, 12); ++i) {
      const EventPtr event = subscription->NextAtHand();
      ASSERT_NE(event, nullptr) << i;
      EXPECT_EQ(event->row.position, i);
    }
    EXPECT_EQ(subscription->NextAtHand(), nullptr);
    replica_.ReleaseReads();
    Settle();
  }
  ExpectNothingWrong();
}

TEST_F(NextAtHand, PassesOverWhatDoesNotMatch) {
  Append(store_, 2);
  Append(store_, 2, "PM2");
  Open();
  auto subscription = hub_->Subscribe(Everything(), 0);
  EXPECT_EQ(Follow(*subscription, 2), Range(1, 2));
  EXPECT_EQ(subscription->NextAtHand(), nullptr);
  EXPECT_EQ(subscription->position(), 4);
  Wish wish;
  EXPECT_EQ(wish.Ask(*subscription), nullptr);
  Append(store_, 1);
  const auto event = wish.Wait();
  ASSERT_TRUE(event.ok()) << event.status();
  EXPECT_EQ((*event)->row.position, 5);
}

TEST_F(NextAtHand, IsNothingWhileAPageIsOnItsWay) {
  Append(store_, 12);
  Open();
  auto subscription = hub_->Subscribe(Everything(), 0);
  replica_.HoldReads();
  Wish wish;
  EXPECT_EQ(wish.Ask(*subscription), nullptr);
  EXPECT_TRUE(subscription->Withdraw());
  EXPECT_EQ(subscription->NextAtHand(), nullptr);
  replica_.ReleaseReads();
  EXPECT_EQ(Follow(*subscription, 12), Range(1, 12));
}

}  // namespace
}  // namespace ipp::events
