// What the log learns of a session beside its steps, and sessions that the upstream does not know.

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "server/sessions/session_state.h"
#include "tests/sessions/session_news.h"

namespace ipp::sessions {
namespace {

using namespace fixtures;  // NOLINT: the words of these tests
using Known = std::optional<store::SessionRecord>;

constexpr v1::SessionEventType kDetails = v1::SESSION_EVENT_TYPE_DETAILS;

SessionUpdate CreatesAnswer() {
  SessionUpdate answer = Answer(v1::SESSION_STATUS_CREATED);
  answer.request_id = "request-1";
  answer.trace.traceparent = "00-a-b-01";
  return answer;
}
SessionUpdate Read(v1::SessionStatus status) {
  SessionUpdate read = Answer(status, v1::SESSION_EVENT_SOURCE_RECONCILIATION);
  read.heard_at += absl::Seconds(20);
  return read;
}

// ---- Details. ----

// The create's answer was lost, no read went through, and the customer has paid meanwhile.
TEST(SessionDetails, TellTheWholeOfASessionWhoseStepsWentOutThin) {
  SessionUpdate created = Webhook(v1::SESSION_EVENT_TYPE_CREATED);
  created.hold = true;
  Known known = Advance({}, created).record;
  for (const auto type : {v1::SESSION_EVENT_TYPE_ACTIVATED, v1::SESSION_EVENT_TYPE_FINALIZED}) {
    Step step = Advance(known, Webhook(type));
    for (const auto& event : step.events) EXPECT_EQ(event.event.session().device_id(), "");
    known = step.record;
  }
  SessionUpdate read = Read(v1::SESSION_STATUS_FINALIZED);
  read.request_id = "request-1";
  read.trace.traceparent = "00-a-b-01";
  const Step step = Advance(known, read);
  ASSERT_EQ(step.events.size(), 1u);
  const v1::SessionEvent& event = step.events[0].event;
  EXPECT_EQ(event.type(), kDetails);
  EXPECT_EQ(event.event_id(), "gevt_PM1_s1_details_1");
  EXPECT_EQ(event.request_id(), "request-1");
  EXPECT_EQ(event.traceparent(), "00-a-b-01");
  EXPECT_EQ(event.source(), v1::SESSION_EVENT_SOURCE_RECONCILIATION);
  EXPECT_EQ(event.upstream_type(), "");
  EXPECT_EQ(event.order_id(), "o1");
  EXPECT_EQ(event.session().merchant_reference1(), "ref1");
  EXPECT_EQ(event.session().device_id(), "d1");
  EXPECT_EQ(event.session().order_amount(), 1000);
  EXPECT_EQ(event.session().status(), v1::SESSION_STATUS_FINALIZED);
  EXPECT_EQ(StatusAfter(event.type()), v1::SESSION_STATUS_UNSPECIFIED) << "no second end";
  // The same computed again is the same event; the same heard again is none.
  EXPECT_EQ(Advance(known, read).events[0].event.SerializeAsString(), event.SerializeAsString());
  EXPECT_TRUE(Advance(step.record, read).events.empty());
}

TEST(SessionDetails, AreNotToldWhenTheStepItselfTellsTheWhole) {
  const Known thin = Advance({}, Webhook(v1::SESSION_EVENT_TYPE_CREATED)).record;
  const Step step = Advance(thin, Read(v1::SESSION_STATUS_EXPIRED));
  ASSERT_EQ(step.events.size(), 1u);
  EXPECT_EQ(step.events[0].event.type(), v1::SESSION_EVENT_TYPE_EXPIRED);
  EXPECT_EQ(step.events[0].event.session().device_id(), "d1");
  EXPECT_TRUE(Advance(step.record, Read(v1::SESSION_STATUS_EXPIRED)).events.empty());
}

TEST(SessionDetails, AreNotToldOfACreatedThatWasHeldUntilItWasWhole) {
  SessionUpdate created = Webhook(v1::SESSION_EVENT_TYPE_CREATED);
  created.hold = true;
  const Step step = Advance(Advance({}, created).record, CreatesAnswer());
  ASSERT_EQ(step.events.size(), 1u);
  EXPECT_EQ(step.events[0].event.type(), v1::SESSION_EVENT_TYPE_CREATED);
  EXPECT_EQ(step.events[0].event.request_id(), "request-1");
}

TEST(SessionDetails, AreNotToldWhenNothingWasMissing) {
  Known known = Advance({}, CreatesAnswer()).record;
  for (const auto type : {v1::SESSION_EVENT_TYPE_ACTIVATED, v1::SESSION_EVENT_TYPE_CANCELLED}) {
    known = Advance(known, Webhook(type)).record;
    EXPECT_TRUE(Advance(known, Read(known->session.status())).events.empty());
  }
}

TEST(SessionDetails, NameTheCreateThatIsLearntLater) {
  const Known known = Advance({}, Read(v1::SESSION_STATUS_CREATED)).record;
  const Step step = Advance(known, CreatesAnswer());
  ASSERT_EQ(step.events.size(), 1u);
  EXPECT_EQ(step.events[0].event.type(), kDetails);
  EXPECT_EQ(step.events[0].event.request_id(), "request-1");
}

TEST(SessionDetails, TellTheOrderThatCameAfterTheEnd) {
  SessionUpdate bare = Webhook(v1::SESSION_EVENT_TYPE_FINALIZED);
  bare.order_id = "";
  const Known known = Advance(Advance({}, CreatesAnswer()).record, bare).record;
  Step step = Advance(known, Webhook(v1::SESSION_EVENT_TYPE_FINALIZED));
  ASSERT_EQ(step.events.size(), 1u);
  EXPECT_EQ(step.events[0].event.type(), kDetails);
  EXPECT_EQ(step.events[0].event.order_id(), "o1");
  EXPECT_EQ(step.events[0].event.event_id(), "gevt_PM1_s1_details_1");
  v1::Session whole = WholeSession(v1::SESSION_STATUS_FINALIZED);
  whole.mutable_purchase_completed_at()->set_seconds(1);
  step = Advance(step.record, Answer(whole));
  EXPECT_TRUE(step.events.empty());  // the time alone is worth none
  EXPECT_TRUE(step.record->session.has_purchase_completed_at());
}

// A webhook need not say the order: a read may know it, and one that does not is enough.
TEST(SessionDetails, AreReadForWhenTheEndToldNoOrder) {
  const Known whole = Advance({}, CreatesAnswer()).record;
  SessionUpdate end = Webhook(v1::SESSION_EVENT_TYPE_FINALIZED);
  end.order_id.clear();
  const Known ended = Advance(whole, end).record;
  ASSERT_TRUE(ended.has_value());
  EXPECT_FALSE(ended->open);
  EXPECT_EQ(ended->next_check_at, end.heard_at + CheckTimes().complete);

  const Step told = Advance(ended, Read(v1::SESSION_STATUS_FINALIZED));
  ASSERT_EQ(told.events.size(), 1u);
  EXPECT_EQ(told.events[0].event.type(), kDetails);
  EXPECT_EQ(told.events[0].event.order_id(), "o1");
  EXPECT_EQ(told.record->next_check_at, absl::InfiniteFuture());

  SessionUpdate without = Read(v1::SESSION_STATUS_FINALIZED);
  without.session->clear_order_id();
  const Step silent = Advance(ended, without);
  EXPECT_TRUE(silent.events.empty());
  ASSERT_TRUE(silent.record.has_value());
  EXPECT_EQ(silent.record->next_check_at, absl::InfiniteFuture());

  // With the order nothing is to be found out, nor at another end.
  EXPECT_EQ(Advance(whole, Webhook(v1::SESSION_EVENT_TYPE_FINALIZED)).record->next_check_at,
            absl::InfiniteFuture());
  EXPECT_EQ(Advance(whole, Webhook(v1::SESSION_EVENT_TYPE_CANCELLED)).record->next_check_at,
            absl::InfiniteFuture());
}

TEST(SessionDetails, LearnTheCreateAlsoWhereFinalStatusesDisagree) {
  const Known known = Advance({}, Webhook(v1::SESSION_EVENT_TYPE_CANCELLED)).record;
  SessionUpdate read = Answer(v1::SESSION_STATUS_FINALIZED);
  read.request_id = "request-1";
  const Step disagrees = Advance(known, read);
  EXPECT_EQ(disagrees.effect, UpdateEffect::kDisagrees);
  EXPECT_EQ(disagrees.record->request_id, "request-1");
  read.source = v1::SESSION_EVENT_SOURCE_RECONCILIATION;
  const Step corrected = Advance(known, read);
  EXPECT_EQ(corrected.effect, UpdateEffect::kCorrected);
  EXPECT_EQ(corrected.events.at(0).event.request_id(), "request-1");
}

// ---- Words that we do not know. ----

TEST(UnknownWord, MakesASessionDueForAReadAtOnce) {
  Known known = Advance({}, CreatesAnswer()).record;
  for (const auto status : {v1::SESSION_STATUS_CREATED, v1::SESSION_STATUS_FINALIZED}) {
    known->session.set_status(status);
    known->open = !IsFinal(status);
    const Step step = Advance(known, Webhook(v1::SESSION_EVENT_TYPE_UNSPECIFIED));
    EXPECT_EQ(step.effect, UpdateEffect::kRecorded);
    ASSERT_EQ(step.events.size(), 1u);
    EXPECT_EQ(step.events[0].event.session().device_id(), "d1");
    ASSERT_TRUE(step.record);
    EXPECT_EQ(step.record->next_check_at, kHeardAt);
    EXPECT_EQ(step.record->session.status(), status);
  }
}

TEST(UnknownWord, MakesARecordOfASessionThatWasNotKnown) {
  const Step step = Advance({}, Webhook(v1::SESSION_EVENT_TYPE_UNSPECIFIED));
  ASSERT_TRUE(step.record);
  EXPECT_EQ(step.record->next_check_at, kHeardAt);
  EXPECT_TRUE(step.record->open);
  // Its steps have their events all the same, and a read shows the whole.
  EXPECT_EQ(Advance(step.record, Webhook(v1::SESSION_EVENT_TYPE_CREATED)).effect,
            UpdateEffect::kAdvanced);
  const Step read = Advance(step.record, Read(v1::SESSION_STATUS_ACTIVE));
  ASSERT_EQ(read.events.size(), 1u);
  EXPECT_EQ(read.events[0].event.type(), v1::SESSION_EVENT_TYPE_ACTIVATED);
}

// ---- Sessions that the upstream does not know. ----

// Reads after `pauses`, all answered 404; the events of the last one.
Step Missed(Known known, const std::vector<absl::Duration>& pauses) {
  Step step;
  for (const absl::Duration pause : pauses) {
    ++known->checks;
    step = Miss(*known, kHeardAt + pause);
    if (step.record) known = step.record;
  }
  step.record = known;
  return step;
}

TEST(MissingSession, EndsOnceAfterTenMinutesWhenItWasNeverRead) {
  const Known known = Advance({}, Webhook(v1::SESSION_EVENT_TYPE_CREATED)).record;
  Step step = Missed(known, {absl::Seconds(1), absl::Minutes(5), absl::Minutes(10)});
  EXPECT_TRUE(step.events.empty());
  EXPECT_TRUE(step.record->open);
  EXPECT_EQ(step.record->next_check_at, known->next_check_at) << "not put off";
  step.record->next_check_at = absl::InfiniteFuture();
  step = Miss(*step.record, kHeardAt + absl::Minutes(10));
  EXPECT_EQ(step.record->next_check_at, kHeardAt + absl::Seconds(601)) << "read in time for it";

  step = Miss(*step.record, kHeardAt + absl::Seconds(601));
  ASSERT_EQ(step.events.size(), 1u);
  const v1::SessionEvent& event = step.events[0].event;
  EXPECT_EQ(event.type(), v1::SESSION_EVENT_TYPE_FAILED);
  EXPECT_EQ(event.event_id(), "gevt_PM1_s1_failed");
  EXPECT_EQ(event.failure_reason(), "not_found_upstream");
  EXPECT_EQ(event.source(), v1::SESSION_EVENT_SOURCE_RECONCILIATION);
  EXPECT_EQ(event.session().status(), v1::SESSION_STATUS_FAILED);
  EXPECT_FALSE(step.record->open);
  EXPECT_EQ(step.record->next_check_at, absl::InfiniteFuture());
  EXPECT_TRUE(Miss(*step.record, kHeardAt + absl::Hours(1)).events.empty());
}

TEST(MissingSession, IsWaitedForLongerWhenItWasReadBefore) {
  const Known known = Advance({}, CreatesAnswer()).record;
  Step step = Missed(known, {absl::Seconds(1), absl::Hours(1), absl::Hours(24)});
  EXPECT_TRUE(step.events.empty());
  step = Miss(*step.record, kHeardAt + absl::Hours(24) + absl::Seconds(1));
  ASSERT_EQ(step.events.size(), 1u);
  EXPECT_EQ(step.events[0].event.session().device_id(), "d1");
}

TEST(MissingSession, IsNotEndedByAClockThatJumps) {
  const Known known = Advance({}, Webhook(v1::SESSION_EVENT_TYPE_CREATED)).record;
  const Step step = Missed(known, {absl::Seconds(1), absl::Hours(200)});
  EXPECT_TRUE(step.events.empty());
  EXPECT_TRUE(step.record->open);
}

TEST(MissingSession, IsMissingAnewAfterAReadThatFoundIt) {
  const Known known = Advance({}, CreatesAnswer()).record;
  Step step = Missed(known, {absl::Seconds(1), absl::Hours(23), absl::Hours(23)});
  step = Advance(step.record, Answer(v1::SESSION_STATUS_CREATED));
  EXPECT_EQ(step.effect, UpdateEffect::kRepeated);
  ASSERT_TRUE(step.record);
  EXPECT_EQ(step.record->missing_since, absl::InfiniteFuture());
}

TEST(MissingSession, IsCorrectedWhenItTurnsUpAfterAll) {
  Known known = Advance({}, Webhook(v1::SESSION_EVENT_TYPE_CREATED)).record;
  known = Missed(known, {absl::Seconds(1), absl::Minutes(8), absl::Minutes(11)}).record;
  ASSERT_FALSE(known->open);
  Step step = Advance(known, Webhook(v1::SESSION_EVENT_TYPE_FINALIZED));
  EXPECT_EQ(step.effect, UpdateEffect::kDisagrees);
  step = Advance(step.record, Read(v1::SESSION_STATUS_FINALIZED));
  EXPECT_EQ(step.effect, UpdateEffect::kCorrected);
  EXPECT_EQ(step.events.at(0).event.type(), v1::SESSION_EVENT_TYPE_CORRECTED);
  EXPECT_EQ(step.events.at(0).event.session().order_id(), "o1");
}

TEST(MissingSession, ThatHasEndedByAWebhookIsOnlyNotReadAgain) {
  const Known known = Advance({}, Webhook(v1::SESSION_EVENT_TYPE_FINALIZED)).record;
  const Step step = Missed(known, {absl::Seconds(1), absl::Minutes(8), absl::Minutes(11)});
  EXPECT_TRUE(step.events.empty());
  EXPECT_EQ(step.record->session.status(), v1::SESSION_STATUS_FINALIZED);
  EXPECT_EQ(step.record->next_check_at, absl::InfiniteFuture());
}

}  // namespace
}  // namespace ipp::sessions
