// When the reconciler reads, and what comes of it.

#include "server/sessions/reconciler.h"
#include "absl/strings/ascii.h"
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

class ReconcilerTest : public ReconcilerBed {};

TEST_F(ReconcilerTest, ReadsASessionAsAPartOfTheTraceThatMadeIt) {
  Start();
  const TraceContext trace = {
      .traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
      .tracestate = "vendor=1"};
  store::Transaction made;
  made.merchant_id = "PM1";
  made.session_id = "s1";
  made.decide = [&](const store::Snapshot&) {
    store::SessionRecord record;
    record.merchant_id = "PM1";
    record.session = WholeSession(v1::SESSION_STATUS_CREATED);
    record.trace = trace;
    record.complete = true;
    record.next_check_at = clock_.Now();
    return store::Writes{.session = record};
  };
  one_->store.Commit(std::move(made), [](const auto& committed) { EXPECT_TRUE(committed.ok()); });
  Open("s2");
  Pass(Minutes(1));
  for (const ScriptedReads::Read& read : one_->reads.started()) {
    if (read.session_id == "s1") {
      EXPECT_EQ(read.trace, trace);
    } else {
      EXPECT_THAT(read.trace.trace_id(), SizeIs(32)) << "one of its own";
    }
  }
  EXPECT_GE(one_->reads.Count("s1"), 1u);
  EXPECT_GE(one_->reads.Count("s2"), 1u);
}

// ---- When. ----

TEST_F(ReconcilerTest, ReadsAfterTheFirstPauseThenAfterDoublingOnesUpToTheLongest) {
  Start();
  const absl::Duration start = Now();
  Open("s1");
  Pass(Hours(5));
  std::vector<absl::Duration> gaps = Gaps("s1", start);
  ASSERT_GE(gaps.size(), 10u);
  gaps.resize(10);
  EXPECT_THAT(gaps,
              ElementsAre(Just(Seconds(30)), About(Seconds(60)), About(Seconds(120)),
                          About(Seconds(240)), About(Seconds(480)), About(Seconds(960)),
                          About(Seconds(1920)), About(Hours(1)), About(Hours(1)), About(Hours(1))));
  EXPECT_EQ(one_->Reads("repeated"), one_->reads.started().size());
  EXPECT_THAT(one_->Log(), ElementsAre("CREATED API"));
}

TEST_F(ReconcilerTest, SpreadsSessionsThatWereMadeTogether) {
  options_.max_in_flight = options_.reads_per_second = 1000;
  Start();
  Pass(Seconds(10));
  const absl::Duration start = Now();
  for (int i = 0; i < 200; ++i) Open(absl::StrCat("s", i));
  Pass(Minutes(2));
  absl::Duration least = Hours(1);
  absl::Duration most;
  for (int i = 0; i < 200; ++i) {
    const std::vector<absl::Duration> gaps = Gaps(absl::StrCat("s", i), start);
    ASSERT_THAT(gaps, ElementsAre(Just(Seconds(30)), About(Seconds(60))));
    least = std::min(least, gaps[1]);
    most = std::max(most, gaps[1]);
  }
  EXPECT_LT(least, Seconds(57));
  EXPECT_GT(most, Seconds(63));
}

TEST_F(ReconcilerTest, BeginsAnewAfterNews) {
  Start();
  Open("s1");
  Pass(Minutes(20));
  const absl::Duration heard = Now();
  ASSERT_TRUE(Hear(v1::SESSION_EVENT_TYPE_ACTIVATED).ok());
  one_->reads.Say("s1", v1::SESSION_STATUS_ACTIVE);
  Pass(Minutes(4));
  EXPECT_THAT(Gaps("s1", heard),
              ElementsAre(Just(Seconds(30)), About(Seconds(60)), About(Seconds(120))));
}

TEST_F(ReconcilerTest, BeginsAnewAfterNewsThatItReadItself) {
  Start();
  Open("s1");
  Pass(Seconds(80));
  one_->reads.Say("s1", v1::SESSION_STATUS_ACTIVE);
  Pass(Seconds(20));  // the second read
  EXPECT_THAT(one_->Log(), ElementsAre("CREATED API", "ACTIVATED RECONCILIATION"));
  const absl::Duration read = one_->reads.started().back().at;
  Pass(Minutes(2));
  EXPECT_THAT(Gaps("s1", read), ElementsAre(Just(Seconds(30)), About(Seconds(60))));
}

TEST_F(ReconcilerTest, ReadsNoSessionThatHasEnded) {
  Start();
  Open("s1", v1::SESSION_STATUS_FINALIZED);
  Open("s2");
  ASSERT_TRUE(Hear(v1::SESSION_EVENT_TYPE_CANCELLED, "s2").ok());
  Pass(Hours(2));
  EXPECT_THAT(one_->reads.started(), IsEmpty());
}

// ---- What it writes down. ----

struct ProofRow {
  const char* name;
  v1::SessionStatus status;
  const char* event;
  bool final;
};

class ReconcilerProofTest : public ReconcilerBed, public testing::WithParamInterface<ProofRow> {};

INSTANTIATE_TEST_SUITE_P(
    Of, ReconcilerProofTest,
    testing::Values(ProofRow{"Active", v1::SESSION_STATUS_ACTIVE, "ACTIVATED", false},
                    ProofRow{"Finalized", v1::SESSION_STATUS_FINALIZED, "FINALIZED", true},
                    ProofRow{"Cancelled", v1::SESSION_STATUS_CANCELLED, "CANCELLED", true},
                    ProofRow{"Expired", v1::SESSION_STATUS_EXPIRED, "EXPIRED", true},
                    ProofRow{"Failed", v1::SESSION_STATUS_FAILED, "FAILED", true}),
    [](const auto& info) { return info.param.name; });

TEST_P(ReconcilerProofTest, IsOneEventFromReconciliation) {
  Start();
  Open("s1");
  one_->reads.Say("s1", GetParam().status);
  Pass(Hours(1));
  EXPECT_THAT(one_->Log(),
              ElementsAre("CREATED API", absl::StrCat(GetParam().event, " RECONCILIATION")));
  EXPECT_EQ(Known().session.status(), GetParam().status);
  EXPECT_EQ(Known().open, !GetParam().final);
  EXPECT_EQ(one_->Reads("advanced"), 1);
  if (GetParam().final) {
    EXPECT_THAT(one_->reads.started(), SizeIs(1)) << "and no more reads";
  }
  EXPECT_EQ(one_->metrics
                .counter("ipp_session_events_total", "",
                         {{"source", "reconciliation"},
                          {"type", absl::AsciiStrToLower(GetParam().event)}})
                .value(),
            1);
}

class ReconcilerErrorTest : public ReconcilerBed,
                            public testing::WithParamInterface<absl::StatusCode> {};

INSTANTIATE_TEST_SUITE_P(
    Of, ReconcilerErrorTest,
    testing::Values(absl::StatusCode::kNotFound, absl::StatusCode::kUnavailable,
                    absl::StatusCode::kDeadlineExceeded, absl::StatusCode::kInternal,
                    absl::StatusCode::kResourceExhausted, absl::StatusCode::kPermissionDenied),
    [](const auto& info) { return absl::StatusCodeToString(info.param); });

TEST_P(ReconcilerErrorTest, IsCountedAndTriedAgainAndNoEvent) {
  Start();
  const absl::Duration start = Now();
  Open("s1");
  one_->reads.Say("s1", absl::Status(GetParam(), "not now"));
  Pass(Minutes(10));
  EXPECT_THAT(Gaps("s1", start), ElementsAre(Just(Seconds(30)), About(Seconds(60)),
                                             About(Seconds(120)), About(Seconds(240))));
  EXPECT_THAT(one_->Log(), ElementsAre("CREATED API"));
  EXPECT_EQ(Known().session.status(), v1::SESSION_STATUS_CREATED);
  const bool missing = GetParam() == absl::StatusCode::kNotFound;
  EXPECT_EQ(one_->Reads("not_found"), missing ? 4 : 0);
  EXPECT_EQ(one_->Reads("error"), missing ? 0 : 4);

  one_->reads.Say("s1", v1::SESSION_STATUS_EXPIRED);
  Pass(Minutes(10));
  EXPECT_THAT(one_->Log(), ElementsAre("CREATED API", "EXPIRED RECONCILIATION"));
}

TEST_F(ReconcilerTest, MakesNoEventOfAWordThatItDoesNotKnow) {
  Start();
  Open("s1");
  one_->reads.Say("s1", v1::SESSION_STATUS_UNSPECIFIED);
  Pass(Minutes(1));
  EXPECT_THAT(one_->Log(), ElementsAre("CREATED API"));
  EXPECT_TRUE(Known().open);
  one_->reads.Say("s1", v1::SESSION_STATUS_FAILED);
  Pass(Minutes(2));
  EXPECT_THAT(one_->Log(), ElementsAre("CREATED API", "FAILED RECONCILIATION"));
}

TEST_F(ReconcilerTest, TellsNothingTwiceWhenAWebhookOvertakesTheRead) {
  Start();
  Open("s1");
  one_->reads.Say("s1", v1::SESSION_STATUS_FINALIZED);
  one_->reads.Hold();
  Pass(Seconds(31));
  ASSERT_EQ(one_->reads.waiting(), 1u);
  ASSERT_TRUE(Hear(v1::SESSION_EVENT_TYPE_FINALIZED).ok());
  one_->reads.Release();
  Pass(Hours(1));
  EXPECT_THAT(one_->Log(), ElementsAre("CREATED API", "FINALIZED WEBHOOK"));
  EXPECT_THAT(one_->reads.started(), SizeIs(1));
}

TEST_F(ReconcilerTest, TakesNoStepBackWhenTheReadIsOldByNow) {
  Start();
  Open("s1");
  one_->reads.Hold();
  Pass(Seconds(31));
  ASSERT_TRUE(Hear(v1::SESSION_EVENT_TYPE_ACTIVATED).ok());
  one_->reads.Release();
  Pass(absl::ZeroDuration());
  EXPECT_EQ(one_->Reads("late"), 1);
  EXPECT_EQ(Known().session.status(), v1::SESSION_STATUS_ACTIVE);
  EXPECT_THAT(one_->Log(), ElementsAre("CREATED API", "ACTIVATED WEBHOOK"));
}

// ---- Sessions that are known from a webhook only. ----

TEST_F(ReconcilerTest, CompletesASessionOfAWebhookSoonThenReadsItAsAllOthers) {
  Start();
  one_->reads.Say("s1", v1::SESSION_STATUS_ACTIVE);
  const absl::Duration start = Now();
  ASSERT_TRUE(Hear(v1::SESSION_EVENT_TYPE_ACTIVATED).ok());
  EXPECT_FALSE(Known().complete);
  Pass(Seconds(2));
  EXPECT_THAT(Gaps("s1", start), ElementsAre(Just(Seconds(1))));
  EXPECT_TRUE(Known().complete);
  EXPECT_EQ(Known().session.order_amount(), 1000);
  EXPECT_EQ(one_->Reads("completed"), 1);
  Pass(Minutes(4));
  EXPECT_THAT(Gaps("s1", start), ElementsAre(Just(Seconds(1)), Just(Seconds(30)),
                                             About(Seconds(60)), About(Seconds(120))));
  EXPECT_THAT(one_->Log(), ElementsAre("ACTIVATED WEBHOOK", "DETAILS RECONCILIATION"));
}

TEST_F(ReconcilerTest, CompletesASessionThatHasEndedOnce) {
  Start();
  one_->reads.Say("s1", v1::SESSION_STATUS_FINALIZED);
  ASSERT_TRUE(Hear(v1::SESSION_EVENT_TYPE_FINALIZED).ok());
  Pass(Hours(3));
  EXPECT_THAT(one_->reads.started(), SizeIs(1));
  EXPECT_TRUE(Known().complete);
  EXPECT_EQ(Known().session.order_amount(), 1000);
  EXPECT_THAT(one_->Log(), ElementsAre("FINALIZED WEBHOOK", "DETAILS RECONCILIATION"));
}

TEST_F(ReconcilerTest, TriesAgainToCompleteASession) {
  Start();
  one_->reads.Say("s1", absl::UnavailableError("not now"));
  const absl::Duration start = Now();
  ASSERT_TRUE(Hear(v1::SESSION_EVENT_TYPE_FINALIZED).ok());
  Pass(Minutes(2));
  EXPECT_THAT(Gaps("s1", start),
              ElementsAre(Just(Seconds(1)), About(Seconds(30)), About(Seconds(60))));
  one_->reads.Say("s1", v1::SESSION_STATUS_FINALIZED);
  Pass(Hours(2));
  EXPECT_THAT(one_->reads.started(), SizeIs(4));
  EXPECT_TRUE(Known().complete);
}

// ---- Two final statuses. ----

class ReconcilerDisagreementTest : public ReconcilerBed {
 protected:
  void Disagree() {
    Start();
    Open("s1", v1::SESSION_STATUS_FINALIZED);
    Pass(Hours(2));
    ASSERT_THAT(one_->reads.started(), IsEmpty());
    EXPECT_EQ(*Hear(v1::SESSION_EVENT_TYPE_CANCELLED), UpdateEffect::kDisagrees);
  }
};

TEST_F(ReconcilerDisagreementTest, IsReadAtOnceAndSettledWhenTheRecordWasRight) {
  Disagree();
  Pass(kTick);
  EXPECT_THAT(one_->reads.started(), SizeIs(1));
  Pass(Hours(2));
  EXPECT_THAT(one_->reads.started(), SizeIs(1));
  EXPECT_THAT(one_->Log(), ElementsAre("FINALIZED API"));
  EXPECT_EQ(
      one_->metrics
          .counter("ipp_session_news_total", "", {{"source", "webhook"}, {"verdict", "disagrees"}})
          .value(),
      1);
}

TEST_F(ReconcilerDisagreementTest, IsReadAtOnceAndCorrectedWhenTheRecordWasWrong) {
  Disagree();
  one_->reads.Say("s1", v1::SESSION_STATUS_CANCELLED);
  Pass(kTick);
  EXPECT_THAT(one_->Log(), ElementsAre("FINALIZED API", "CORRECTED RECONCILIATION"));
  EXPECT_EQ(Known().session.status(), v1::SESSION_STATUS_CANCELLED);
  EXPECT_EQ(one_->Reads("corrected"), 1);
  Pass(Hours(2));
  EXPECT_THAT(one_->reads.started(), SizeIs(1));
  EXPECT_THAT(one_->Log(), SizeIs(2));
}

TEST_F(ReconcilerDisagreementTest, IsReadAgainSoonWhenItCouldNotBeRead) {
  Disagree();
  one_->reads.Say("s1", absl::UnavailableError("not now"));
  Pass(Minutes(2));
  one_->reads.Say("s1", v1::SESSION_STATUS_CANCELLED);
  Pass(Minutes(3));
  EXPECT_THAT(one_->Log(), ElementsAre("FINALIZED API", "CORRECTED RECONCILIATION"));
}

// ---- What an operator sees. ----

TEST_F(ReconcilerTest, CountsOpenSessionsTheOldestAndTheOverdue) {
  options_.overdue = Hours(1);
  Start();
  EXPECT_EQ(one_->Open("oldest_open_seconds"), 0);
  Open("s1");
  Pass(Minutes(50));
  Open("s2");
  Open("s3", v1::SESSION_STATUS_FINALIZED);
  Pass(Seconds(20));
  EXPECT_EQ(one_->Open("open"), 2);
  EXPECT_NEAR(one_->Open("oldest_open_seconds"), 50 * 60 + 10, 10.5);
  EXPECT_EQ(one_->Open("overdue"), 0);
  Pass(Minutes(15));
  EXPECT_EQ(one_->Open("overdue"), 1);

  ASSERT_TRUE(Hear(v1::SESSION_EVENT_TYPE_CANCELLED).ok());
  ASSERT_TRUE(Hear(v1::SESSION_EVENT_TYPE_CANCELLED, "s2").ok());
  one_->store.FailReads(absl::UnavailableError("not now"));
  Pass(Seconds(10));
  EXPECT_EQ(one_->Open("open"), 2) << "as last known";
  Pass(Seconds(10));
  EXPECT_EQ(one_->Open("open"), 0);
  EXPECT_EQ(one_->Open("oldest_open_seconds"), 0);
  EXPECT_EQ(one_->Open("overdue"), 0);
}

}  // namespace
}  // namespace ipp::sessions
