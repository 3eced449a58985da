#include "tests/faults/verdict.h"

#include <functional>
#include <ostream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/faults/story.h"

namespace ipp::faults {
namespace {

namespace v1 = kustom::ipp::v1;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(Verdict, IsGoodWhenThePromiseWasKept) {
  const History history = Tell(GoodStory());
  const Verdict verdict = Judge(history);
  EXPECT_THAT(verdict.wrong, IsEmpty());
  EXPECT_THAT(verdict.missing, IsEmpty());
  const Tally tally = Count(history);
  EXPECT_EQ(tally.sessions, 4);
  EXPECT_EQ(tally.ended, 2);
  EXPECT_EQ(tally.unknown, 1);
  EXPECT_EQ(tally.events, 7);
  EXPECT_EQ(tally.reconciled, 1);
}

// A way to break the promise, and what the verdict must say of it.
struct Breach {
  const char* name;
  std::function<void(Story&)> doctor;
  const char* says;
  bool missing = false;  // it might still come
};
void PrintTo(const Breach& breach, std::ostream* out) { *out << breach.name; }

class Breaches : public testing::TestWithParam<Breach> {};

TEST_P(Breaches, AreFound) {
  Story story = GoodStory();
  GetParam().doctor(story);
  const Verdict verdict = Judge(Tell(story));
  EXPECT_FALSE(verdict.good());
  EXPECT_THAT(GetParam().missing ? verdict.missing : verdict.wrong,
              Contains(HasSubstr(GetParam().says)));
}

INSTANTIATE_TEST_SUITE_P(
    OfTheLog, Breaches,
    testing::Values(
        Breach{"LostTerminalEvent",
               [](Story& s) {
                 s.Erase("g2");
                 s.Spread();
               },
               "session late has no terminal event", true},
        Breach{"LostTerminalEventOfASessionKnownByAWebhookAlone",
               [](Story& s) { s.webhook("k4").taken = true; }, "session cut has no terminal event",
               true},
        Breach{"LostTerminalEventOfASessionThatOnlyAnotherObserverSaw",
               [](Story& s) {
                 s.other.push_back(Webhook("k4", "cut", v1::SESSION_EVENT_TYPE_CREATED));
               },
               "session cut has no terminal event", true},
        Breach{"LostWebhookThatWasTaken",
               [](Story& s) {
                 s.Erase("k5");
                 s.Spread();
               },
               "webhook k5 (PAYMENT_FAILED of session paid) was answered 200", true},
        Breach{"LostStepThatWasTakenInOrder",
               [](Story& s) {
                 s.Erase("k3");
                 s.Spread();
               },
               "webhook k3 (ACTIVATED of session paid) was answered 200", true},
        Breach{"DoubledEvent",
               [](Story& s) {
                 s.log.push_back(s.event("k8"));
                 s.Spread();
               },
               "its id was there before"},
        Breach{"DoubledStepUnderAnotherId",
               [](Story& s) {
                 s.truth.webhooks.push_back(s.webhook("k8"));
                 s.truth.webhooks.back().event_id = "k9";
                 s.log.push_back(Webhook("k9", "open", v1::SESSION_EVENT_TYPE_CREATED));
                 s.Spread();
               },
               "k9): told before"},
        Breach{"DoubledCursor", [](Story& s) { s.event("k8").set_cursor("after k2"); },
               "its cursor was there before"},
        Breach{"TwoTerminalEvents",
               [](Story& s) {
                 s.log.push_back(Event("g3", "paid", v1::SESSION_EVENT_TYPE_CANCELLED,
                                       v1::SESSION_EVENT_SOURCE_RECONCILIATION));
                 s.Spread();
               },
               "a second terminal event"},
        Breach{"WrongTerminalEvent",
               [](Story& s) { s.truth.sessions["late"].status = v1::SESSION_STATUS_FAILED; },
               "EXPIRED of session late by RECONCILIATION (g2): true is FAILED"},
        Breach{"TerminalEventOfAnOpenSession",
               [](Story& s) { s.truth.sessions["late"].status = v1::SESSION_STATUS_CREATED; },
               "true is CREATED"},
        Breach{"WrongOrder", [](Story& s) { s.event("k6").set_order_id("order-2"); },
               "its order is 'order-2', true is 'order-1'"},
        Breach{"StepBack",
               [](Story& s) {
                 s.Swap("g1", "k3");
                 s.Spread();
               },
               "CREATED of session paid by API (g1): a step back"},
        Breach{"FailedPaymentAfterTheEnd",
               [](Story& s) {
                 s.Swap("k5", "k6");
                 s.Spread();
               },
               "PAYMENT_FAILED of session paid by WEBHOOK (k5): after the end"},
        Breach{"OneFailedPaymentTooMany", [](Story& s) { s.truth.sessions["paid"].declines = 0; },
               "not so many payments failed"},
        Breach{"StepThatWasNotTaken", [](Story& s) { s.truth.sessions["paid"].activated = false; },
               "it never was active"},
        Breach{"InventedSession", [](Story& s) { s.truth.sessions.erase("late"); },
               "there is no such session"},
        Breach{"InventedWebhook", [](Story& s) { s.event("k8").set_event_id("k88"); },
               "the upstream sent no such webhook"},
        Breach{"EventOfAnotherKind",
               [](Story& s) { s.event("k8").set_type(v1::SESSION_EVENT_TYPE_CORRECTED); },
               "nothing of the kind happened"},
        Breach{"WrongMerchant", [](Story& s) { s.event("k8").set_merchant_id(kOtherShop); },
               "another merchant's session"},
        Breach{"SourceThatNobodyAsked",
               [](Story& s) { s.event("g2").set_source(v1::SESSION_EVENT_SOURCE_API); },
               "nobody asked for it"},
        Breach{"SessionShownWithAnotherStatus",
               [](Story& s) {
                 s.event("k6").mutable_session()->set_status(v1::SESSION_STATUS_ACTIVE);
               },
               "it shows the session as ACTIVE"},
        Breach{"EndWithoutItsRequest", [](Story& s) { s.event("k6").clear_request_id(); },
               "its request is ''"},
        Breach{"EndWithoutTheWholeSession",
               [](Story& s) { s.event("k6").mutable_session()->clear_device_id(); },
               "it does not show the whole session"}),
    [](const auto& info) { return std::string(info.param.name); });

INSTANTIATE_TEST_SUITE_P(
    OfOthers, Breaches,
    testing::Values(
        Breach{"ObserverWithoutTheLastEvent", [](Story& s) { s.other.pop_back(); },
               "other has not seen CREATED of session open", true},
        Breach{"ObserverWithAGap", [](Story& s) { s.other.erase(s.other.begin() + 2); },
               "other saw PAYMENT_FAILED of session paid"},
        Breach{"ObserverWithADoubledEvent",
               [](Story& s) { s.other.insert(s.other.begin(), s.other.front()); },
               "other saw CREATED of session paid by API (g1) as its event 2"},
        Breach{"ObserverInAnotherOrder", [](Story& s) { std::swap(s.other[1], s.other[2]); },
               "as its event 2 where all saw CREATED of session late"},
        Breach{"ObserverWithOtherContent",
               [](Story& s) { s.other[4].mutable_session()->set_order_amount(1); },
               "as its event 5"},
        Breach{"ObserverWithMoreThanAll", [](Story& s) { s.log.pop_back(); },
               "all has not seen CREATED of session open", true},
        Breach{"FilterThatLeaksOthers",
               [](Story& s) { s.shop.insert(s.shop.begin() + 1, s.log[1]); }, "shop saw CREATED"},
        Breach{"FilterThatSwallows", [](Story& s) { s.shop.erase(s.shop.begin() + 1); },
               "shop saw PAYMENT_FAILED"},
        Breach{"CreateDoneTwice",
               [](Story& s) { s.truth.sessions["cut"].reference = "order of paid"; },
               "the create of order of paid made 2 sessions"},
        Breach{"CreateDeniedAndDone", [](Story& s) { s.ledger.creates[1].denied = true; },
               "the create of order of cut was denied (UNAVAILABLE) and yet made cut"},
        Breach{"CreateAnsweredWithAnotherSession",
               [](Story& s) { s.ledger.creates[0].session_id = "late"; },
               "was answered with late, which it did not make"},
        Breach{"WatchWithoutAnEnd", [](Story& s) { s.watch.calls.pop_back(); },
               "a watch of session paid has not ended", true},
        Breach{"WatchThatEndedEarly", [](Story& s) { s.watch.calls.front().ended_ok = true; },
               "ended with OK at CREATED"},
        Breach{"WatchThatWentBack",
               [](Story& s) { std::swap(s.watch.calls[1].steps[0], s.watch.calls[1].steps[2]); },
               "went from FINALIZED to ACTIVE"},
        Breach{"WatchOfAnotherEnd",
               [](Story& s) {
                 s.watch.calls[1].steps[2].mutable_session()->set_status(
                     v1::SESSION_STATUS_CANCELLED);
               },
               "showed CANCELLED, true is FINALIZED"}),
    [](const auto& info) { return std::string(info.param.name); });

// What a crash may do without breaking the promise.
TEST(Verdict, AbsorbsAStepThatAReadForestalled) {
  Story story = GoodStory();
  story.event("k6") = Event("g6", "paid", v1::SESSION_EVENT_TYPE_FINALIZED,
                            v1::SESSION_EVENT_SOURCE_RECONCILIATION);
  v1::SessionEvent& end = story.event("g6");
  end.set_order_id("order-1");
  end.set_request_id("request-1");
  end.mutable_session()->set_device_id("phone");
  end.mutable_session()->set_merchant_reference1("order of paid");
  story.Erase("k3");
  story.Erase("k5");
  story.Spread();
  const Verdict verdict = Judge(Tell(story));
  EXPECT_TRUE(verdict.good()) << testing::PrintToString(verdict.wrong)
                              << testing::PrintToString(verdict.missing);
}

TEST(Verdict, AbsorbsAStepThatCameLate) {
  Story story = GoodStory();
  story.webhook("k3").in_order = false;
  story.Erase("k3");
  story.Spread();
  EXPECT_TRUE(Judge(Tell(story)).good());
}

TEST(Verdict, AbsorbsTheMakingAfterAFailedPaymentThatOvertookIt) {
  Story story = GoodStory();
  story.truth.sessions["open"].declines = 1;
  story.truth.webhooks.push_back({.event_id = "k9",
                                  .session_id = "open",
                                  .type = v1::SESSION_EVENT_TYPE_PAYMENT_FAILED,
                                  .taken = true,
                                  .in_order = false});
  story.event("k8") = Webhook("k9", "open", v1::SESSION_EVENT_TYPE_PAYMENT_FAILED);
  story.Spread();
  EXPECT_TRUE(Judge(Tell(story)).good());
  // In its order it cannot have.
  story.truth.webhooks.back().in_order = true;
  EXPECT_FALSE(Judge(Tell(story)).good());
}

TEST(Verdict, RepeatsTheComplaintsOfObservers) {
  History history = Tell(GoodStory());
  history.observers[1].complaints.emplace_back("a heartbeat has moved without an event");
  EXPECT_THAT(Judge(history).wrong, Contains("other: a heartbeat has moved without an event"));
}

TEST(Verdict, IsNotGoodWhenNobodyObserved) { EXPECT_FALSE(Judge(History()).good()); }

}  // namespace
}  // namespace ipp::faults
