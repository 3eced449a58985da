// Sessions that somebody watches.

#include "absl/strings/str_cat.h"
#include "tests/sessions/reconciler_bed.h"

namespace ipp::sessions {
namespace {

using namespace fixtures;  // NOLINT: the words of these tests
using absl::Hours;
using absl::Minutes;
using absl::Seconds;
using testing::Each;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class ReconcilerWatchTest : public ReconcilerBed {
 protected:
  std::unique_ptr<Reconciler::Watch> Watch(const std::string& session_id = "s1") {
    return one_->reconciler->WatchSession("PM1", session_id);
  }
  // Until the pause is an hour, and just read.
  void GrowOld(const std::string& session_id = "s1") {
    Pass(Hours(5));
    const size_t reads = one_->reads.Count(session_id);
    while (one_->reads.Count(session_id) == reads) Pass(Minutes(1));
    ASSERT_GT(Known(session_id).next_check_at, clock_.Now() + Minutes(50));
  }
};

TEST_F(ReconcilerWatchTest, ReadsItEveryFiveSeconds) {
  Start();
  Open("s1");
  const absl::Duration start = Now();
  const auto watch = Watch();
  Pass(Minutes(2));
  const std::vector<absl::Duration> gaps = Gaps("s1", start);
  EXPECT_GE(gaps.size(), 20u);
  EXPECT_THAT(gaps, Each(About(Seconds(5))));
}

TEST_F(ReconcilerWatchTest, ReadsItSoonAlsoWhenItHadBeenPutOffByAnHour) {
  Start();
  Open("s1");
  GrowOld();
  const absl::Duration start = Now();
  const auto watch = Watch();
  Pass(Minutes(1));
  const std::vector<absl::Duration> gaps = Gaps("s1", start);
  EXPECT_GE(gaps.size(), 10u);
  EXPECT_THAT(gaps, Each(About(Seconds(5))));
}

TEST_F(ReconcilerWatchTest, DoesNotPutOffWhatIsDueSooner) {
  Start();
  const absl::Duration start = Now();
  one_->reads.Say("s1", v1::SESSION_STATUS_ACTIVE);
  ASSERT_TRUE(Hear(v1::SESSION_EVENT_TYPE_ACTIVATED).ok());
  const auto watch = Watch();
  Pass(Seconds(3));
  EXPECT_THAT(Gaps("s1", start), ElementsAre(Just(Seconds(1))));
}

TEST_F(ReconcilerWatchTest, GoesBackToTheScheduleAfterTheWatch) {
  Start();
  Open("s1");
  auto watch = Watch();
  Pass(Minutes(2));
  watch.reset();
  const absl::Duration end = Now();
  Pass(Minutes(7));
  // As if there had been no watch: 30, 90, 210, 450 s after the last news. One more read was due.
  EXPECT_THAT(Gaps("s1", end),
              ElementsAre(testing::Le(Seconds(6)), About(Seconds(120)), About(Seconds(240))));
}

TEST_F(ReconcilerWatchTest, LastsAsLongAsTheLastOfItsWatchers) {
  Start();
  Open("s1");
  auto first = Watch();
  auto second = Watch();
  Pass(Minutes(1));
  first.reset();
  const absl::Duration middle = Now();
  Pass(Minutes(1));
  std::vector<absl::Duration> gaps = Gaps("s1", middle);
  EXPECT_GE(gaps.size(), 10u);
  gaps.erase(gaps.begin());
  EXPECT_THAT(gaps, Each(About(Seconds(5))));
  second.reset();
  const absl::Duration end = Now();
  Pass(Minutes(2));
  EXPECT_LE(Gaps("s1", end).size(), 2u);
}

TEST_F(ReconcilerWatchTest, IsOfOneSessionAndOneMerchant) {
  Start();
  Open("s1");
  Open("s2");
  const auto other = one_->reconciler->WatchSession("PM2", "s1");
  const auto watch = Watch("s2");
  const absl::Duration start = Now();
  Pass(Seconds(29));
  EXPECT_THAT(Gaps("s1", start), IsEmpty());
  EXPECT_GE(Gaps("s2", start).size(), 4u);
}

TEST_F(ReconcilerWatchTest, FindsOutThatItExpiredAndReadsItNoMore) {
  Start();
  Open("s1");
  GrowOld();
  const auto watch = Watch();
  one_->reads.Say("s1", v1::SESSION_STATUS_EXPIRED);
  Pass(Seconds(6));
  EXPECT_THAT(one_->Log(), ElementsAre("CREATED API", "EXPIRED RECONCILIATION"));
  const size_t reads = one_->reads.started().size();
  Pass(Minutes(10));
  EXPECT_THAT(one_->reads.started(), SizeIs(reads));
}

// As many as the tills of a large shop, at an upstream that takes 200 ms for an answer.
TEST_F(ReconcilerWatchTest, FindsOutWithinOnePauseThatSixtyHaveExpired) {
  Start();
  std::vector<std::unique_ptr<Reconciler::Watch>> watches;
  for (int i = 0; i < 60; ++i) {
    Open(absl::StrCat("s", i));
    watches.push_back(Watch(absl::StrCat("s", i)));
  }
  one_->reads.AnswerWhen([this](const ScriptedReads::Read& read) {
    return Now() >= read.at + absl::Milliseconds(200);
  });
  const auto pass = [this](absl::Duration time) {
    for (absl::Duration done; done < time; done += absl::Milliseconds(50)) {
      Pass(absl::Milliseconds(50));
    }
  };
  pass(Seconds(20));
  for (int i = 0; i < 60; ++i) {
    one_->reads.Say(absl::StrCat("s", i), v1::SESSION_STATUS_EXPIRED);
  }
  pass(Seconds(6.5));
  for (int i = 0; i < 60; ++i) {
    EXPECT_THAT(one_->Log(absl::StrCat("s", i)),
                ElementsAre("CREATED API", "EXPIRED RECONCILIATION"));
  }
}

TEST_F(ReconcilerWatchTest, ReadsASessionThatBecomesKnownLater) {
  Start();
  const auto watch = Watch();
  Pass(Minutes(1));
  EXPECT_THAT(one_->reads.started(), IsEmpty());
  Open("s1");
  const absl::Duration known = Now();
  Pass(Minutes(1));
  std::vector<absl::Duration> gaps = Gaps("s1", known);
  ASSERT_GE(gaps.size(), 10u);
  EXPECT_LE(gaps[0], Seconds(8));
  gaps.erase(gaps.begin());
  EXPECT_THAT(gaps, Each(About(Seconds(5))));
}

TEST_F(ReconcilerWatchTest, IsNotLostWhenTheStoreFailed) {
  Start();
  Open("s1");
  GrowOld();
  const absl::Duration start = Now();
  one_->store.FailCommits(absl::UnavailableError("disk full"), 1);
  const auto watch = Watch();
  Pass(Seconds(9));
  EXPECT_THAT(Gaps("s1", start), SizeIs(1));
}

TEST_F(ReconcilerWatchTest, ReadsItSoonAlsoWhenAnotherReplicaLeasesIt) {
  // It takes every lease first, and has no watcher.
  const auto other = NewReplica();
  other->reconciler->Start();
  Start();
  Open("s1");
  other->reads.Say("s1", v1::SESSION_STATUS_CREATED);
  Pass(Minutes(20), {other.get()});
  const auto watch = Watch();
  const absl::Duration start = Now();
  Pass(Minutes(2), {other.get()});
  std::vector<absl::Duration> times = one_->reads.Times("s1");
  const std::vector<absl::Duration> others = other->reads.Times("s1");
  EXPECT_GT(others.size(), 10u) << "it did take leases";
  times.insert(times.end(), others.begin(), others.end());
  times.push_back(Now());
  std::sort(times.begin(), times.end());
  absl::Duration last = start;
  for (const absl::Duration at : times) {
    if (at < start) continue;
    EXPECT_LE(at - last, Seconds(7.5));
    last = at;
  }
}

TEST_F(ReconcilerWatchTest, DoesNotReadItASecondTimeWhileAReadHangs) {
  Start();
  Open("s1");
  for (int i = 0; i < 20; ++i) Open(absl::StrCat("other", i));
  const auto watch = Watch();
  one_->reads.AnswerWhen([](const ScriptedReads::Read& read) { return read.session_id != "s1"; });
  Pass(Minutes(1));
  EXPECT_EQ(one_->reads.Count("s1"), 1u);
  EXPECT_EQ(one_->reads.waiting(), 1u);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(one_->reads.Count(absl::StrCat("other", i)), 1u);
  one_->reads.Release();
  Pass(Minutes(1));
  EXPECT_GE(one_->reads.Count("s1"), 10u);
  EXPECT_EQ(one_->reads.doubled(), 0);
}

TEST_F(ReconcilerWatchTest, MayBeginBeforeStartAndEndAfterStop) {
  one_ = NewReplica();
  auto early = one_->reconciler->WatchSession("PM1", "s1");
  one_->reconciler->Start();
  Open("s1");
  Pass(Minutes(1));
  EXPECT_GE(one_->reads.Count("s1"), 9u);
  one_->reconciler->Stop();
  auto late = Watch();
  one_->reads.Refuse();
  Pass(Minutes(1));
  early.reset();
  late.reset();
}

}  // namespace
}  // namespace ipp::sessions
