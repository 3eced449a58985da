#include <functional>
#include <ostream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/faults/creates/round_story.h"
#include "tests/faults/creates/verdict.h"

namespace ipp::faults {
namespace {

namespace v1 = kustom::ipp::v1;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(RoundVerdict, IsGoodWhenThePromisesWereKept) {
  EXPECT_THAT(JudgeRound(AnsweredRound()), IsEmpty());
  EXPECT_THAT(JudgeRound(SettledRound()), IsEmpty());
  EXPECT_THAT(JudgeRound(UnknownRound()), IsEmpty());
  EXPECT_THAT(JudgeRound(NotSentRound()), IsEmpty());
  EXPECT_THAT(JudgeRound(RejectedRound()), IsEmpty());
  EXPECT_THAT(JudgeRound(GivenBackRound()), IsEmpty());
  EXPECT_THAT(JudgeRound(ResentRound()), IsEmpty());
  EXPECT_THAT(JudgeRound(ForgottenRound()), IsEmpty());
  EXPECT_THAT(JudgeRound(KilledRound()), IsEmpty());
}

TEST(RoundVerdict, TakesAnUnprocessedStreamForUnreadAndNothingElse) {
  Cell cell;
  cell.fault = "goaway/unprocessed";
  EXPECT_TRUE(ProvenUnprocessed(cell, Read(false, 0, "goaway")));
  EXPECT_TRUE(ProvenUnprocessed(cell, Read(false, 0, "refuse_stream")));
  EXPECT_FALSE(ProvenUnprocessed(cell, Read(true, 0, "goaway")));
  EXPECT_FALSE(ProvenUnprocessed(cell, Read(false, 0, "hang")));
  EXPECT_FALSE(ProvenUnprocessed(cell, Read(false, 0)));
  cell.fault = "goaway/uncommitted";
  EXPECT_FALSE(ProvenUnprocessed(cell, Read(false, 0, "goaway")));
}

TEST(RoundVerdict, LetsAnUnknownCreateWithoutAWordStayUnknown) {
  RoundRecord record = SettledRound();
  record.cell.own_fields = OwnFields::kBoth;
  for (TruthOfCreate* truth : {&record.truth, &record.truth_after_retry, &record.truth_at_end}) {
    truth->reads[0].word.clear();
  }
  record.settled = record.listed = record.told_at_end = Told(v1::CREATE_STATE_UNKNOWN);
  record.retry = record.first;
  for (v1::SessionEvent& event : record.events) event.clear_request_id();
  record.watched = false;
  EXPECT_THAT(JudgeRound(record), IsEmpty());
  record.events[0].set_request_id(kRequestId);
  EXPECT_THAT(JudgeRound(record), Contains(HasSubstr("event CREATED: request_id is")));
}

TEST(RoundVerdict, LetsALaterWebhookNameTheSession) {
  RoundRecord record = SettledRound();
  record.cell.named_late = true;
  record.events.erase(record.events.begin());
  record.events[0].clear_request_id();
  EXPECT_THAT(JudgeRound(record), IsEmpty());
  record.events[1].clear_request_id();
  EXPECT_THAT(JudgeRound(record), Contains("event FINALIZED: request_id is "));
}

TEST(RoundVerdict, LetsTheWebhookOfACreateWithoutAWordOvertakeItsAnswer) {
  RoundRecord record = AnsweredRound();
  record.cell.own_fields = OwnFields::kBoth;
  for (TruthOfCreate* truth : {&record.truth, &record.truth_after_retry, &record.truth_at_end}) {
    truth->reads[0].word.clear();
  }
  record.events[0].clear_request_id();
  EXPECT_THAT(JudgeRound(record), IsEmpty());
  record.events[0].set_source(v1::SESSION_EVENT_SOURCE_API);
  EXPECT_THAT(JudgeRound(record), Contains("event CREATED: request_id is "));
  record.events[0].set_request_id(kRequestId);
  record.events[1].clear_request_id();
  EXPECT_THAT(JudgeRound(record), Contains("event ACTIVATED: request_id is "));
}

TEST(RoundVerdict, LetsTheRetryOfWhatWasNotSentBreakWhenItSaysSo) {
  RoundRecord record = NotSentRound();
  record.retry = UnknownRound().first;
  record.told_at_end = Told(v1::CREATE_STATE_UNKNOWN);
  record.truth_after_retry = record.truth_at_end = {};
  EXPECT_TRUE(BrokeAgain(record));
  EXPECT_THAT(JudgeRound(record), IsEmpty());
  record.truth_after_retry.sessions.push_back(Made());
  EXPECT_FALSE(BrokeAgain(record));
  EXPECT_THAT(JudgeRound(record), Contains(HasSubstr("retry: was not sent")));
  EXPECT_FALSE(BrokeAgain(UnknownRound()));
}

// A way to break a promise, and what the verdict must say of it.
struct Breach {
  const char* name;
  std::function<RoundRecord()> round;
  std::function<void(RoundRecord&)> doctor;
  const char* says;
};
void PrintTo(const Breach& breach, std::ostream* out) { *out << breach.name; }

class RoundBreaches : public testing::TestWithParam<Breach> {};

TEST_P(RoundBreaches, AreFound) {
  RoundRecord record = GetParam().round();
  GetParam().doctor(record);
  EXPECT_THAT(JudgeRound(record), Contains(HasSubstr(GetParam().says)));
}

const auto kName = [](const testing::TestParamInfo<Breach>& info) { return info.param.name; };

INSTANTIATE_TEST_SUITE_P(
    OfReads, RoundBreaches,
    testing::Values(Breach{"SentTwiceByTheGateway", &UnknownRound,
                           [](RoundRecord& r) { r.truth.reads.push_back(Read(false, 0)); },
                           "read 2 times before any retry"},
                    Breach{"UnknownThoughTheUpstreamSaidThatItProcessedNothing", &UnknownRound,
                           [](RoundRecord& r) {
                             r.cell.fault = "refuse_stream/after_read";
                             r.truth.reads[0].fault = "refuse_stream";
                             r.cell.knows_refusals = true;
                           },
                           "first: UNKNOWN, although the upstream said"},
                    Breach{"SentAgainAfterAnUnprocessedOneTwice", &ResentRound,
                           [](RoundRecord& r) { r.truth.reads.push_back(r.truth.reads[1]); },
                           "read 2 times before any retry"},
                    Breach{"SentAgainAfterAGoawayThatMayHaveProcessedIt", &ResentRound,
                           [](RoundRecord& r) { r.cell.fault = "goaway/uncommitted"; },
                           "read 2 times before any retry"},
                    Breach{"SentAgainByItselfAfterARefusal", &GivenBackRound,
                           [](RoundRecord& r) { r.truth.reads.push_back(r.truth.reads[0]); },
                           "read 2 times before any retry"},
                    Breach{"SentAgainByARetry", &UnknownRound,
                           [](RoundRecord& r) { r.truth_at_end.reads.push_back(Read(true, 201)); },
                           "read 2 times in all"},
                    Breach{"ExecutedTwice", &AnsweredRound,
                           [](RoundRecord& r) { r.truth_at_end.reads.push_back(Read(true, 201)); },
                           "executed 2 times"},
                    Breach{"ChargedTwice", &AnsweredRound,
                           [](RoundRecord& r) {
                             r.truth_at_end.sessions.push_back(Made(kOtherSessionId));
                           },
                           "CHARGED TWICE"},
                    Breach{"WordInAFieldThatIsUsed", &AnsweredRound,
                           [](RoundRecord& r) { r.cell.own_fields = OwnFields::kBoth; },
                           "the word that was sent along is"},
                    Breach{"WordForgotten", &AnsweredRound,
                           [](RoundRecord& r) { r.truth_at_end.reads[0].word.clear(); },
                           "the word that was sent along is"},
                    Breach{"OtherProtocol", &AnsweredRound,
                           [](RoundRecord& r) { r.cell.http2 = true; }, "came over http/1.1"}),
    kName);

INSTANTIATE_TEST_SUITE_P(
    OfAnswers, RoundBreaches,
    testing::Values(
        Breach{"OkWithoutASession", &AnsweredRound,
               [](RoundRecord& r) { r.truth.sessions.clear(); },
               "first: OK with a session that was not made"},
        Breach{"OkWithAnotherSession", &AnsweredRound,
               [](RoundRecord& r) { r.truth.sessions[0].session_id = kOtherSessionId; },
               "first: OK with a session that was not made"},
        Breach{"NotSentButMade", &SettledRound,
               [](RoundRecord& r) {
                 r.first = Failed(grpc::StatusCode::UNAVAILABLE, "X", Outcome::kNotSent, true);
               },
               "first: NOT_SENT, but a session was made"},
        Breach{"RejectedButMadeLater", &RejectedRound,
               [](RoundRecord& r) { r.truth_at_end.sessions.push_back(Made()); },
               "first: REJECTED, but a session was made"},
        Breach{"UnavailableForWhatIsUnknown", &UnknownRound,
               [](RoundRecord& r) { r.first.error.code = grpc::StatusCode::UNAVAILABLE; },
               "first: UNAVAILABLE without NOT_SENT and retry_safe"},
        Breach{"UnavailableThatIsNotSafe", &NotSentRound,
               [](RoundRecord& r) { r.first.error.retry_safe = false; },
               "first: UNAVAILABLE without NOT_SENT and retry_safe"},
        Breach{"UnknownThatIsSafe", &UnknownRound,
               [](RoundRecord& r) { r.first.error.retry_safe = true; },
               "first: a retry of what is UNKNOWN is called safe"},
        Breach{"ErrorWithoutOutcome", &UnknownRound,
               [](RoundRecord& r) { r.first.error.outcome.reset(); },
               "first: the error does not say what happened"},
        Breach{"ErrorThatWasExecuted", &UnknownRound,
               [](RoundRecord& r) { r.retry.error.outcome = Outcome::kExecuted; },
               "retry: the error does not say what happened"},
        Breach{"ErrorWithoutRequestId", &UnknownRound,
               [](RoundRecord& r) { r.first.error.request_id.clear(); },
               "first: the error says request_id"},
        Breach{"TrailerForgotten", &AnsweredRound,
               [](RoundRecord& r) { r.first.trailer_id.clear(); },
               "first: the trailer says x-request-id"},
        Breach{"WordOfTheGatewayShown", &AnsweredRound,
               [](RoundRecord& r) {
                 r.first.response.mutable_session()->set_merchant_reference2("ipp-gateway:1");
               },
               "first: the session's merchant_data or merchant_reference2"},
        Breach{"ReplayedAtFirst", &AnsweredRound,
               [](RoundRecord& r) { r.first.response.set_replayed(true); }, "first: replayed"},
        Breach{"NoWordForACallerThatWaits", &UnknownRound,
               [](RoundRecord& r) { r.first = Gone(grpc::StatusCode::UNAVAILABLE); },
               "first: no word of the gateway"},
        Breach{"BothReplicasSayTheyMadeIt", &KilledRound,
               [](RoundRecord& r) {
                 r.first = Ok(false);
                 r.elsewhere = Ok(false);
               },
               "two calls that both say"}),
    kName);

INSTANTIATE_TEST_SUITE_P(
    OfOutcomes, RoundBreaches,
    testing::Values(Breach{"OkButNotExecuted", &AnsweredRound,
                           [](RoundRecord& r) { r.told = Told(v1::CREATE_STATE_UNKNOWN); },
                           "told: CREATE_STATE_UNKNOWN, must be CREATE_STATE_EXECUTED"},
                    Breach{"RejectedButGivenBack", &RejectedRound,
                           [](RoundRecord& r) { r.told = Told(v1::CREATE_STATE_NOT_SENT); },
                           "told: CREATE_STATE_NOT_SENT, must be CREATE_STATE_REJECTED"},
                    Breach{"LimitKeptAsARefusal", &GivenBackRound,
                           [](RoundRecord& r) { r.told = Told(v1::CREATE_STATE_REJECTED); },
                           "told: CREATE_STATE_REJECTED, must be CREATE_STATE_NOT_SENT"},
                    Breach{"ReadBeforeItWasWrittenDown", &ForgottenRound,
                           [](RoundRecord& r) { r.truth.reads.push_back(Read(false, 0)); },
                           "a create was read that no outcome tells of"},
                    Breach{"NotSentInSpiteOfASession", &SettledRound,
                           [](RoundRecord& r) { r.settled = Told(v1::CREATE_STATE_NOT_SENT); },
                           "settled: CREATE_STATE_NOT_SENT, but a session was made"},
                    Breach{"ExecutedWithoutASession", &UnknownRound,
                           [](RoundRecord& r) { r.settled = Told(v1::CREATE_STATE_EXECUTED); },
                           "settled: EXECUTED, but no session was made"},
                    Breach{
                        "ExecutedWithAnotherSession", &SettledRound,
                        [](RoundRecord& r) { r.settled.outcome.set_session_id(kOtherSessionId); },
                        "settled: EXECUTED with session"},
                    Breach{"NeverSettled", &SettledRound,
                           [](RoundRecord& r) { r.settled = Told(v1::CREATE_STATE_UNKNOWN); },
                           "settled: the session was made and can be told, but it is not EXECUTED"},
                    Breach{"UnderWayForEver", &UnknownRound,
                           [](RoundRecord& r) { r.settled = Told(v1::CREATE_STATE_UNDER_WAY); },
                           "settled: still UNDER_WAY"},
                    Breach{"ListedOtherwise", &UnknownRound,
                           [](RoundRecord& r) { r.listed = Told(v1::CREATE_STATE_NOT_SENT); },
                           "ListCreateOutcomes does not say the same"},
                    Breach{"UpdatedAtTheEndOfTime", &UnknownRound,
                           [](RoundRecord& r) {
                             r.told.outcome.mutable_updated_at()->set_seconds(9'223'372'036);
                           },
                           "told: updated_at is"},
                    Breach{"NotExecutedAfterARetryThatWasOk", &NotSentRound,
                           [](RoundRecord& r) { r.told_at_end = Told(v1::CREATE_STATE_UNKNOWN); },
                           "told at the end: the retry was OK"}),
    kName);

INSTANTIATE_TEST_SUITE_P(
    OfRetries, RoundBreaches,
    testing::Values(
        Breach{"RetryNotReplayed", &AnsweredRound,
               [](RoundRecord& r) { r.retry.response.set_replayed(false); },
               "retry: the kept answer was not replayed"},
        Breach{"RetryWithAnotherSession", &AnsweredRound,
               [](RoundRecord& r) {
                 r.retry.response.mutable_session()->set_session_id(kOtherSessionId);
               },
               "retry: the kept answer was not replayed"},
        Breach{"RetryThatWasSent", &AnsweredRound,
               [](RoundRecord& r) { r.truth_after_retry.reads.push_back(Read(false, 0)); },
               "retry was sent: 1 reads became 2"},
        Breach{"RetryThatWasNotSent", &NotSentRound, [](RoundRecord& r) { r.retry = r.first; },
               "retry: was not sent, although nothing was done before"},
        Breach{"RetryThatReplayedNothing", &NotSentRound,
               [](RoundRecord& r) { r.retry.response.set_replayed(true); },
               "retry: replayed what was not done"},
        Breach{"RefusalForgotten", &RejectedRound,
               [](RoundRecord& r) { r.retry.error.metadata.clear(); },
               "retry: the kept refusal was not replayed"},
        Breach{"RefusalChanged", &RejectedRound,
               [](RoundRecord& r) { r.retry.error.reason = "INTERNAL"; },
               "retry: the kept refusal was not replayed"},
        Breach{"UnknownThatTurnedOk", &UnknownRound, [](RoundRecord& r) { r.retry = Ok(true); },
               "retry: must be UNKNOWN again"},
        Breach{"UnknownThatWasSentAgain", &UnknownRound,
               [](RoundRecord& r) { r.truth_after_retry.reads.push_back(Read(true, 201)); },
               "retry was sent"},
        Breach{"NoWordForTheRetry", &UnknownRound,
               [](RoundRecord& r) { r.retry = Gone(grpc::StatusCode::DEADLINE_EXCEEDED); },
               "retry: no word of the gateway"},
        Breach{"OtherAmountTaken", &AnsweredRound, [](RoundRecord& r) { r.other = Ok(true); },
               "another amount: not refused"},
        Breach{"OtherAmountNotNamed", &AnsweredRound,
               [](RoundRecord& r) { r.other.error.violations.clear(); },
               "another amount: not refused"},
        Breach{"OtherAmountSent", &AnsweredRound,
               [](RoundRecord& r) { r.truth_at_end.reads.push_back(Read(false, 0)); },
               "another amount was sent"},
        Breach{"NobodyTold", &UnknownRound, [](RoundRecord& r) { r.request_id.clear(); },
               "nobody was told the request_id"},
        Breach{"NobodyTried", &UnknownRound, [](RoundRecord& r) { r.retry = {}; },
               "nobody tried again"}),
    kName);

INSTANTIATE_TEST_SUITE_P(
    OfTheSession, RoundBreaches,
    testing::Values(
        Breach{"OtherAmountCharged", &AnsweredRound,
               [](RoundRecord& r) { r.truth_at_end.sessions[0].order_amount = 501; },
               "the session is about 501"},
        Breach{"NotPaid", &AnsweredRound,
               [](RoundRecord& r) { r.truth_at_end.sessions[0].status = "CREATED"; },
               "the session was not paid"},
        Breach{"CreatedToldTwice", &AnsweredRound,
               [](RoundRecord& r) { r.events.insert(r.events.begin(), r.events[0]); },
               "2 CREATED events"},
        Breach{"CreatedNotTold", &SettledRound,
               [](RoundRecord& r) { r.events.erase(r.events.begin()); }, "0 CREATED events"},
        Breach{"EndNotTold", &AnsweredRound, [](RoundRecord& r) { r.events.pop_back(); },
               "0 terminal events"},
        Breach{"EventWithoutRequestId", &SettledRound,
               [](RoundRecord& r) { r.events[0].clear_request_id(); },
               "event CREATED: request_id is"},
        Breach{"EventOfAnotherSession", &SettledRound,
               [](RoundRecord& r) { r.events[1].set_session_id(kOtherSessionId); },
               "event ACTIVATED: of another session"},
        Breach{"EventShowsTheWord", &SettledRound,
               [](RoundRecord& r) {
                 r.events[2].mutable_session()->set_merchant_reference2("ipp-gateway:1");
               },
               "event FINALIZED: merchant_data or merchant_reference2"},
        Breach{"ListDiffers", &AnsweredRound, [](RoundRecord& r) { r.events_listed_alike = false; },
               "ListSessionEvents differs from the stream"},
        Breach{"ReadShowsTheWord", &AnsweredRound,
               [](RoundRecord& r) { r.read_back->set_merchant_data("ipp-gateway:1"); },
               "GetSession: merchant_data or merchant_reference2"},
        Breach{"WatchHasNoEnd", &SettledRound, [](RoundRecord& r) { r.watch_ended_ok = false; },
               "WatchSession by request_id does not end"},
        Breach{"WatchEndsEarly", &SettledRound,
               [](RoundRecord& r) { r.watch_last.set_status(v1::SESSION_STATUS_CREATED); },
               "WatchSession by request_id does not end"}),
    kName);

}  // namespace
}  // namespace ipp::faults
