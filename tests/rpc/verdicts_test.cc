// What an error says became of the money, where the order of the upstream's answers decides it.

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "kustom/ipp/v1/outcome.grpc.pb.h"
#include "kustom/ipp/v1/session.grpc.pb.h"
#include "tests/rpc/flow_bed.h"

namespace ipp::rpc {
namespace {

namespace v1 = kustom::ipp::v1;
using fixtures::FlowBed;
using grpc::StatusCode;
using http::RequestFate;
using Sessions = v1::SessionService::Stub;
using testing::ElementsAre;

constexpr char kSession[] = "5e551011-0000-4000-8000-00000000000a";
constexpr char kOther[] = "0de10000-0000-4000-8000-00000000000b";
constexpr char kDevice[] = "de71ce00-0000-4000-8000-00000000000c";
constexpr char kId[] = "1d000000-0000-4000-8000-00000000000d";

std::string SessionJson(const std::string& status, const std::string& id = kSession,
                        const std::string& more = "") {
  return absl::StrCat(R"({"session_id": ")", id, R"(", "status": ")", status,
                      R"(", "device_id": ")", kDevice,
                      R"(", "order_amount": 100, "purchase_currency": "SEK")", more, "}");
}

// ---- A verdict never improves. ----

class CancelVerdict : public FlowBed {
 protected:
  auto Cancel(const std::string& session = kSession) {
    v1::CancelSessionRequest request;
    request.set_session_id(session);
    return Call(&Sessions::CancelSession, request);
  }
};

TEST_F(CancelVerdict, IsNotImprovedByAPortThatIsClosedAfterwards) {
  upstream_.Break(RequestFate::kUnknown);
  upstream_.Answer(200, SessionJson("ACTIVE"));
  upstream_.Break(RequestFate::kNotSent);
  upstream_.Break(RequestFate::kNotSent);
  const auto reply = Cancel();
  EXPECT_TRUE(Refused(reply, StatusCode::UNKNOWN, "OUTCOME_UNKNOWN"));
  EXPECT_EQ(reply.info("outcome"), "UNKNOWN");
}

// What the last answer of several says of itself does not hold for the first.
class CancelVerdictAfterOne : public CancelVerdict, public testing::WithParamInterface<int> {};
INSTANTIATE_TEST_SUITE_P(, CancelVerdictAfterOne, testing::Values(401, 403, 404, 429));

TEST_P(CancelVerdictAfterOne, ThatMayHaveLeftStaysUnknown) {
  upstream_.Break(RequestFate::kUnknown);
  upstream_.Answer(200, SessionJson("ACTIVE"));
  upstream_.Answer(GetParam(), "");
  const auto reply = Cancel();
  EXPECT_EQ(reply.info("outcome"), "UNKNOWN") << reply.message;
}

TEST_F(CancelVerdict, OfWhatNeverLeftIsNotSent) {
  for (int i = 0; i < 3; ++i) upstream_.Break(RequestFate::kNotSent);
  EXPECT_EQ(Cancel().info("outcome"), "NOT_SENT");
}

TEST_F(FlowBed, AReadThatWasTriedAgainDoesNotSayThatNothingLeft) {
  upstream_.Break(RequestFate::kUnknown);
  upstream_.Break(RequestFate::kNotSent);
  upstream_.Break(RequestFate::kNotSent);
  v1::GetSessionRequest request;
  request.set_session_id(kSession);
  EXPECT_EQ(Call(&Sessions::GetSession, request).info("outcome"), "UNKNOWN");
}

// ---- A cancel answers with what the log says. ----

class CancelAgainstTheLog : public CancelVerdict {
 protected:
  void Hear(v1::SessionEventType type) {
    sessions::SessionUpdate news;
    news.source = v1::SESSION_EVENT_SOURCE_WEBHOOK;
    news.merchant_id = "PM1";
    news.session_id = kSession;
    news.event_id = absl::StrCat("kevt_", type);
    news.type = type;
    news.order_id = "order-1";
    std::promise<void> recorded;
    recorder_.Record(news, [&](absl::StatusOr<sessions::Recorded>) { recorded.set_value(); });
    recorded.get_future().wait();
  }
};

TEST_F(CancelAgainstTheLog, WhoseAnswerDisagreesReadsOnceMore) {
  Hear(v1::SESSION_EVENT_TYPE_FINALIZED);
  upstream_.Answer(200, SessionJson("CANCELLED"));  // late
  upstream_.Answer(200, SessionJson("FINALIZED", kSession, R"(, "order_id": "order-1")"));
  const auto reply = Cancel();
  EXPECT_TRUE(Refused(reply, StatusCode::FAILED_PRECONDITION, "SESSION_ALREADY_FINALIZED"));
  EXPECT_EQ(reply.info("order_id"), "order-1");
  EXPECT_THAT(Log(), testing::Not(testing::Contains("CANCELLED")));
}

TEST_F(CancelAgainstTheLog, TakesTheReadThatProvesTheOtherOne) {
  Hear(v1::SESSION_EVENT_TYPE_FINALIZED);
  upstream_.Answer(200, SessionJson("CANCELLED"));
  upstream_.Answer(200, SessionJson("CANCELLED"));
  const auto reply = Cancel();
  ASSERT_TRUE(Ok(reply));
  EXPECT_EQ(reply.response.session().status(), v1::SESSION_STATUS_CANCELLED);
  EXPECT_THAT(Log(), ElementsAre("FINALIZED", "CORRECTED"));
}

TEST_F(CancelAgainstTheLog, SaysWhatTheLogSaysWhenTheReadFails) {
  Hear(v1::SESSION_EVENT_TYPE_FINALIZED);
  upstream_.Answer(200, SessionJson("CANCELLED"));
  for (int i = 0; i < 3; ++i) upstream_.Break(RequestFate::kUnknown);
  EXPECT_TRUE(Refused(Cancel(), StatusCode::FAILED_PRECONDITION, "SESSION_ALREADY_FINALIZED"));
  EXPECT_THAT(Log(), ElementsAre("FINALIZED"));
}

// ---- An answer about something else than what was asked. ----

TEST_F(CancelVerdict, IsUnknownWhenTheAnswerIsAboutAnotherSession) {
  upstream_.Answer(200, SessionJson("CANCELLED", kOther));
  for (int i = 0; i < 3; ++i) upstream_.Break(RequestFate::kUnknown);
  const auto reply = Cancel();
  EXPECT_EQ(reply.reason(), "UPSTREAM_MALFORMED");
  EXPECT_EQ(reply.info("outcome"), "UNKNOWN");
  EXPECT_THAT(Log(), ElementsAre());
}

TEST_F(FlowBed, AReadAnsweredWithAnotherSessionIsMalformed) {
  upstream_.Answer(200, SessionJson("ACTIVE", kOther));
  v1::GetSessionRequest request;
  request.set_session_id(kSession);
  EXPECT_EQ(Call(&Sessions::GetSession, request).reason(), "UPSTREAM_MALFORMED");
  EXPECT_THAT(Log(), ElementsAre());
}

// ---- The verdict is about the id. ----

class CreateVerdict : public FlowBed {
 protected:
  v1::CreateSessionRequest Order() {
    auto request = Text<v1::CreateSessionRequest>(absl::StrCat(
        "request_id: '", kId, "' device_id: '", kDevice,
        "' order_amount: 100 purchase_currency: 'SEK' order_items { name: 'Coffee' quantity: 1 "
        "unit_price: 100 total_amount: 100 }"));
    return request;
  }
  auto Create(const v1::CreateSessionRequest& request) {
    return Call(&Sessions::CreateSession, request);
  }
  void CreateUnknown() {
    upstream_.Answer(500, "");
    const auto reply =
        CallOver(channel_, &Sessions::CreateSession, Order(), {.timeout = absl::Seconds(2)});
    EXPECT_EQ(reply.info("outcome"), "UNKNOWN");
  }
};

TEST_F(CreateVerdict, OfARequestThatIsRefusedHereTellsOfTheEarlierOne) {
  CreateUnknown();
  v1::CreateSessionRequest wrong = Order();
  wrong.set_purchase_currency("sek");
  const auto reply = Create(wrong);
  EXPECT_EQ(reply.reason(), "INVALID_REQUEST");
  EXPECT_EQ(reply.info("outcome"), "-");
  EXPECT_EQ(reply.info("earlier_outcome"), "UNKNOWN");
}

TEST_F(CreateVerdict, OfARequestThatIsRefusedHereIsNotSentWhenTheLedgerKnowsOfNoOther) {
  v1::CreateSessionRequest wrong = Order();
  wrong.set_purchase_currency("sek");
  const auto reply = Create(wrong);
  EXPECT_EQ(reply.info("outcome"), "NOT_SENT");
  EXPECT_EQ(reply.info("earlier_outcome"), "-");
}

TEST_F(CreateVerdict, OfAnotherRequestUnderTheIdNamesItsSession) {
  upstream_.Answer(201, SessionJson("CREATED"));
  ASSERT_TRUE(Ok(Create(Order())));
  v1::CreateSessionRequest other = Order();
  other.set_merchant_reference1("changed");
  const auto reply = Create(other);
  EXPECT_EQ(reply.reason(), "REQUEST_ID_REUSED");
  EXPECT_EQ(reply.info("outcome"), "-");
  EXPECT_EQ(reply.info("earlier_outcome"), "EXECUTED");
  EXPECT_EQ(reply.info("session_id"), kSession);
}

TEST_F(CreateVerdict, ClaimsNothingWhenTheMerchantIsNotClear) {
  CreateUnknown();
  v1::CreateSessionRequest request = Order();
  const auto reply = CallOver(channel_, &Sessions::CreateSession, request,
                              {.metadata = {{"x-merchant-id", "PM9"}}});
  EXPECT_FALSE(reply.ok());
  EXPECT_EQ(reply.info("outcome"), "-");
}

// ---- One create, however its id is spelled. ----

TEST_F(CreateVerdict, IsTheSameInAnyLetterCase) {
  upstream_.Answer(201, SessionJson("CREATED", absl::AsciiStrToUpper(kSession)));
  const auto first = Create(Order());
  ASSERT_TRUE(Ok(first));
  EXPECT_EQ(first.response.session().session_id(), kSession);
  v1::CreateSessionRequest again = Order();
  again.set_request_id(absl::AsciiStrToUpper(kId));
  again.set_device_id(absl::AsciiStrToUpper(kDevice));
  const auto second = Create(again);
  ASSERT_TRUE(Ok(second));
  EXPECT_TRUE(second.response.replayed());
  EXPECT_THAT(upstream_.methods(), ElementsAre("POST"));

  v1::GetCreateOutcomeRequest outcome;
  outcome.set_request_id(absl::AsciiStrToUpper(kId));
  const auto known = Call(&v1::OutcomeService::Stub::GetCreateOutcome, outcome);
  ASSERT_TRUE(Ok(known));
  EXPECT_EQ(known.response.outcome().session_id(), kSession);
}

TEST_F(CreateVerdict, KnowsASessionThatTheLedgerHasLost) {
  upstream_.Answer(201, SessionJson("CREATED"));
  ASSERT_TRUE(Ok(Create(Order())));
  store_.ForgetIntents();
  const auto again = Create(Order());
  ASSERT_TRUE(Ok(again));
  EXPECT_TRUE(again.response.replayed());
  EXPECT_EQ(again.response.session().session_id(), kSession);
  EXPECT_THAT(upstream_.methods(), ElementsAre("POST"));

  store_.ForgetIntents();
  v1::CreateSessionRequest other = Order();
  other.mutable_order_items(0)->set_unit_price(200);
  other.mutable_order_items(0)->set_total_amount(200);
  other.set_order_amount(200);
  const auto refused = Create(other);
  EXPECT_EQ(refused.reason(), "REQUEST_ID_REUSED");
  EXPECT_EQ(refused.info("session_id"), kSession);
  EXPECT_THAT(refused.fields(), testing::Contains("order_amount"));
}

TEST_F(CreateVerdict, IsAnsweredFromWhatIsLeftOfIt) {
  upstream_.Answer(201, SessionJson("CREATED"));
  ASSERT_TRUE(Ok(Create(Order())));
  store_.TrimIntents();
  const auto again = Create(Order());
  ASSERT_TRUE(Ok(again));
  EXPECT_EQ(again.response.session().session_id(), kSession);
  v1::CreateSessionRequest other = Order();
  other.set_merchant_reference1("changed");
  EXPECT_EQ(Create(other).reason(), "REQUEST_ID_REUSED");
  EXPECT_THAT(upstream_.methods(), ElementsAre("POST"));
}

// ---- Marks that are not the create's own. ----

TEST_F(CreateVerdict, IsNotSettledByASessionOfAnotherAmount) {
  CreateUnknown();
  upstream_.Answer(200, absl::StrCat(R"({"session_id": ")", kOther, R"(", "status": "ACTIVE", )",
                                     R"("device_id": ")", kDevice,
                                     R"(", "order_amount": 999, "purchase_currency": "SEK", )",
                                     R"("merchant_data": "ipp-gateway:)", kId, R"("})"));
  v1::GetSessionRequest read;
  read.set_session_id(kOther);
  ASSERT_TRUE(Ok(Call(&Sessions::GetSession, read)));
  v1::GetCreateOutcomeRequest outcome;
  outcome.set_request_id(kId);
  const auto known = Call(&v1::OutcomeService::Stub::GetCreateOutcome, outcome);
  EXPECT_EQ(known.response.outcome().state(), v1::CREATE_STATE_UNKNOWN);
}

TEST_F(CreateVerdict, RefusesTheMarkFromACaller) {
  for (const char* text : {"ipp-gateway:x", "IPP-Gateway:x"}) {
    v1::CreateSessionRequest request = Order();
    request.set_merchant_data(text);
    EXPECT_THAT(Create(request).fields(), ElementsAre("merchant_data"));
    request.clear_merchant_data();
    request.set_merchant_reference2(text);
    EXPECT_THAT(Create(request).fields(), ElementsAre("merchant_reference2"));
  }
}

}  // namespace
}  // namespace ipp::rpc
