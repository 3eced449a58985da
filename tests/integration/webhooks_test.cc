// The webhook port as the upstream sees it.

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "tests/support/gateway_streams.h"
#include "tests/support/gateway_under_test.h"

namespace ipp {
namespace {

namespace v1 = kustom::ipp::v1;
using testing::StartsWith;

constexpr char kSecret[] = "whsec_aXBwLXNpbXVsYXRvci1kZWZhdWx0LXNlY3JldC0wMDE=";
constexpr char kOldSecret[] = "whsec_b25lLXRoYXQtaXMtYmVpbmctcm90YXRlZC1vdXQtMDE=";
constexpr char kOtherSecret[] = "whsec_c29tZWJvZHktZWxzZS1lbnRpcmVseS0wMDAwMDAwMDE=";

std::string Event(const std::string& type, const std::string& id = "kevt_1",
                  const std::string& merchant = kMerchant) {
  return absl::StrReplaceAll(
      R"({"id": "$I", "merchant_id": "$M", "timestamp": "2026-01-02T03:04:05.678901234Z",)"
      R"( "type": "$T", "data": {"session_id": "$S", "order_id": null}})",
      {{"$I", id}, {"$M", merchant}, {"$T", type}, {"$S", kNobody}});
}

// The fixture's gateway hears only what a test tells it.
class WebhookPort : public testing::Test {
 protected:
  RawResponse Deliver(const std::string& body, const std::string& secret = kSecret,
                      absl::Time signed_at = absl::Now()) {
    return bed_.gateway.Webhook(SignedHeaders(body, secret, signed_at), body);
  }
  // Everything in the log, "TYPE upstream_type".
  std::vector<std::string> Log() {
    const auto reply = bed_.Call(&v1::SessionEventService::Stub::ListSessionEvents,
                                 v1::ListSessionEventsRequest());
    EXPECT_TRUE(Ok(reply));
    std::vector<std::string> events;
    for (const v1::SessionEvent& event : reply.response.events()) {
      events.push_back(ShortName(event.type()) + " " + event.upstream_type());
    }
    return events;
  }

  GatewayBed bed_{
      {.webhooks = false,
       .two_merchants = false,
       .configure = [](const TestDirectory& directory, config::Config& config) {
         config.mutable_webhooks()->set_max_body_bytes(1024);
         config.mutable_merchants(0)->set_webhook_secrets_file(directory.Write(
             "secrets", absl::StrCat("# the new one\n", kSecret, "\n", kOldSecret, "\n")));
         config::Merchant* second = AddMerchant(directory, kMerchant2, kApiKey2, &config);
         second->set_webhook_secrets_file(
             directory.Write("second", absl::StrCat(kOtherSecret, "\n")));
       }}};
};

TEST_F(WebhookPort, TakesAnEventAndHasItInTheLogWhenItAnswers) {
  const RawResponse answer = Deliver(Event("ipp.session.activated"));
  EXPECT_EQ(answer.code, 200);
  EXPECT_EQ(answer.body, "accepted\n");
  EXPECT_THAT(Log(), testing::ElementsAre("ACTIVATED ipp.session.activated"));
}

TEST_F(WebhookPort, KnowsWhatItHasTakenAlready) {
  EXPECT_EQ(Deliver(Event("ipp.session.activated")).body, "accepted\n");
  const RawResponse again = Deliver(Event("ipp.session.activated"));
  EXPECT_EQ(again.code, 200);
  EXPECT_EQ(again.body, "known already\n");
  EXPECT_EQ(Deliver(Event("ipp.session.activated", "kevt_2")).body, "known already\n");
  EXPECT_EQ(Log().size(), 1u);
  EXPECT_EQ(bed_.gateway.Metric("ipp_webhooks_total", {R"(result="duplicate")"}), 2);
}

TEST_F(WebhookPort, TakesEitherSecretWhileOneIsRotated) {
  EXPECT_EQ(Deliver(Event("ipp.session.activated"), kOldSecret).code, 200);
  EXPECT_EQ(Deliver(Event("ipp.session.finalized", "kevt_2"), kSecret).code, 200);
  const std::string body = Event("ipp.session.created", "kevt_3");
  std::string both = SignedHeaders(body, kOtherSecret, absl::Now());
  const std::string good = SignedHeaders(body, kSecret, absl::Now());
  const std::string signature = good.substr(good.find("v1,"), 47);
  both.insert(both.size() - 2, " " + signature);
  EXPECT_EQ(bed_.gateway.Webhook(both, body).code, 200) << "two secrets sign";
}

TEST_F(WebhookPort, RefusesAnUnknownSecret) {
  const RawResponse answer =
      Deliver(Event("ipp.session.activated"), "whsec_bm9ib2R5LWtub3dzLXRoaXMtc2VjcmV0LTAwMDE=");
  EXPECT_EQ(answer.code, 401);
  EXPECT_THAT(Log(), testing::IsEmpty());
}

TEST_F(WebhookPort, RefusesABodyThatWasChanged) {
  const std::string body = Event("ipp.session.activated");
  const std::string changed = absl::StrReplaceAll(body, {{"activated", "finalized"}});
  EXPECT_EQ(bed_.gateway.Webhook(SignedHeaders(body, kSecret, absl::Now()), changed).code, 401);
}

TEST_F(WebhookPort, RefusesNoSignature) {
  EXPECT_EQ(bed_.gateway.Webhook("", Event("ipp.session.activated")).code, 401);
}

TEST_F(WebhookPort, RefusesAStaleOrFutureTimestamp) {
  const std::string body = Event("ipp.session.activated");
  EXPECT_EQ(Deliver(body, kSecret, absl::Now() - absl::Minutes(6)).code, 401);
  EXPECT_EQ(Deliver(body, kSecret, absl::Now() + absl::Minutes(6)).code, 401);
  EXPECT_EQ(Deliver(body, kSecret, absl::Now() - absl::Minutes(4)).code, 200);
}

TEST_F(WebhookPort, RefusesTheEventOfAnotherMerchant) {
  const RawResponse answer = Deliver(Event("ipp.session.activated", "kevt_1", kMerchant2), kSecret);
  EXPECT_EQ(answer.code, 403);
  EXPECT_THAT(answer.body, StartsWith("signed with the key of another merchant"));
  EXPECT_EQ(Deliver(Event("ipp.session.activated", "kevt_1", kMerchant2), kOtherSecret).code, 200);
}

// A merchant may say what it likes of a session's id; it says it of its own sessions.
TEST_F(WebhookPort, KeepsWhatOneMerchantSaysFromTheSessionsOfAnother) {
  const CallOptions first{.metadata = {{"x-merchant-id", kMerchant}}};
  const std::string session = bed_.NewSession(bed_.NewDevice("Till", first), first);
  const std::string forged = absl::StrReplaceAll(
      Event("ipp.session.finalized", "kevt_1", kMerchant2), {{kNobody, session}});
  EXPECT_EQ(Deliver(forged, kOtherSecret).code, 200);
  v1::ListSessionEventsRequest request;
  request.mutable_filter()->add_merchant_ids(kMerchant);
  const auto told = bed_.Call(&v1::SessionEventService::Stub::ListSessionEvents, request);
  ASSERT_EQ(told.response.events_size(), 1);
  EXPECT_EQ(told.response.events(0).type(), v1::SESSION_EVENT_TYPE_CREATED);
  v1::WatchSessionRequest watched;
  watched.set_session_id(session);
  SessionWatch watch(bed_.gateway.channel(), watched, first);
  EXPECT_EQ(watch.NextStep(), "CREATED");
  // Its id does not use up the first one's.
  EXPECT_EQ(Deliver(absl::StrReplaceAll(forged, {{kMerchant2, kMerchant}})).body, "accepted\n");
  EXPECT_EQ(watch.NextStep(), "FINALIZED");
}

TEST_F(WebhookPort, RefusesWhatIsNoEvent) {
  EXPECT_EQ(Deliver("{").code, 400);
  EXPECT_EQ(Deliver("[]").code, 400);
  const RawResponse no_type = Deliver(R"({"id": "kevt_1"})");
  EXPECT_EQ(no_type.code, 400);
  EXPECT_THAT(no_type.body, StartsWith("type is missing"));
  const RawResponse no_session = Deliver(
      R"({"id": "kevt_1", "merchant_id": "PM00000001", "type": "ipp.session.created", "data": {}})");
  EXPECT_EQ(no_session.code, 400);
  EXPECT_THAT(no_session.body, StartsWith("data.session_id is missing"));
  EXPECT_THAT(Log(), testing::IsEmpty());
}

TEST_F(WebhookPort, RefusesALargeBody) { EXPECT_EQ(Deliver(std::string(1025, ' ')).code, 413); }

TEST_F(WebhookPort, KnowsOnePathAndOneMethod) {
  const int port = bed_.gateway.app().webhook_port();
  const RawResponse other = CallHttp(port, "POST", "/webhooks/other");
  EXPECT_EQ(other.code, 404);
  EXPECT_THAT(other.body, StartsWith("not found"));
  const RawResponse get = CallHttp(port, "GET", "/webhooks/kustom");
  EXPECT_EQ(get.code, 405);
  EXPECT_EQ(get.header("allow"), "POST, OPTIONS");
  EXPECT_THAT(get.body, StartsWith("method not allowed"));
}

TEST_F(WebhookPort, PassesOnATypeThatItDoesNotKnow) {
  EventFeed feed(bed_.gateway.channel(), "position: START_POSITION_FROM_NOW");
  EXPECT_EQ(Deliver(Event("ipp.session.paused")).code, 200);
  const v1::SessionEvent event = feed.NextEvent();
  EXPECT_EQ(event.type(), v1::SESSION_EVENT_TYPE_UNSPECIFIED);
  EXPECT_EQ(event.upstream_type(), "ipp.session.paused");
  EXPECT_EQ(event.event_id(), "kevt_1");
  EXPECT_EQ(event.session_id(), kNobody);
  EXPECT_EQ(event.occurred_at().seconds(), 1767323045);
  EXPECT_EQ(event.occurred_at().nanos(), 678901234);
}

TEST_F(WebhookPort, AcknowledgesEventsOfOtherProductsWithoutKeepingThem) {
  const RawResponse answer =
      Deliver(R"({"id": "kevt_1", "merchant_id": "PM00000001", "type": "order.created",)"
              R"( "timestamp": "2026-01-02T03:04:05Z", "data": {"order_id": "1"}})");
  EXPECT_EQ(answer.code, 200);
  EXPECT_EQ(answer.body, "ignored\n");
  EXPECT_THAT(Log(), testing::IsEmpty());
}

}  // namespace
}  // namespace ipp
