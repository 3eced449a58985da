// How much the reconciler reads, and what it does when store or upstream cannot keep up.

#include "absl/strings/str_cat.h"
#include "tests/sessions/reconciler_bed.h"

namespace ipp::sessions {
namespace {

using namespace fixtures;  // NOLINT: the words of these tests
using absl::Hours;
using absl::Minutes;
using absl::Seconds;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

absl::Status Busy(absl::Duration wait) {
  return MakeError(
      absl::StatusCode::kResourceExhausted, "slow down",
      {.reason = "UPSTREAM_RATE_LIMIT", .metadata = {}, .violations = {}, .retry_after = wait});
}

class ReconcilerBudgetTest : public ReconcilerBed {
 protected:
  ReconcilerBudgetTest() {
    options_.max_in_flight = 2;
    options_.reads_per_second = 20;
  }
  // All due at the same time, that of the last one.
  void OpenMany(int count) {
    for (int i = 0; i < count; ++i) Open(absl::StrCat("s", i));
  }
  size_t Started() const { return one_->reads.started().size(); }
};

// ---- The budget. ----

TEST_F(ReconcilerBudgetTest, NeverHasMoreThanMaxInFlightAndGoesOnAtOnce) {
  options_.max_in_flight = 3;
  Start();
  OpenMany(50);
  one_->reads.Hold();
  Pass(Seconds(60));
  EXPECT_EQ(Started(), 3u);
  for (size_t i = 1; i <= 10; ++i) {
    one_->reads.AnswerOne(WholeSession(v1::SESSION_STATUS_CREATED));
    one_->store.RunAll();
    EXPECT_EQ(Started(), 3 + i) << "without a tick";
  }
  EXPECT_EQ(one_->reads.most_waiting(), 3u);
}

TEST_F(ReconcilerBudgetTest, ReadsAllThatIsDueInOneGoWhileTheBudgetLasts) {
  options_.reads_per_second = 1000;
  Start();
  OpenMany(100);
  Pass(Seconds(31));
  ASSERT_EQ(Started(), 100u);
  EXPECT_EQ(one_->reads.started().front().at, one_->reads.started().back().at);
  EXPECT_LE(one_->reads.most_waiting(), 2u);
}

TEST_F(ReconcilerBudgetTest, KeepsToReadsPerSecondOverALongTime) {
  Start();
  OpenMany(2000);  // take 100 s; the second reads come due meanwhile
  Pass(Seconds(30));
  const absl::Duration start = Now();
  Pass(Minutes(2));
  const std::vector<ScriptedReads::Read>& reads = one_->reads.started();
  EXPECT_NEAR(static_cast<double>(reads.size()), 20 * 120, 40);
  // In any window: the average, and a second's worth saved up before.
  for (const absl::Duration window : {Seconds(1), Seconds(10), Seconds(60)}) {
    for (size_t first = 0, last = 0; last < reads.size(); ++last) {
      while (reads[last].at - reads[first].at > window) ++first;
      ASSERT_LE(last - first + 1, 20 * absl::ToInt64Seconds(window) + 20 + 10) << window;
    }
  }
  size_t unread = 0;
  for (int i = 0; i < 2000; ++i) unread += one_->reads.Count(absl::StrCat("s", i)) == 0;
  EXPECT_EQ(unread, 0u) << "those that wait longest come first";
  EXPECT_GE(reads.back().at, start);
}

TEST_F(ReconcilerBudgetTest, KeepsToOneReadASecond) {
  options_.reads_per_second = 1;
  Start();
  OpenMany(100);
  Pass(Seconds(30));
  const size_t before = Started();
  Pass(Seconds(50));
  EXPECT_NEAR(static_cast<double>(Started() - before), 50, 3);
}

TEST_F(ReconcilerBudgetTest, IsNotBlownWhenTheTimeIsSet) {
  Start();
  OpenMany(1000);
  clock_.SetWall(clock_.Now() + Hours(24));
  Pass(Seconds(10));
  EXPECT_NEAR(static_cast<double>(Started()), 20 * 10 + 10, 15);
  clock_.SetWall(clock_.Now() - Hours(1));
  const size_t before = Started();
  SessionUpdate news = Webhook(v1::SESSION_EVENT_TYPE_ACTIVATED);
  news.session_id = "new";
  news.heard_at = absl::Time();
  ASSERT_TRUE(one_->Record(news).ok());
  Pass(Minutes(2));
  EXPECT_GT(Started(), before);
  EXPECT_GE(one_->reads.Count("new"), 1u);
}

// ---- An upstream that asks for patience. ----

TEST_F(ReconcilerBudgetTest, ReadsNothingForAsLongAsTheUpstreamSays) {
  Start();
  OpenMany(50);
  one_->reads.Say("s0", Busy(Minutes(4)));
  one_->reads.Hold();
  Pass(Seconds(31));
  ASSERT_EQ(Started(), 2u);
  one_->reads.Release();
  Pass(absl::ZeroDuration());
  const absl::Duration told = Now();
  EXPECT_EQ(one_->Reads("error"), 1);
  Pass(Minutes(4) - Seconds(1));
  EXPECT_EQ(Started(), 2u);
  Pass(Minutes(1));
  EXPECT_GE(Started(), 50u);
  EXPECT_GE(one_->reads.started()[2].at, told + Minutes(4));
  EXPECT_LE(one_->reads.started()[2].at, told + Minutes(4) + kTick);
}

TEST_F(ReconcilerBudgetTest, HeedsNoLongerWaitThanFiveMinutes) {
  Start();
  OpenMany(50);
  one_->reads.Hold();
  Pass(Seconds(31));
  one_->reads.AnswerOne(Busy(Hours(24)));
  const absl::Duration told = Now();
  one_->reads.Release();
  Pass(Minutes(6));
  ASSERT_GE(Started(), 3u);
  EXPECT_GE(one_->reads.started()[2].at, told + Minutes(5));
  EXPECT_LE(one_->reads.started()[2].at, told + Minutes(5) + kTick);
}

TEST_F(ReconcilerBudgetTest, LetsOneMerchantWaitAndReadsTheOthers) {
  Start();
  OpenMany(20);
  for (int i = 0; i < 20; ++i) {
    SessionUpdate news = Answer(v1::SESSION_STATUS_CREATED);
    news.merchant_id = "PM2";
    news.session_id = absl::StrCat("other", i);
    news.session->set_session_id(news.session_id);
    news.heard_at = absl::Time();
    ASSERT_TRUE(one_->Record(news).ok());
    one_->reads.Say(news.session_id, v1::SESSION_STATUS_EXPIRED);
  }
  for (int i = 0; i < 20; ++i) one_->reads.Say(absl::StrCat("s", i), Busy(Hours(1)));
  Pass(Minutes(2));
  EXPECT_LE(one_->Reads("error"), 2) << "those that were under way";
  for (int i = 0; i < 20; ++i) {
    EXPECT_THAT(one_->Log(absl::StrCat("other", i)),
                ElementsAre("CREATED API", "EXPIRED RECONCILIATION"));
  }
}

TEST_F(ReconcilerBudgetTest, LeavesTheRoomThatItIsToldToLeave) {
  int room = 1;
  options_.max_in_flight = 16;
  options_.room = [&room] { return room; };
  Start();
  OpenMany(50);
  one_->reads.Hold();
  Pass(Seconds(40));
  EXPECT_EQ(Started(), 1u);
  room = 100;
  Pass(Seconds(1));
  EXPECT_EQ(Started(), 16u);
}

// ---- Events that are held. ----

TEST_F(ReconcilerBudgetTest, TellsWhatIsHeldAlsoWhileNoReadEnds) {
  Start();
  for (int i = 0; i < 5; ++i) {
    store::SessionRecord record;
    record.merchant_id = i == 4 ? "PM2" : "PM1";
    record.session.set_session_id(absl::StrCat("held", i));
    record.session.set_status(v1::SESSION_STATUS_CREATED);
    record.created_at = record.updated_at = record.next_check_at = clock_.Now();
    v1::SessionEvent event;
    event.set_type(v1::SESSION_EVENT_TYPE_CREATED);
    event.set_session_id(record.session.session_id());
    event.set_source(v1::SESSION_EVENT_SOURCE_WEBHOOK);
    record.held_event = event.SerializeAsString();
    disk_->sessions[{record.merchant_id, record.session.session_id()}] = record;
  }
  one_->reads.Say("held0", Busy(Hours(1)));
  one_->reads.AnswerWhen(
      [](const ScriptedReads::Read& read) { return read.session_id == "held0"; });
  Pass(Seconds(9));
  EXPECT_THAT(one_->store.events(), IsEmpty());
  Pass(Seconds(4));
  EXPECT_THAT(one_->store.events(), SizeIs(5));
  Pass(Seconds(20));
  EXPECT_THAT(one_->store.events(), SizeIs(5));
}

// ---- Sessions that the upstream does not know. ----

TEST_F(ReconcilerBudgetTest, EndsASessionThatIsNotFoundAndReadsItNoMore) {
  Start();
  ASSERT_TRUE(Hear(v1::SESSION_EVENT_TYPE_CREATED, "test-event").ok());
  Pass(Minutes(9));
  EXPECT_THAT(one_->Log("test-event"), ElementsAre("CREATED WEBHOOK"));
  Pass(Minutes(3));
  EXPECT_THAT(one_->Log("test-event"), ElementsAre("CREATED WEBHOOK", "FAILED RECONCILIATION"));
  const size_t reads = Started();
  Pass(Hours(30));
  EXPECT_EQ(Started(), reads);
  EXPECT_EQ(one_->Open("open"), 0);
  EXPECT_EQ(one_->Open("overdue"), 0);
}

TEST_F(ReconcilerBudgetTest, DoesNotLetAShorterWaitEndALongerOne) {
  Start();
  OpenMany(50);
  one_->reads.Hold();
  Pass(Seconds(31));
  one_->reads.AnswerOne(Busy(Minutes(5)));
  one_->reads.AnswerOne(Busy(Seconds(1)));
  const absl::Duration told = Now();
  one_->reads.Release();
  Pass(Minutes(6));
  EXPECT_GE(one_->reads.started().at(2).at, told + Minutes(5));
}

TEST_F(ReconcilerBudgetTest, WaitsAsLongAsItWasToldAlsoWhenTheTimeIsSet) {
  Start();
  OpenMany(50);
  one_->reads.Hold();
  Pass(Seconds(31));
  one_->reads.AnswerOne(Busy(Minutes(1)));
  one_->reads.Release();
  clock_.SetWall(clock_.Now() + Hours(5));
  Pass(Seconds(50));
  EXPECT_EQ(Started(), 2u);
  clock_.SetWall(clock_.Now() - Hours(4));
  Pass(Seconds(20));
  EXPECT_GT(Started(), 2u);
}

// ---- A store that fails. ----

TEST_F(ReconcilerBudgetTest, ReadsNothingWithoutALeaseAndTriesAgain) {
  Start();
  OpenMany(50);
  Pass(Seconds(29));
  one_->store.FailCommits(absl::UnavailableError("disk full"), 45);  // two leases a second, a third
  Pass(Seconds(14));
  EXPECT_THAT(one_->reads.started(), IsEmpty());
  one_->reads.Hold();
  Pass(Seconds(10));
  EXPECT_EQ(Started(), 2u) << "nothing of the budget was lost";
}

TEST_F(ReconcilerBudgetTest, DoesNotHeapUpCallsToAStoreThatHangs) {
  Start();
  Open("s1");
  Open("s2");
  const auto watch = one_->reconciler->WatchSession("PM1", "s2");
  one_->store.Hold();
  Pass(Minutes(5));
  EXPECT_LE(one_->store.waiting(), 4u) << "two leases, a count, what the watch asked for";
  one_->store.Release();
  Pass(Minutes(1));
  EXPECT_GE(one_->reads.Count("s1"), 1u);
  EXPECT_GE(one_->reads.Count("s2"), 10u);
}

TEST_F(ReconcilerBudgetTest, ReadsAgainAfterThePauseWhatCouldNotBeWrittenDown) {
  Start();
  const absl::Duration start = Now();
  Open("s1");
  one_->reads.Say("s1", v1::SESSION_STATUS_FAILED);
  one_->reads.Hold();
  Pass(Seconds(31));
  ASSERT_EQ(one_->reads.waiting(), 1u);
  one_->store.FailCommits(absl::UnavailableError("disk full"), 1);
  one_->reads.Release();
  Pass(Seconds(20));
  EXPECT_EQ(one_->Reads("not_recorded"), 1);
  EXPECT_THAT(one_->Log(), ElementsAre("CREATED API"));
  Pass(Hours(1));
  EXPECT_THAT(Gaps("s1", start), ElementsAre(Just(Seconds(30)), About(Seconds(60))));
  EXPECT_THAT(one_->Log(), ElementsAre("CREATED API", "FAILED RECONCILIATION"));
}

// ---- A replica that dies. ----

TEST_F(ReconcilerBudgetTest, IsTakenUpByTheNextOneAfterACrashBetweenLeaseAndRead) {
  Start();
  const absl::Duration start = Now();
  Open("s1");
  AskForALease();
  one_->reconciler->Stop();
  one_->reads.Refuse();
  one_->store.Release();
  one_->Settle();
  ASSERT_EQ(Known().checks, 1) << "it got one";

  Start();
  one_->reads.Say("s1", v1::SESSION_STATUS_EXPIRED);
  Pass(Hours(1));
  const std::vector<absl::Duration> gaps = Gaps("s1", start);
  ASSERT_THAT(gaps, SizeIs(1));
  EXPECT_GE(gaps[0], Seconds(30) + Seconds(54));
  EXPECT_LE(gaps[0], Seconds(31) + Seconds(66) + kTick);
  EXPECT_THAT(one_->Log(), ElementsAre("CREATED API", "EXPIRED RECONCILIATION"));
}

TEST_F(ReconcilerBudgetTest, IsTakenUpByTheNextOneAfterACrashDuringARead) {
  Start();
  const absl::Duration start = Now();
  Open("s1");
  one_->reads.Hold();
  Pass(Seconds(31));
  ASSERT_EQ(one_->reads.waiting(), 1u);
  one_.reset();

  Start();
  one_->reads.Say("s1", v1::SESSION_STATUS_EXPIRED);
  Pass(Hours(1));
  const std::vector<absl::Duration> gaps = Gaps("s1", start);
  ASSERT_THAT(gaps, SizeIs(1));
  EXPECT_GE(gaps[0], Seconds(30) + Seconds(54));
  EXPECT_LE(gaps[0], Seconds(31) + Seconds(66) + kTick);
  EXPECT_THAT(one_->Log(), ElementsAre("CREATED API", "EXPIRED RECONCILIATION"));
}

TEST_F(ReconcilerBudgetTest, FindsOutAfterALongStopWhatWentUnheard) {
  Start();
  OpenMany(200);
  one_.reset();
  Pass(Hours(10));
  one_ = NewReplica();
  for (int i = 0; i < 200; ++i) one_->reads.Say(absl::StrCat("s", i), v1::SESSION_STATUS_EXPIRED);
  one_->reconciler->Start();
  Pass(Seconds(15));
  for (int i = 0; i < 200; ++i) {
    EXPECT_THAT(one_->Log(absl::StrCat("s", i)),
                ElementsAre("CREATED API", "EXPIRED RECONCILIATION"));
  }
}

}  // namespace
}  // namespace ipp::sessions
