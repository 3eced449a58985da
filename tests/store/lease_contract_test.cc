#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "tests/store/store_contract.h"

namespace ipp::store {
namespace {

using namespace contract;  // NOLINT: the words of these tests
using testing::ElementsAre;
using testing::IsEmpty;

class LeaseContract : public testing::TestWithParam<std::unique_ptr<StoreBed> (*)()> {
 protected:
  void PutDue(const std::string& session_id, absl::Duration in) {
    SessionRecord record = Record(session_id);
    record.created_at = bed_->clock.Now();
    record.next_check_at = bed_->clock.Now() + in;
    ASSERT_TRUE(Commit(*store_, Put(std::move(record))).ok());
  }

  // Puts off by a minute for each check so far and one more.
  Lease Now(int limit = 100) {
    return {.now = bed_->clock.Now(), .limit = limit, .pause = [](const SessionRecord& record) {
              return absl::Minutes(1 + record.checks);
            }};
  }

  std::vector<std::string> Due(int limit = 100) {
    std::vector<std::string> ids;
    const std::vector<SessionRecord> due = *LeaseDue(*store_, Now(limit));
    for (const SessionRecord& record : due) {
      ids.push_back(record.session.session_id());
    }
    return ids;
  }

  const std::unique_ptr<StoreBed> bed_ = GetParam()();
  std::unique_ptr<Store> store_ = bed_->Open(10000);
};

INSTANTIATE_TEST_SUITE_P(Fake, LeaseContract, testing::Values(&MakeFakeBed));
INSTANTIATE_TEST_SUITE_P(Sqlite, LeaseContract, testing::Values(&MakeSqliteBed));
INSTANTIATE_TEST_SUITE_P(Postgres, LeaseContract, testing::Values(&MakePostgresBed));

TEST_P(LeaseContract, HandsOutWhatIsDueTheLongestDueFirst) {
  PutDue("later", absl::Seconds(5));
  PutDue("first", -absl::Seconds(2));
  PutDue("now", absl::ZeroDuration());
  PutDue("second", -absl::Seconds(1));
  ASSERT_TRUE(Commit(*store_, Put(Record("never"))).ok());

  EXPECT_THAT(Due(2), ElementsAre("first", "second"));
  EXPECT_THAT(Due(), ElementsAre("now"));
  EXPECT_THAT(Due(), IsEmpty());
  bed_->clock.Advance(absl::Seconds(5));
  EXPECT_THAT(Due(), ElementsAre("later"));
}

TEST_P(LeaseContract, PutsOffWhatItHandsOutAndCountsIt) {
  PutDue("s1", absl::ZeroDuration());
  const auto first = *LeaseDue(*store_, Now());
  ASSERT_EQ(first.size(), 1u);
  EXPECT_EQ(first[0].checks, 1);
  EXPECT_EQ(first[0].next_check_at, bed_->clock.Now() + absl::Minutes(1));

  bed_->clock.Advance(absl::Minutes(1));
  const auto second = *LeaseDue(*store_, Now());
  ASSERT_EQ(second.size(), 1u);
  EXPECT_EQ(second[0].checks, 2);
  EXPECT_EQ(second[0].next_check_at, bed_->clock.Now() + absl::Minutes(2));

  const auto kept = *Find(*store_, "s1");
  EXPECT_EQ(kept.checks, 2);
  EXPECT_EQ(kept.next_check_at, second[0].next_check_at);
}

// As when the clock of another replica, or our own, was hours ahead for a moment.
TEST_P(LeaseContract, HandsOutWhatWasPutOffForLongerThanIsEverDone) {
  const absl::Time now = bed_->clock.Now();
  SessionRecord late = Record("late"), right = Record("right"), never = Record("never");
  late.next_check_at = now + absl::Hours(3);
  right.next_check_at = now + absl::Minutes(59);
  never.next_check_at = absl::InfiniteFuture();
  for (const SessionRecord& record : {late, right, never}) {
    ASSERT_TRUE(Commit(*store_, Put(record)).ok());
  }
  const auto pause = [](const SessionRecord&) { return absl::Seconds(30); };
  const auto due =
      LeaseDue(*store_, {.now = now, .longest = absl::Hours(1), .limit = 10, .pause = pause});
  ASSERT_TRUE(due.ok()) << due.status();
  ASSERT_EQ(due->size(), 1u);
  EXPECT_EQ(due->front().session.session_id(), "late");
  EXPECT_EQ(Find(*store_, "late")->next_check_at, now + absl::Seconds(30));
}

TEST_P(LeaseContract, IsDurable) {
  PutDue("s1", absl::ZeroDuration());
  EXPECT_THAT(Due(), ElementsAre("s1"));
  store_.reset();
  store_ = bed_->Open(10000);
  EXPECT_THAT(Due(), IsEmpty());
  bed_->clock.Advance(absl::Minutes(1));
  EXPECT_THAT(Due(), ElementsAre("s1"));
}

TEST_P(LeaseContract, SeesWhatWasCommittedBeforeTheCall) {
  SessionRecord record = Record("s1");
  record.next_check_at = bed_->clock.Now();
  std::promise<void> put;
  store_->Commit(Put(record), [&put](absl::StatusOr<Committed> committed) {
    EXPECT_TRUE(committed.ok());
    put.set_value();
  });
  EXPECT_THAT(Due(), ElementsAre("s1"));
  put.get_future().wait();
}

TEST_P(LeaseContract, HandsOutNothingThatCannotBePutOff) {
  PutDue("s1", absl::ZeroDuration());
  bed_->Break();
  EXPECT_TRUE(absl::IsUnavailable(LeaseDue(*store_, Now()).status()));
  bed_->Repair();
  EXPECT_THAT(Due(), ElementsAre("s1"));
}

TEST_P(LeaseContract, LeavesOutTheMerchantsThatItIsToldToLeaveOut) {
  for (const char* merchant : {"PM1", "PM2", "PM3", ""}) {
    SessionRecord record = Record(absl::StrCat("of-", merchant));
    record.merchant_id = merchant;
    record.next_check_at = bed_->clock.Now();
    ASSERT_TRUE(Commit(*store_, Put(std::move(record))).ok());
  }
  const auto due = [&](std::vector<std::string> without) {
    Lease lease = Now();
    lease.without_merchants = std::move(without);
    std::vector<std::string> ids;
    const auto leased = LeaseDue(*store_, std::move(lease));
    EXPECT_TRUE(leased.ok()) << leased.status();
    for (const SessionRecord& record : *leased) {
      ids.push_back(record.session.session_id());
    }
    return ids;
  };
  EXPECT_THAT(due({"PM1", "", "PM3"}), ElementsAre("of-PM2"));
  EXPECT_THAT(due({"PM1", "nobody"}), testing::UnorderedElementsAre("of-", "of-PM3"));
  EXPECT_THAT(due({}), ElementsAre("of-PM1"));
}

TEST_P(LeaseContract, FindsEventsThatAreHeldForLong) {
  const absl::Time start = bed_->clock.Now();
  const auto put = [&](const std::string& id, absl::Duration age, absl::Duration due_in,
                       const std::string& held, const std::string& merchant = "PM1") {
    SessionRecord record = Record(id);
    record.merchant_id = merchant;
    record.created_at = start - age;
    record.next_check_at = start + due_in;
    record.held_event = held;
    ASSERT_TRUE(Commit(*store_, Put(std::move(record))).ok());
  };
  put("older", absl::Seconds(20), absl::ZeroDuration(), "held", "PM2");
  put("old", absl::Seconds(10), -absl::Seconds(1), "held");
  put("young", absl::Seconds(9), -absl::Seconds(1), "held");
  put("told", absl::Seconds(30), -absl::Seconds(1), "");
  put("later", absl::Seconds(30), absl::Seconds(1), "held");
  Lease lease = Now();
  lease.without_merchants = {"PM2"};
  lease.held_since = start - absl::Seconds(10);
  const auto due = *LeaseDue(*store_, std::move(lease));
  ASSERT_EQ(due.size(), 2u);
  EXPECT_EQ(due[0].session.session_id(), "older");
  EXPECT_EQ(due[1].session.session_id(), "old");
  EXPECT_EQ(due[1].next_check_at, start + absl::Minutes(1));
}

TEST_P(LeaseContract, CountsOpenSessions) {
  const absl::Time start = bed_->clock.Now();
  EXPECT_EQ(Open(*store_, start)->count, 0);
  EXPECT_EQ(Open(*store_, start)->oldest, absl::InfiniteFuture());
  PutDue("a", absl::ZeroDuration());
  bed_->clock.Advance(absl::Minutes(1));
  PutDue("b", absl::ZeroDuration());
  SessionRecord ended = Record("c");
  ended.created_at = start - absl::Hours(1);
  ended.open = false;
  ASSERT_TRUE(Commit(*store_, Put(ended)).ok());

  const OpenSessions open = *Open(*store_, start + absl::Seconds(30));
  EXPECT_EQ(open.count, 2);
  EXPECT_EQ(open.overdue, 1);
  EXPECT_EQ(open.oldest, start);
}

TEST_P(LeaseContract, RefreshesItsBounds) {
  ASSERT_TRUE(Commit(*store_, Append("a")).ok());
  const auto bounds =
      Await<LogBounds>([&](Done<LogBounds> done) { store_->RefreshBounds(std::move(done)); });
  ASSERT_TRUE(bounds.ok()) << bounds.status();
  EXPECT_EQ(bounds->oldest, 1);
  EXPECT_EQ(bounds->latest, 1);
}

}  // namespace
}  // namespace ipp::store
