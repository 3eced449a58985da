#include "server/creates/create_ledger.h"

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/sessions/session_recorder.h"
#include "tests/sessions/session_news.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_store.h"

namespace ipp::creates {
namespace {

using namespace sessions;            // NOLINT: who settles creates
using namespace sessions::fixtures;  // NOLINT: the words of these tests
using store::IntentRecord;
using store::IntentState;
using Answer = std::optional<absl::StatusOr<Reservation>>;

const TraceContext kTrace = {
    .traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    .tracestate = "vendor=1"};

class CreateLedgerTest : public testing::Test {
 protected:
  static Create SomeCreate(const std::string& request = "request") {
    return {.merchant_id = "PM1",
            .request_id = "r1",
            .rpc = "CreateSession",
            .caller = "till",
            .trace = kTrace,
            .request = request};
  }

  // The answer comes when the store and the scheduler are run.
  std::shared_ptr<Answer> Reserve(CreateLedger& ledger, Create create = SomeCreate(),
                                  absl::Duration patience = absl::Seconds(10)) {
    auto answer = std::make_shared<Answer>();
    ledger.Reserve(
        std::move(create), clock_.Now() + patience, [this] { return wanted_; },
        [this, answer](absl::StatusOr<Reservation> reservation) {
          if (reservation.ok() && reservation->what == Reservation::kSend)
            begun_ = reservation->known;
          *answer = std::move(reservation);
        });
    EXPECT_FALSE(*answer) << "inside the call";
    store_.RunAll();
    return answer;
  }

  IntentRecord Close(CreateLedger& ledger, IntentState state, const std::string& text = "") {
    ledger.Complete(ledger.Completion(begun_, state, text),
                    [](const absl::Status& status) { EXPECT_TRUE(status.ok()) << status; });
    store_.RunAll();
    return Known();
  }
  IntentRecord Known() {
    std::optional<IntentRecord> known;
    store_.FindIntent("PM1", "r1", [&](absl::StatusOr<IntentRecord> intent) {
      ASSERT_TRUE(intent.ok()) << intent.status();
      known = *std::move(intent);
    });
    store_.RunAll();
    return known.value_or(IntentRecord());
  }

  void Pass(absl::Duration time) {
    for (absl::Duration passed; passed < time; passed += absl::Milliseconds(50)) {
      scheduler_.Advance(absl::Milliseconds(50));
      store_.RunAll();
    }
  }

  // The session turns up and names the create.
  void TurnUp(const std::string& session_id = "s1") {
    SessionUpdate news =
        fixtures::Answer(v1::SESSION_STATUS_CREATED, v1::SESSION_EVENT_SOURCE_RECONCILIATION);
    news.session_id = session_id;
    news.session->set_session_id(session_id);
    news.request_id = "r1";
    recorder_.Record(std::move(news), [](absl::StatusOr<Recorded> recorded) {
      EXPECT_TRUE(recorded.ok()) << recorded.status();
    });
    store_.RunAll();
  }

  FakeClock clock_;
  FakeScheduler scheduler_{&clock_};
  Metrics metrics_;
  bool wanted_ = true;
  IntentRecord begun_;  // the last that is to be sent
  store::FakeStore store_{&clock_, store::FakeStore::Mode::kManual};
  SessionRecorder recorder_{&store_, &metrics_};
  CreateLedger ledger_{&store_, &clock_, &scheduler_, &metrics_, {}};
};

Reservation::What WhatOf(const std::shared_ptr<Answer>& answer) {
  EXPECT_TRUE(*answer) << "no answer yet";
  EXPECT_TRUE((*answer)->ok()) << (*answer)->status();
  return (*answer)->value().what;
}

TEST_F(CreateLedgerTest, WritesACreateDownBeforeItIsSent) {
  const int before = store_.commits();
  EXPECT_EQ(WhatOf(Reserve(ledger_)), Reservation::kSend);
  EXPECT_EQ(store_.commits(), before + 1);
}

// A gateway whose clock is wrong, beside others on one database: what it writes is dated as theirs.
TEST_F(CreateLedgerTest, GoesByTheStoresTime) {
  Counter& orphaned = metrics_.counter("ipp_creates_orphaned_total", "");
  for (const absl::Duration ahead : {absl::Hours(24 * 400), -absl::Hours(24 * 400)}) {
    store_.SetAhead(ahead);
    CreateLedger ledger(&store_, &clock_, &scheduler_, &metrics_, {});
    ledger.Start();
    store_.RunAll();
    Create create = SomeCreate();
    create.request_id = ahead > absl::ZeroDuration() ? "r1" : "r2";
    create.discoverable = true;
    const absl::Time now = store_.Now();
    EXPECT_EQ(WhatOf(Reserve(ledger, create)), Reservation::kSend);
    EXPECT_EQ(begun_.created_at, now);
    EXPECT_EQ(begun_.under_way_until, now + LedgerOptions{}.under_way);
    EXPECT_EQ(begun_.settle_by, now + LedgerOptions{}.settle);
    // A sweep leaves it alone while it is under way, and not for longer.
    const double before = orphaned.value();
    Pass(LedgerOptions{}.under_way - absl::Seconds(2));
    EXPECT_EQ(orphaned.value(), before);
    Pass(absl::Seconds(4));
    EXPECT_EQ(orphaned.value(), before + 1);
    ledger.Stop();
  }
}

TEST_F(CreateLedgerTest, SendsNothingThatCouldNotBeWrittenDown) {
  store_.FailCommits(absl::UnavailableError("disk full"));
  const auto answer = Reserve(ledger_);
  ASSERT_TRUE(*answer);
  EXPECT_TRUE(absl::IsUnavailable((*answer)->status()));
}

TEST_F(CreateLedgerTest, ReplaysWhatWasDone) {
  Reserve(ledger_);
  Close(ledger_, IntentState::kExecuted, "answer");
  const auto again = Reserve(ledger_);
  EXPECT_EQ(WhatOf(again), Reservation::kReplay);
  EXPECT_EQ((*again)->value().known.answer, "answer");
}

TEST_F(CreateLedgerTest, ReplaysARefusal) {
  Reserve(ledger_);
  Close(ledger_, IntentState::kRejected, "refusal");
  const auto again = Reserve(ledger_);
  EXPECT_EQ(WhatOf(again), Reservation::kRefuse);
  EXPECT_EQ((*again)->value().known.answer, "refusal");
}

TEST_F(CreateLedgerTest, SendsAgainWhatWasNotSent) {
  Reserve(ledger_);
  Close(ledger_, IntentState::kNotSent);
  EXPECT_EQ(WhatOf(Reserve(ledger_)), Reservation::kSend);
}

TEST_F(CreateLedgerTest, KeepsTheTraceOfTheCallThatItIsSentFor) {
  Reserve(ledger_);
  EXPECT_EQ(Close(ledger_, IntentState::kNotSent).trace, kTrace);
  Create again = SomeCreate();
  again.trace = NewTrace();
  Reserve(ledger_, again);
  EXPECT_EQ(Close(ledger_, IntentState::kUnknown).trace, again.trace);
  Reserve(ledger_, SomeCreate(), absl::Milliseconds(10));
  EXPECT_EQ(Known().trace, again.trace) << "that call sent nothing";
}

TEST_F(CreateLedgerTest, TellsAnotherRequestUnderTheSameId) {
  Reserve(ledger_);
  const auto other = Reserve(ledger_, SomeCreate("another"));
  EXPECT_EQ(WhatOf(other), Reservation::kDiffers);
  EXPECT_EQ((*other)->value().known.request, "request");
  Create enrollment = SomeCreate();
  enrollment.rpc = "CreateEnrollment";
  EXPECT_EQ(WhatOf(Reserve(ledger_, enrollment)), Reservation::kDiffers);
  Create elsewhere = SomeCreate("another");
  elsewhere.merchant_id = "PM2";
  EXPECT_EQ(WhatOf(Reserve(ledger_, elsewhere)), Reservation::kSend)
      << "an id is the merchant's own";
}

TEST_F(CreateLedgerTest, JoinsTheOneThatIsUnderWay) {
  Reserve(ledger_);
  const auto second = Reserve(ledger_);
  EXPECT_FALSE(*second);
  Pass(absl::Seconds(1));
  EXPECT_FALSE(*second);
  Close(ledger_, IntentState::kExecuted, "answer");
  Pass(absl::Seconds(1));
  EXPECT_EQ(WhatOf(second), Reservation::kReplay);
}

TEST_F(CreateLedgerTest, JoinsTheOneThatIsUnderWayOnAnotherReplica) {
  CreateLedger other(&store_, &clock_, &scheduler_, &metrics_, {});
  Reserve(other);
  const auto second = Reserve(ledger_);
  Close(other, IntentState::kExecuted, "answer");
  Pass(absl::Seconds(1));
  EXPECT_EQ(WhatOf(second), Reservation::kReplay);
}

TEST_F(CreateLedgerTest, TakesOverWhatTheFirstCouldNotSend) {
  Reserve(ledger_);
  const auto second = Reserve(ledger_);
  const auto third = Reserve(ledger_);
  Close(ledger_, IntentState::kNotSent);
  Pass(absl::Seconds(1));
  // One of the two; the other goes on waiting for it.
  EXPECT_EQ(second->has_value() + third->has_value(), 1);
  EXPECT_EQ(WhatOf(*second ? second : third), Reservation::kSend);
  Close(ledger_, IntentState::kExecuted, "answer");
  Pass(absl::Seconds(1));
  EXPECT_EQ(WhatOf(*second && WhatOf(second) == Reservation::kSend ? third : second),
            Reservation::kReplay);
}

TEST_F(CreateLedgerTest, WaitsNoLongerThanItsCaller) {
  Reserve(ledger_);
  const auto second = Reserve(ledger_, SomeCreate(), absl::Seconds(2));
  Pass(absl::Seconds(3));
  EXPECT_EQ(WhatOf(second), Reservation::kUnsettled);
  const auto third = Reserve(ledger_);
  wanted_ = false;
  Pass(absl::Seconds(1));
  ASSERT_TRUE(*third);
  EXPECT_TRUE(absl::IsCancelled((*third)->status()));
}

TEST_F(CreateLedgerTest, NeverSendsAgainWhatMayHaveBeenDone) {
  Reserve(ledger_);
  Close(ledger_, IntentState::kUnknown);
  const auto again = Reserve(ledger_, SomeCreate(), absl::Seconds(2));
  Pass(absl::Seconds(3));
  EXPECT_EQ(WhatOf(again), Reservation::kUnsettled);
}

TEST_F(CreateLedgerTest, AnswersWithTheSessionOnceItTurnsUp) {
  Reserve(ledger_);
  Close(ledger_, IntentState::kUnknown);
  const auto again = Reserve(ledger_);
  EXPECT_FALSE(*again);
  TurnUp();
  Pass(absl::Seconds(1));
  EXPECT_EQ(WhatOf(again), Reservation::kReplay);
  v1::CreateSessionResponse answer;
  ASSERT_TRUE(answer.ParseFromString((*again)->value().known.answer));
  EXPECT_EQ(answer.session().session_id(), "s1");
  EXPECT_EQ((*again)->value().known.session_id, "s1");
  EXPECT_EQ(store_.events().at(0).request_id(), "r1");
  EXPECT_EQ(metrics_.counter("ipp_creates_settled_total", "").value(), 1);
}

TEST_F(CreateLedgerTest, GivesUpHopeWhenItIsTooLate) {
  Reserve(ledger_);
  Close(ledger_, IntentState::kUnknown);
  Pass(LedgerOptions().settle);
  EXPECT_EQ(WhatOf(Reserve(ledger_)), Reservation::kUnsettled) << "at once";
  // Better late than never.
  TurnUp();
  EXPECT_EQ(WhatOf(Reserve(ledger_)), Reservation::kReplay);
}

TEST_F(CreateLedgerTest, KeepsWhatWasSettledBeforeItWasClosed) {
  Reserve(ledger_);
  TurnUp();
  EXPECT_EQ(Close(ledger_, IntentState::kUnknown).state, IntentState::kExecuted);
  EXPECT_EQ(WhatOf(Reserve(ledger_)), Reservation::kReplay);
}

TEST_F(CreateLedgerTest, KnowsASecondSessionOfOneCreateByItsOwnIdOnly) {
  Reserve(ledger_);
  TurnUp("s1");
  testing::internal::CaptureStderr();
  TurnUp("s2");
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              testing::HasSubstr("error one create made two sessions merchant=PM1 request_id=r1 "
                                 "session=s1 second=s2 trace_id="));
  EXPECT_EQ(metrics_.counter("ipp_creates_doubled_total", "").value(), 1);
  const auto again = Reserve(ledger_);
  EXPECT_EQ((*again)->value().known.session_id, "s1");
  EXPECT_EQ(store_.events().at(1).session_id(), "s2");
  EXPECT_EQ(store_.events().at(1).request_id(), "");
  EXPECT_EQ(store_.events().at(1).traceparent(), "");
}

TEST_F(CreateLedgerTest, FindsAtStartUpWhatTheProcessBeforeLeft) {
  Reserve(ledger_);
  {
    CreateLedger next(&store_, &clock_, &scheduler_, &metrics_, {});
    next.Start();
    store_.RunAll();
    next.Stop();
    store_.RunAll();
    const auto again = Reserve(next, SomeCreate(), absl::Milliseconds(100));
    Pass(absl::Seconds(1));
    EXPECT_EQ(WhatOf(again), Reservation::kUnsettled);
    EXPECT_EQ((*again)->value().known.state, IntentState::kUnknown);
  }
  EXPECT_EQ(metrics_.counter("ipp_creates_orphaned_total", "").value(), 1);
}

TEST_F(CreateLedgerTest, TakesNoCreateOfItsOwnForOneOfTheProcessBefore) {
  for (int i = 0; i < 150; ++i) {
    Create old = SomeCreate();
    old.request_id = absl::StrCat("old", i);
    Reserve(ledger_, old);
  }
  CreateLedger next(&store_, &clock_, &scheduler_, &metrics_, {});
  next.Start();
  EXPECT_EQ(WhatOf(Reserve(next)), Reservation::kSend);
  Pass(absl::Seconds(5));
  EXPECT_EQ(Known().state, IntentState::kUnderWay);
  EXPECT_EQ(metrics_.counter("ipp_creates_orphaned_total", "").value(), 150);
  next.Stop();
  store_.RunAll();
}

TEST_F(CreateLedgerTest, SweepsWhatHasBeenUnderWayForTooLong) {
  ledger_.Start();
  store_.RunAll();
  Reserve(ledger_);
  Pass(LedgerOptions().under_way);
  EXPECT_EQ(metrics_.counter("ipp_creates_orphaned_total", "").value(), 0);
  Pass(absl::Seconds(2));
  EXPECT_EQ(metrics_.counter("ipp_creates_orphaned_total", "").value(), 1);
  Pass(absl::Seconds(10));
  EXPECT_EQ(metrics_.gauge("ipp_creates_unknown", "").value(), 1);
  EXPECT_GT(metrics_.gauge("ipp_creates_oldest_unknown_seconds", "").value(), 60);
  ledger_.Stop();
  store_.RunAll();
}

// ---- A store that fails. ----

TEST_F(CreateLedgerTest, SendsWhatACommitThatWasTriedAgainFindsWrittenByItself) {
  store_.CommitTwice();
  EXPECT_EQ(WhatOf(Reserve(ledger_)), Reservation::kSend);
}

TEST_F(CreateLedgerTest, TakesBackWhatWasWrittenDownWithoutItsCallersKnowledge) {
  ledger_.Start();
  store_.RunAll();
  store_.LoseAnswer(absl::UnavailableError("connection lost"));
  const auto first = Reserve(ledger_);
  ASSERT_TRUE(*first);
  EXPECT_TRUE(absl::IsUnavailable((*first)->status()));
  EXPECT_EQ(Known().state, IntentState::kUnderWay);
  const auto second = Reserve(ledger_);
  EXPECT_FALSE(*second) << "somebody may be at it";
  store_.FailCommits(absl::UnavailableError("down"), 3);
  Pass(absl::Seconds(10));
  EXPECT_EQ(WhatOf(second), Reservation::kSend);
  ledger_.Stop();
  store_.RunAll();
}

TEST_F(CreateLedgerTest, KeepsTryingToWriteDownWhatBecameOfACreate) {
  ledger_.Start();
  store_.RunAll();
  Reserve(ledger_);
  store_.FailCommits(absl::UnavailableError("down"), 5);
  absl::Status told;
  ledger_.Complete(ledger_.Completion(begun_, IntentState::kExecuted, "answer"),
                   [&](const absl::Status& status) { told = status; });
  store_.RunAll();
  EXPECT_TRUE(absl::IsUnavailable(told));
  Pass(absl::Seconds(10));
  EXPECT_EQ(Known().state, IntentState::kExecuted);
  EXPECT_EQ(Known().answer, "answer");
  ledger_.Stop();
  store_.RunAll();
}

// What the first could not write down comes late, when another is at it.
TEST_F(CreateLedgerTest, LeavesAloneWhatAnotherTookOver) {
  ledger_.Start();
  store_.RunAll();
  Reserve(ledger_);
  store_.LoseAnswer(absl::UnavailableError("connection lost"));
  ledger_.Complete(ledger_.Completion(begun_, IntentState::kNotSent, ""),
                   [](const absl::Status&) {});
  store_.RunAll();
  EXPECT_EQ(WhatOf(Reserve(ledger_)), Reservation::kSend);
  Pass(absl::Seconds(5));
  EXPECT_EQ(Known().state, IntentState::kUnderWay);
  const auto third = Reserve(ledger_, SomeCreate(), absl::Seconds(1));
  Pass(absl::Seconds(2));
  EXPECT_EQ(WhatOf(third), Reservation::kUnsettled) << "not sent a second time";
  ledger_.Stop();
  store_.RunAll();
}

// ---- Webhooks that overtake the answer. ----

class HeldEvents : public CreateLedgerTest {
 protected:
  void Hear(SessionUpdate news) {
    recorder_.Record(std::move(news), [](absl::StatusOr<Recorded> recorded) {
      EXPECT_TRUE(recorded.ok()) << recorded.status();
    });
    store_.RunAll();
  }
  std::vector<v1::SessionEventType> Types() {
    std::vector<v1::SessionEventType> types;
    for (const auto& event : store_.events()) types.push_back(event.type());
    return types;
  }
};

TEST_F(HeldEvents, TellACreatedWebhookAtOnceWhenNothingIsBeingCreated) {
  Hear(Webhook(v1::SESSION_EVENT_TYPE_CREATED));
  EXPECT_THAT(Types(), testing::ElementsAre(v1::SESSION_EVENT_TYPE_CREATED));
}

TEST_F(HeldEvents, WaitForTheAnswerThatTheWebhookOvertook) {
  Reserve(ledger_);
  Hear(Webhook(v1::SESSION_EVENT_TYPE_CREATED));
  EXPECT_THAT(Types(), testing::IsEmpty());
  Hear(Webhook(v1::SESSION_EVENT_TYPE_CREATED));
  EXPECT_THAT(Types(), testing::IsEmpty()) << "told twice by another id";
  TurnUp();
  ASSERT_THAT(Types(), testing::ElementsAre(v1::SESSION_EVENT_TYPE_CREATED));
  const v1::SessionEvent event = store_.events().at(0);
  EXPECT_EQ(event.event_id(), "kevt_1");
  EXPECT_EQ(event.source(), v1::SESSION_EVENT_SOURCE_WEBHOOK);
  EXPECT_EQ(event.request_id(), "r1");
  EXPECT_EQ(event.traceparent(), kTrace.traceparent);
  EXPECT_EQ(event.session().device_id(), "d1");
}

TEST_F(CreateLedgerTest, LendsItsTraceToAllThatIsToldOfItsSession) {
  Reserve(ledger_);
  TurnUp();
  for (const v1::SessionEventType type :
       {v1::SESSION_EVENT_TYPE_UNSPECIFIED, v1::SESSION_EVENT_TYPE_PAYMENT_FAILED,
        v1::SESSION_EVENT_TYPE_FINALIZED}) {
    SessionUpdate news = Webhook(type);
    news.event_id = v1::SessionEventType_Name(type);
    std::optional<absl::StatusOr<Recorded>> recorded;
    recorder_.Record(std::move(news),
                     [&](absl::StatusOr<Recorded> answer) { recorded = std::move(answer); });
    store_.RunAll();
    ASSERT_TRUE(recorded && recorded->ok());
    EXPECT_EQ((*recorded)->trace, kTrace);
  }
  ASSERT_EQ(store_.events().size(), 4u);
  for (const v1::SessionEvent& event : store_.events()) {
    EXPECT_EQ(event.request_id(), "r1");
    EXPECT_EQ(event.traceparent(), kTrace.traceparent) << event.type();
    EXPECT_EQ(event.tracestate(), kTrace.tracestate) << event.type();
  }
}

TEST_F(HeldEvents, AreToldBeforeTheNextStep) {
  Reserve(ledger_);
  Hear(Webhook(v1::SESSION_EVENT_TYPE_CREATED));
  SessionUpdate paid = Webhook(v1::SESSION_EVENT_TYPE_FINALIZED);
  paid.event_id = "kevt_2";
  Hear(paid);
  EXPECT_THAT(Types(), testing::ElementsAre(v1::SESSION_EVENT_TYPE_CREATED,
                                            v1::SESSION_EVENT_TYPE_FINALIZED));
  EXPECT_EQ(store_.events().at(0).session().status(), v1::SESSION_STATUS_CREATED);
  EXPECT_EQ(store_.events().at(0).order_id(), "");
  EXPECT_EQ(store_.events().at(1).session().status(), v1::SESSION_STATUS_FINALIZED);
}

TEST_F(HeldEvents, CanBeReleasedThin) {
  Reserve(ledger_);
  Hear(Webhook(v1::SESSION_EVENT_TYPE_CREATED));
  for (int i = 0; i < 2; ++i) {
    recorder_.Release("PM1", "s1", [](const absl::Status& status) { EXPECT_TRUE(status.ok()); });
    store_.RunAll();
    EXPECT_THAT(Types(), testing::ElementsAre(v1::SESSION_EVENT_TYPE_CREATED));
  }
  EXPECT_EQ(
      metrics_.counter("ipp_session_events_total", "", {{"source", "webhook"}, {"type", "created"}})
          .value(),
      1);
}

}  // namespace
}  // namespace ipp::creates
