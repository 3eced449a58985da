#include "server/sessions/session_state.h"

#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "server/base/protobuf_time.h"
#include "tests/sessions/session_news.h"

namespace ipp::sessions {
namespace {

using namespace fixtures;  // NOLINT: the words of these tests
using store::SessionRecord;

using Known = std::optional<SessionRecord>;

// ---- Every state × every news. ----

// What is known before; then a letter for what each of kNews does to it, webhooks and reads.
// A advanced, T attempt, R recorded, C completed, = repeated, L late, X disagrees (a reconciling
// read: corrected).
struct StateCase {
  const char* name;
  bool known;
  bool complete;
  v1::SessionStatus status;
  const char* webhooks;
  const char* reads;
};
constexpr StateCase kStates[] = {
    {"Nothing", false, false, v1::SESSION_STATUS_UNSPECIFIED, "AATAAR", "AAAAAAC"},
    {"ThinCreated", true, false, v1::SESSION_STATUS_CREATED, "=ATAAR", "CAAAAAC"},
    {"ThinActive", true, false, v1::SESSION_STATUS_ACTIVE, "L=TAAR", "CCAAAAC"},
    {"ThinFinalized", true, false, v1::SESSION_STATUS_FINALIZED, "LLL=XR", "CCCXXXC"},
    {"ThinCancelled", true, false, v1::SESSION_STATUS_CANCELLED, "LLLX=R", "CCXCXXC"},
    {"Created", true, true, v1::SESSION_STATUS_CREATED, "=ATAAR", "=AAAAA="},
    {"Active", true, true, v1::SESSION_STATUS_ACTIVE, "L=TAAR", "L=AAAA="},
    {"Finalized", true, true, v1::SESSION_STATUS_FINALIZED, "LLL=XR", "LL=XXX="},
    {"Cancelled", true, true, v1::SESSION_STATUS_CANCELLED, "LLLX=R", "LLX=XX="},
    {"Expired", true, true, v1::SESSION_STATUS_EXPIRED, "LLLXXR", "LLXX=X="},
    {"Failed", true, true, v1::SESSION_STATUS_FAILED, "LLLXXR", "LLXXX=="},
    {"UnknownWord", true, true, v1::SESSION_STATUS_UNSPECIFIED, "AATAAR", "AAAAAA="},
};

// What is heard.
struct NewsCase {
  const char* name;
  bool whole;
  v1::SessionEventType type;
  v1::SessionStatus status;
};
constexpr NewsCase kNews[] = {
    {"WebhookCreated", false, v1::SESSION_EVENT_TYPE_CREATED, {}},
    {"WebhookActivated", false, v1::SESSION_EVENT_TYPE_ACTIVATED, {}},
    {"WebhookPaymentFailed", false, v1::SESSION_EVENT_TYPE_PAYMENT_FAILED, {}},
    {"WebhookFinalized", false, v1::SESSION_EVENT_TYPE_FINALIZED, {}},
    {"WebhookCancelled", false, v1::SESSION_EVENT_TYPE_CANCELLED, {}},
    {"WebhookUnknown", false, v1::SESSION_EVENT_TYPE_UNSPECIFIED, {}},
    {"ReadCreated", true, {}, v1::SESSION_STATUS_CREATED},
    {"ReadActive", true, {}, v1::SESSION_STATUS_ACTIVE},
    {"ReadFinalized", true, {}, v1::SESSION_STATUS_FINALIZED},
    {"ReadCancelled", true, {}, v1::SESSION_STATUS_CANCELLED},
    {"ReadExpired", true, {}, v1::SESSION_STATUS_EXPIRED},
    {"ReadFailed", true, {}, v1::SESSION_STATUS_FAILED},
    {"ReadUnknownWord", true, {}, v1::SESSION_STATUS_UNSPECIFIED},
};

char Letter(UpdateEffect effect) {
  switch (effect) {
    case UpdateEffect::kAdvanced:
      return 'A';
    case UpdateEffect::kAttempt:
      return 'T';
    case UpdateEffect::kRecorded:
      return 'R';
    case UpdateEffect::kCompleted:
      return 'C';
    case UpdateEffect::kRepeated:
      return '=';
    case UpdateEffect::kLate:
      return 'L';
    case UpdateEffect::kDisagrees:
      return 'X';
    case UpdateEffect::kHeld:
      return 'H';
    case UpdateEffect::kCorrected:
      return '!';
  }
  return '?';
}

Known MakeKnown(const StateCase& state) {
  if (!state.known) return std::nullopt;
  SessionRecord record;
  record.merchant_id = "PM1";
  if (state.complete) {
    record.session = WholeSession(state.status);
  } else {
    record.session.set_session_id("s1");
    record.session.set_status(state.status);
    if (state.status == v1::SESSION_STATUS_FINALIZED) record.session.set_order_id("o1");
  }
  record.complete = state.complete;
  record.open = !IsFinal(state.status);
  record.created_at = kHeardAt - absl::Minutes(1);
  return record;
}

class EveryStateAndNews : public testing::TestWithParam<std::tuple<int, int>> {};

INSTANTIATE_TEST_SUITE_P(SessionState, EveryStateAndNews,
                         testing::Combine(testing::Range(0, static_cast<int>(std::size(kStates))),
                                          testing::Range(0, static_cast<int>(std::size(kNews)))),
                         [](const auto& info) {
                           return absl::StrCat(kStates[std::get<0>(info.param)].name, "Hears",
                                               kNews[std::get<1>(info.param)].name);
                         });

TEST_P(EveryStateAndNews, GivesTheVerdictOfTheTable) {
  const StateCase& state = kStates[std::get<0>(GetParam())];
  const NewsCase& heard = kNews[std::get<1>(GetParam())];
  const char effect = absl::StrCat(state.webhooks, state.reads).at(std::get<1>(GetParam()));
  const Known known = MakeKnown(state);
  const v1::SessionStatus told = heard.whole ? heard.status : StatusAfter(heard.type);

  const Step step = Advance(known, heard.whole ? Answer(heard.status) : Webhook(heard.type));

  EXPECT_EQ(Letter(step.effect), effect);
  v1::SessionStatus after = effect == 'A' ? told : state.status;
  if (!state.known && effect == 'T') after = v1::SESSION_STATUS_CREATED;
  if (step.record) {
    EXPECT_EQ(step.record->session.status(), after);
    EXPECT_EQ(step.record->open, !IsFinal(after));
    EXPECT_EQ(step.record->session.session_id(), "s1");
    EXPECT_EQ(step.record->merchant_id, "PM1");
  } else {
    EXPECT_NE(std::string("=LR").find(effect), std::string::npos);
  }
  // A step, a failed payment and what we do not know are told, and the whole of a session that was
  // told thin.
  const bool tells = std::string("ATR").find(effect) != std::string::npos;
  const bool details = effect == 'C' && state.known && !state.complete;
  ASSERT_EQ(step.events.size(), tells || details ? 1u : 0u);
  if (details) {
    EXPECT_EQ(step.events[0].event.type(), v1::SESSION_EVENT_TYPE_DETAILS);
    EXPECT_EQ(step.events[0].event.session().device_id(), "d1");
  }
  if (tells || details) {
    const v1::SessionEvent& event = step.events[0].event;
    if (tells) {
      EXPECT_EQ(event.type(), heard.whole ? EventFor(told) : heard.type);
    }
    EXPECT_EQ(event.session().status(), after);
    EXPECT_EQ(event.session_id(), "s1");
  }
}

// A reconciling read does what any read does, except that it settles a disagreement.
TEST_P(EveryStateAndNews, GivesTheVerdictOfTheTableToTheReconciler) {
  const StateCase& state = kStates[std::get<0>(GetParam())];
  const NewsCase& heard = kNews[std::get<1>(GetParam())];
  if (!heard.whole) return;  // the reconciler only reads
  const char effect = absl::StrCat(state.webhooks, state.reads).at(std::get<1>(GetParam()));

  const Step step =
      Advance(MakeKnown(state), Answer(heard.status, v1::SESSION_EVENT_SOURCE_RECONCILIATION));

  EXPECT_EQ(Letter(step.effect), effect == 'X' ? '!' : effect);
  if (effect != 'X') return;
  EXPECT_EQ(step.record->session.status(), heard.status);
  EXPECT_FALSE(step.record->open);
  EXPECT_EQ(step.record->next_check_at, absl::InfiniteFuture());
  ASSERT_EQ(step.events.size(), 1u);
  EXPECT_EQ(step.events[0].event.type(), v1::SESSION_EVENT_TYPE_CORRECTED);
}

// ---- What a step holds. ----

TEST(SessionState, MakesAThinRecordOfAFirstWebhook) {
  const Step step = Advance({}, Webhook(v1::SESSION_EVENT_TYPE_ACTIVATED));
  ASSERT_TRUE(step.record);
  EXPECT_FALSE(step.record->complete);
  EXPECT_EQ(step.record->created_at, kHeardAt);
  EXPECT_EQ(step.record->updated_at, kHeardAt);
  EXPECT_EQ(step.record->next_check_at, kHeardAt + CheckTimes().complete);
  EXPECT_EQ(step.record->session.device_id(), "");
}

TEST(SessionState, KeepsWhatAWebhookSaysInItsEvent) {
  SessionUpdate news = Webhook(v1::SESSION_EVENT_TYPE_FINALIZED);
  const v1::SessionEvent event = Advance({}, news).events.at(0).event;
  EXPECT_EQ(event.event_id(), "kevt_1");
  EXPECT_EQ(event.upstream_type(), "ipp.word");
  EXPECT_EQ(event.merchant_id(), "PM1");
  EXPECT_EQ(event.order_id(), "o1");
  EXPECT_EQ(event.session().order_id(), "o1");
  EXPECT_EQ(FromTimestamp(event.occurred_at()), kOccurredAt);
  EXPECT_EQ(event.source(), v1::SESSION_EVENT_SOURCE_WEBHOOK);
}

TEST(SessionState, MakesAThinWebhookRichWithWhatIsKnown) {
  SessionUpdate created = Answer(v1::SESSION_STATUS_CREATED);
  created.request_id = "request-1";
  const Known known = Advance({}, created).record;
  const v1::SessionEvent event =
      Advance(known, Webhook(v1::SESSION_EVENT_TYPE_ACTIVATED)).events.at(0).event;
  EXPECT_EQ(event.session().device_id(), "d1");
  EXPECT_EQ(event.session().order_amount(), 1000);
  EXPECT_EQ(event.session().status(), v1::SESSION_STATUS_ACTIVE);
  EXPECT_EQ(event.request_id(), "request-1");
}

TEST(SessionState, TellsOfACreateThatWasAnswered) {
  SessionUpdate created = Answer(v1::SESSION_STATUS_CREATED);
  created.request_id = "request-1";
  const Step step = Advance({}, created);
  const v1::SessionEvent& event = step.events.at(0).event;
  EXPECT_EQ(event.type(), v1::SESSION_EVENT_TYPE_CREATED);
  EXPECT_EQ(event.source(), v1::SESSION_EVENT_SOURCE_API);
  EXPECT_EQ(event.event_id(), "gevt_PM1_s1_created");
  EXPECT_EQ(event.upstream_type(), "");
  EXPECT_EQ(event.request_id(), "request-1");
  EXPECT_EQ(FromTimestamp(event.occurred_at()), kHeardAt);
  EXPECT_TRUE(step.record->complete);
  EXPECT_EQ(step.record->request_id, "request-1");
}

TEST(SessionState, CompletesWhenWebhooksOvertookTheAnswer) {
  const Known paid = Advance({}, Webhook(v1::SESSION_EVENT_TYPE_FINALIZED)).record;
  SessionUpdate created = Answer(v1::SESSION_STATUS_CREATED);
  created.request_id = "request-1";
  const Step step = Advance(paid, created);
  EXPECT_EQ(step.effect, UpdateEffect::kCompleted);
  EXPECT_TRUE(step.record->complete);
  EXPECT_EQ(step.record->session.status(), v1::SESSION_STATUS_FINALIZED);
  EXPECT_EQ(step.record->session.order_id(), "o1");
  EXPECT_EQ(step.record->session.device_id(), "d1");
  EXPECT_EQ(step.record->request_id, "request-1");
  EXPECT_EQ(step.record->next_check_at, absl::InfiniteFuture());
}

TEST(SessionState, DoesNotLetAnOldAnswerUndoDetails) {
  v1::Session now = WholeSession(v1::SESSION_STATUS_ACTIVE);
  now.set_order_amount(2000);
  const Known known = Advance({}, Answer(now)).record;
  const Step step = Advance(known, Answer(v1::SESSION_STATUS_CREATED));
  EXPECT_EQ(step.effect, UpdateEffect::kLate);
  EXPECT_FALSE(step.record);
}

TEST(SessionState, LearnsTheRequestIdFromALateAnswerOfTheCreate) {
  const Known known = Advance({}, Answer(v1::SESSION_STATUS_ACTIVE)).record;
  SessionUpdate created = Answer(v1::SESSION_STATUS_CREATED);
  created.request_id = "request-1";
  const Step step = Advance(known, created);
  EXPECT_EQ(step.effect, UpdateEffect::kCompleted);
  EXPECT_EQ(step.record->request_id, "request-1");
  EXPECT_EQ(step.record->session.status(), v1::SESSION_STATUS_ACTIVE);
}

TEST(SessionState, DatesAReadPurchaseAtItsCompletion) {
  v1::Session paid = WholeSession(v1::SESSION_STATUS_FINALIZED);
  *paid.mutable_purchase_completed_at() = ToTimestamp(kOccurredAt);
  const v1::SessionEvent event =
      Advance({}, Answer(paid, v1::SESSION_EVENT_SOURCE_RECONCILIATION)).events.at(0).event;
  EXPECT_EQ(FromTimestamp(event.occurred_at()), kOccurredAt);
  EXPECT_EQ(event.event_id(), "gevt_PM1_s1_finalized");
  EXPECT_EQ(event.order_id(), "o1");
  EXPECT_EQ(event.source(), v1::SESSION_EVENT_SOURCE_RECONCILIATION);
}

TEST(SessionState, DoesNotTellTheEndOfASessionThatACallerOnlyRead) {
  SessionUpdate read = Answer(v1::SESSION_STATUS_FINALIZED);
  read.overheard = true;
  const Step step = Advance({}, read);
  EXPECT_FALSE(step.record);
  EXPECT_TRUE(step.events.empty());
  // One that goes on is worth knowing, and the end of one that is known is news.
  SessionUpdate open = Answer(v1::SESSION_STATUS_ACTIVE);
  open.overheard = true;
  const Known known = Advance({}, open).record;
  ASSERT_TRUE(known);
  EXPECT_EQ(Advance(known, read).effect, UpdateEffect::kAdvanced);
}

TEST(SessionState, TellsOfAFailedPaymentAndStaysWhereItIs) {
  const Known known = Advance({}, Answer(v1::SESSION_STATUS_CREATED)).record;
  SessionUpdate failed = Webhook(v1::SESSION_EVENT_TYPE_PAYMENT_FAILED);
  failed.failure_reason = "declined";
  failed.heard_at += absl::Minutes(1);
  const Step step = Advance(known, failed);
  EXPECT_EQ(step.events.at(0).event.failure_reason(), "declined");
  EXPECT_EQ(step.record->session.status(), v1::SESSION_STATUS_CREATED);
  EXPECT_EQ(step.record->next_check_at, failed.heard_at + CheckTimes().first);
  // So that the step still has its event when it is heard of.
  EXPECT_EQ(Advance(step.record, Webhook(v1::SESSION_EVENT_TYPE_ACTIVATED)).effect,
            UpdateEffect::kAdvanced);
}

TEST(SessionState, PassesOnAnEventThatBelongsToNoSession) {
  SessionUpdate news = Webhook(v1::SESSION_EVENT_TYPE_UNSPECIFIED);
  news.session_id = "";
  news.upstream_type = "dispute.created";
  const Step step = Advance({}, news);
  EXPECT_EQ(step.effect, UpdateEffect::kRecorded);
  EXPECT_FALSE(step.record);
  EXPECT_FALSE(step.events.at(0).event.has_session());
  EXPECT_EQ(step.events.at(0).event.upstream_type(), "dispute.created");
}

TEST(SessionState, AsksForALookWhenFinalStatusesDisagree) {
  const Known known = Advance({}, Answer(v1::SESSION_STATUS_FINALIZED)).record;
  Step step = Advance(known, Webhook(v1::SESSION_EVENT_TYPE_CANCELLED));
  EXPECT_EQ(step.effect, UpdateEffect::kDisagrees);
  EXPECT_EQ(step.record->next_check_at, kHeardAt);
  EXPECT_EQ(step.record->session.SerializeAsString(), known->session.SerializeAsString());
  EXPECT_FALSE(step.record->open);

  // The look agrees with what is recorded.
  const Step settled = Advance(step.record, Answer(v1::SESSION_STATUS_FINALIZED));
  EXPECT_EQ(settled.effect, UpdateEffect::kRepeated);
  EXPECT_EQ(settled.record->next_check_at, absl::InfiniteFuture());
}

TEST(SessionState, TellsOfACorrectionThatIsNotASecondEnd) {
  SessionUpdate created = Answer(v1::SESSION_STATUS_CREATED);
  created.request_id = "request-1";
  Known known = Advance({}, created).record;
  known = Advance(known, Webhook(v1::SESSION_EVENT_TYPE_CANCELLED)).record;
  known = Advance(known, Webhook(v1::SESSION_EVENT_TYPE_FINALIZED)).record;
  const Step step =
      Advance(known, Answer(v1::SESSION_STATUS_FINALIZED, v1::SESSION_EVENT_SOURCE_RECONCILIATION));
  EXPECT_EQ(step.effect, UpdateEffect::kCorrected);
  const v1::SessionEvent& event = step.events.at(0).event;
  EXPECT_EQ(event.type(), v1::SESSION_EVENT_TYPE_CORRECTED);
  EXPECT_EQ(event.event_id(), "gevt_PM1_s1_corrected_1");
  EXPECT_EQ(event.session().status(), v1::SESSION_STATUS_FINALIZED);
  EXPECT_EQ(event.order_id(), "o1");
  EXPECT_EQ(event.request_id(), "request-1");
  EXPECT_EQ(event.source(), v1::SESSION_EVENT_SOURCE_RECONCILIATION);
  EXPECT_FALSE(IsFinal(StatusAfter(event.type())));
  // The same read again is nothing new.
  const Step again = Advance(
      step.record, Answer(v1::SESSION_STATUS_FINALIZED, v1::SESSION_EVENT_SOURCE_RECONCILIATION));
  EXPECT_EQ(again.effect, UpdateEffect::kRepeated);
  EXPECT_TRUE(again.events.empty());
}

TEST(SessionState, KeepsAnUnknownStatusWordUntilItKnowsBetter) {
  Step step = Advance({}, Answer(v1::SESSION_STATUS_UNSPECIFIED));
  EXPECT_EQ(step.record->session.status_raw(), "PAUSED");
  EXPECT_TRUE(step.record->open);
  step = Advance(step.record, Answer(v1::SESSION_STATUS_ACTIVE));
  EXPECT_EQ(step.record->session.status_raw(), "");
  step = Advance(Advance({}, Webhook(v1::SESSION_EVENT_TYPE_ACTIVATED)).record,
                 Answer(v1::SESSION_STATUS_UNSPECIFIED));
  EXPECT_EQ(step.effect, UpdateEffect::kCompleted);
  EXPECT_EQ(step.record->session.status(), v1::SESSION_STATUS_ACTIVE);
  EXPECT_EQ(step.record->session.status_raw(), "");
  EXPECT_EQ(step.record->session.device_id(), "d1");
}

TEST(SessionState, LearnsTheOrderFromARepeatedWebhook) {
  SessionUpdate bare = Webhook(v1::SESSION_EVENT_TYPE_FINALIZED);
  bare.order_id = "";
  const Known known = Advance({}, bare).record;
  const Step step = Advance(known, Webhook(v1::SESSION_EVENT_TYPE_FINALIZED));
  EXPECT_EQ(step.effect, UpdateEffect::kCompleted);
  EXPECT_EQ(step.record->session.order_id(), "o1");
}

TEST(SessionState, StartsCheckingAnewAfterAStep) {
  Known known = Advance({}, Answer(v1::SESSION_STATUS_CREATED)).record;
  known->checks = 5;
  EXPECT_EQ(Advance(known, Webhook(v1::SESSION_EVENT_TYPE_ACTIVATED)).record->checks, 0);
}

struct WordCase {
  const char* upstream;
  v1::SessionEventType type;
};
class UpstreamWord : public testing::TestWithParam<WordCase> {};
INSTANTIATE_TEST_SUITE_P(
    SessionState, UpstreamWord,
    testing::Values(WordCase{"ipp.session.created", v1::SESSION_EVENT_TYPE_CREATED},
                    WordCase{"session.created", v1::SESSION_EVENT_TYPE_CREATED},
                    WordCase{"ipp.session.activated", v1::SESSION_EVENT_TYPE_ACTIVATED},
                    WordCase{"ipp.payment.failed", v1::SESSION_EVENT_TYPE_PAYMENT_FAILED},
                    WordCase{"payment.failed", v1::SESSION_EVENT_TYPE_PAYMENT_FAILED},
                    WordCase{"ipp.session.finalized", v1::SESSION_EVENT_TYPE_FINALIZED},
                    WordCase{"session.cancelled", v1::SESSION_EVENT_TYPE_CANCELLED},
                    WordCase{"ipp.session.cancelled", v1::SESSION_EVENT_TYPE_CANCELLED},
                    WordCase{"order.created", v1::SESSION_EVENT_TYPE_UNSPECIFIED},
                    WordCase{"ipp.session.", v1::SESSION_EVENT_TYPE_UNSPECIFIED},
                    WordCase{"ipp.ipp.session.created", v1::SESSION_EVENT_TYPE_UNSPECIFIED},
                    WordCase{"IPP.SESSION.CREATED", v1::SESSION_EVENT_TYPE_CREATED},
                    WordCase{"", v1::SESSION_EVENT_TYPE_UNSPECIFIED}));
TEST_P(UpstreamWord, IsReadAsInTheTable) {
  EXPECT_EQ(TypeFromUpstream(GetParam().upstream), GetParam().type);
}

TEST(SessionState, LeadsFromEveryStatusToItsEventAndBack) {
  for (int s = 1; s < v1::SessionStatus_ARRAYSIZE; ++s) {
    const auto status = static_cast<v1::SessionStatus>(s);
    EXPECT_EQ(StatusAfter(EventFor(status)), status);
  }
  EXPECT_EQ(EventFor(v1::SESSION_STATUS_UNSPECIFIED), v1::SESSION_EVENT_TYPE_UNSPECIFIED);
}

// ---- What a later answer has in a form that cannot be read. ----

TEST(SessionState, KeepsWhatItKnewOfAFieldThatCannotBeReadNow) {
  v1::Session created = WholeSession(v1::SESSION_STATUS_CREATED);
  created.add_order_items()->set_quantity(2);
  const Step first = Advance(std::nullopt, Answer(created));
  v1::Session paid = WholeSession(v1::SESSION_STATUS_FINALIZED);
  paid.clear_order_amount();
  paid.add_order_items();
  for (const char* path : {"order_amount", "order_items[].quantity", "merchant_data"}) {
    paid.add_unreadable_fields(path);
  }
  const Step step = Advance(first.record, Answer(paid));
  ASSERT_EQ(step.events.size(), 1u);
  const v1::Session& told = step.events[0].event.session();
  EXPECT_EQ(told.status(), v1::SESSION_STATUS_FINALIZED);
  EXPECT_EQ(told.order_amount(), 1000);
  ASSERT_EQ(told.order_items_size(), 1);
  EXPECT_EQ(told.order_items(0).quantity(), 2);
  // Never known.
  ASSERT_EQ(told.unreadable_fields_size(), 1);
  EXPECT_EQ(told.unreadable_fields(0), "merchant_data");
}

TEST(SessionState, ReadsTheTypeOfAWebhookInAnyLetterCase) {
  EXPECT_EQ(TypeFromUpstream("IPP.Session.Finalized"), v1::SESSION_EVENT_TYPE_FINALIZED);
  EXPECT_EQ(TypeFromUpstream("SESSION.CREATED"), v1::SESSION_EVENT_TYPE_CREATED);
}

}  // namespace
}  // namespace ipp::sessions
