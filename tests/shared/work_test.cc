#include "server/shared/work.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/support/fake_shared_tables.h"

// Single situations that random ones meet too seldom.
namespace ipp::shared {
namespace {

class WorkTest : public testing::Test {
 protected:
  WorkTest() {
    target_.id = 7;
    target_.rules = {.lease = absl::Seconds(30), .max_attempts = 3};
    target_.matches = [](const StoredEvent&) { return true; };
    store::SharedRecord record;
    record.id = 7;
    record.caller = "shop";
    record.name = "orders";
    EXPECT_TRUE(tables_.Insert(record).ok());
    SetNow(start_);
  }

  void SetNow(absl::Time now) { tables_.set_now(now); }
  void Append(const std::string& session) {
    StoredEvent event;
    event.position = static_cast<int64_t>(log_.size()) + 1;
    event.merchant_id = "m";
    event.session_id = session;
    log_.emplace(event.position, std::move(event));
    tables_.set_range(1, static_cast<int64_t>(log_.size()));
  }
  std::vector<Leased> ClaimFor(int free) {
    target_.seed += 1000;
    auto claimed = Claim(tables_, target_, {{.consumer = "pod", .free = free}});
    EXPECT_TRUE(claimed.ok()) << claimed.status();
    return std::move(claimed->leased);
  }
  Outcome Say(const Leased& leased, Action action) {
    target_.seed += 1000;
    const auto settled = Settle(tables_, target_,
                                {{.session = {leased.head.merchant_id, leased.head.session_id},
                                  .position = leased.head.position,
                                  .lease = leased.head.lease,
                                  .action = action,
                                  .extend_by = absl::Minutes(10)}});
    EXPECT_TRUE(settled.ok()) << settled.status();
    return settled->settled.front().outcome;
  }

  const absl::Time start_ = absl::FromUnixSeconds(1'700'000'000);
  Target target_;
  std::map<int64_t, StoredEvent> log_;
  store::FakeSharedRows rows_;
  store::FakeSharedTables tables_{&rows_, &log_};
};

// A redriven event waits while another one of its session is out, and comes before what follows.
TEST_F(WorkTest, ARedrivenEventComesNextInItsSession) {
  for (int i = 0; i < 3; ++i) Append("s1");
  const std::vector<Leased> first = ClaimFor(4);
  ASSERT_EQ(first.size(), 1u);
  EXPECT_EQ(Say(first[0], Action::kPark), Outcome::kSettled);
  const std::vector<Leased> second = ClaimFor(4);
  ASSERT_EQ(second.size(), 1u);
  EXPECT_EQ(second[0].event.position, 2);
  ASSERT_EQ(Redrive(tables_, target_, {})->count, 1);
  EXPECT_TRUE(ClaimFor(4).empty());
  EXPECT_EQ(Say(second[0], Action::kAcknowledge), Outcome::kSettled);
  for (const int64_t position : {1, 3}) {
    const std::vector<Leased> next = ClaimFor(4);
    ASSERT_EQ(next.size(), 1u);
    EXPECT_EQ(next[0].event.position, position);
    EXPECT_EQ(next[0].head.redriven, position == 1);
    EXPECT_EQ(Say(next[0], Action::kAcknowledge), Outcome::kSettled);
  }
  EXPECT_TRUE(rows_.parked.empty());
}

// The search for due sessions begins after the floor.
TEST_F(WorkTest, WhatIsGivenBackJustAtTheFloorIsFound) {
  Append("s1");
  const std::vector<Leased> first = ClaimFor(4);
  ASSERT_EQ(first.size(), 1u);
  SetNow(rows_.records.at(7).due_floor);
  EXPECT_EQ(Say(first[0], Action::kRelease), Outcome::kSettled);
  SetNow(start_ + absl::Seconds(1));
  EXPECT_EQ(ClaimFor(4).size(), 1u);
}

TEST_F(WorkTest, WhatIsGivenBackWhileTheClockIsWrongIsFound) {
  Append("s1");
  const std::vector<Leased> first = ClaimFor(4);
  ASSERT_EQ(first.size(), 1u);
  SetNow(start_ - absl::Hours(1));
  EXPECT_EQ(Say(first[0], Action::kRelease), Outcome::kSettled);
  EXPECT_EQ(ClaimFor(4).size(), 1u);
}

TEST_F(WorkTest, AReleaseIsNoAttempt) {
  Append("s1");
  for (int i = 0; i < 3 * target_.rules.max_attempts; ++i) {
    const std::vector<Leased> leased = ClaimFor(1);
    ASSERT_EQ(leased.size(), 1u) << i;
    EXPECT_EQ(leased[0].head.attempts, 1);
    EXPECT_EQ(Say(leased[0], Action::kRelease), Outcome::kSettled);
  }
}

TEST_F(WorkTest, AnExpiredLeaseWaitsForItsPause) {
  Append("s1");
  ASSERT_EQ(ClaimFor(1).size(), 1u);
  SetNow(start_ + target_.rules.lease + absl::Milliseconds(700));
  EXPECT_EQ(ClaimFor(1).size(), 0u);
  SetNow(start_ + target_.rules.lease + absl::Milliseconds(1300));
  EXPECT_EQ(ClaimFor(1).size(), 1u);
}

// With its pause, which is over when the lease began anew.
TEST_F(WorkTest, AnExtendedLeaseIsNotGivenToAnother) {
  Append("s1");
  const std::vector<Leased> first = ClaimFor(1);
  EXPECT_EQ(Say(first[0], Action::kExtend), Outcome::kExtended);
  SetNow(start_ + absl::Minutes(10) - absl::Seconds(1));
  EXPECT_EQ(ClaimFor(1).size(), 0u);
  SetNow(start_ + absl::Minutes(10) + absl::Seconds(2));
  EXPECT_EQ(ClaimFor(1).size(), 1u);
}

// What no stream has room for stays where it is: as the floor, so the read position.
TEST_F(WorkTest, WhatFindsNoRoomIsFoundLater) {
  for (int i = 0; i < 6; ++i) Append(absl::StrCat("s", i));
  std::vector<Leased> leased = ClaimFor(3);
  ASSERT_EQ(leased.size(), 3u);
  for (const Leased& one : leased) EXPECT_EQ(Say(one, Action::kRelease), Outcome::kSettled);
  std::map<std::string, int> seen;
  for (int i = 0; i < 10; ++i) {
    SetNow(start_ + absl::Seconds(i));
    for (const Leased& one : ClaimFor(1)) {
      ++seen[one.head.session_id];
      EXPECT_EQ(Say(one, Action::kAcknowledge), Outcome::kSettled);
    }
  }
  EXPECT_EQ(seen.size(), 6u);
}

// Each event of a session gets all its attempts.
TEST_F(WorkTest, AttemptsBeginAnewWithTheNextEvent) {
  Append("s1");
  Append("s1");
  absl::Time now = start_;
  for (int event = 0; event < 2; ++event) {
    for (int attempt = 1; attempt <= target_.rules.max_attempts; ++attempt) {
      now += absl::Minutes(10);
      SetNow(now);
      const std::vector<Leased> leased = ClaimFor(1);
      ASSERT_EQ(leased.size(), 1u);
      EXPECT_EQ(leased[0].event.position, event + 1);
      EXPECT_EQ(leased[0].head.attempts, attempt);
      EXPECT_EQ(Say(leased[0], Action::kRetry), Outcome::kSettled);
    }
    EXPECT_EQ(rows_.parked.size(), static_cast<size_t>(event + 1));
  }
}

}  // namespace
}  // namespace ipp::shared
