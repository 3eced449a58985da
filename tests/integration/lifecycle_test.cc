// A sale from the first call to the last event, as its subscribers see it.

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "kustom/ipp/v1/simulation.grpc.pb.h"
#include "tests/support/gateway_streams.h"
#include "tests/support/gateway_under_test.h"
#include "tests/support/http_gate.h"
#include "tests/support/tls_front.h"

namespace ipp {
namespace {

namespace v1 = kustom::ipp::v1;
using Sessions = v1::SessionService::Stub;
using testing::ElementsAre;

constexpr char kFromNow[] = "position: START_POSITION_FROM_NOW";
constexpr char kFromOldest[] = "position: START_POSITION_FROM_OLDEST";
constexpr char kRequestId[] = "0a0b0c0d-0000-4000-8000-00000000000a";

TEST(Sale, ReachesEverySubscriberOnceAndInOrder) {
  GatewayBed bed;
  EventFeed first(bed.gateway.channel(), kFromNow);
  EventFeed second(bed.gateway.NewChannel(), kFromOldest);
  const std::string session = bed.NewSession();
  bed.Tap(session, "LOST_CARD");
  for (const char* type : {"CREATED", "ACTIVATED", "PAYMENT_FAILED", "FINALIZED"}) {
    for (EventFeed* feed : {&first, &second}) {
      const v1::SessionEvent event = feed->NextEvent();
      EXPECT_EQ(ShortName(event.type()), type);
      EXPECT_EQ(event.session_id(), session);
      EXPECT_EQ(event.merchant_id(), kMerchant);
    }
    // Only now: a read of the finished session may overtake the webhook of the declined card.
    if (std::string(type) == "PAYMENT_FAILED") bed.Tap(session);
  }
  // Whatever comes after it shows that nothing came twice.
  const std::string last = bed.NewSession();
  for (EventFeed* feed : {&first, &second}) EXPECT_EQ(feed->NextEvent().session_id(), last);
  EXPECT_EQ(first.cursor(), second.cursor());
}

TEST(Sale, IsToldWithTheWholeSession) {
  GatewayBed bed({.webhooks = false});
  EventFeed feed(bed.gateway.channel(), kFromNow);
  auto request = Text<v1::CreateSessionRequest>(OrderText(bed.NewDevice()));
  request.set_request_id(kRequestId);
  const auto made = bed.Call(&Sessions::CreateSession, request);
  // From here on: the webhook of the creation could overtake its answer, and would know less.
  bed.simulator.SetWebhookUrl(bed.gateway.webhook_url());
  bed.Tap(made.response.session().session_id(), "LOST_CARD");
  const v1::SessionEvent created = feed.NextEvent();
  EXPECT_EQ(created.source(), v1::SESSION_EVENT_SOURCE_API);
  EXPECT_EQ(created.upstream_type(), "");
  EXPECT_EQ(created.session().order_amount(), 25000);
  EXPECT_TRUE(created.has_recorded_at());
  const v1::SessionEvent activated = feed.NextEvent();
  EXPECT_EQ(activated.source(), v1::SESSION_EVENT_SOURCE_WEBHOOK);
  EXPECT_EQ(activated.upstream_type(), "ipp.session.activated");
  EXPECT_EQ(activated.session().status(), v1::SESSION_STATUS_ACTIVE);
  const v1::SessionEvent declined = feed.NextEvent();
  EXPECT_EQ(declined.failure_reason(), "lost_card");
  EXPECT_EQ(declined.session().status(), v1::SESSION_STATUS_ACTIVE);
  bed.Tap(made.response.session().session_id());
  const v1::SessionEvent paid = feed.NextEvent();
  EXPECT_NE(paid.order_id(), "");
  EXPECT_EQ(paid.session().status(), v1::SESSION_STATUS_FINALIZED);
  EXPECT_EQ(paid.session().merchant_reference1(), "SHOP-1001");
  EXPECT_EQ(paid.request_id(), kRequestId);
  EXPECT_TRUE(paid.has_occurred_at());
}

TEST(Sale, WorksOverHttp2AndTls) {
  http::TestCertificate certificate;
  RunningSimulator simulator;
  http::TlsFront front({simulator.port()}, certificate);
  TestDirectory directory;
  config::Config config = TestConfig(directory, front.base_url());
  config.mutable_upstream()->set_ca_file(certificate.cert_file());
  RunningGateway gateway(config);
  simulator.SetWebhookUrl(gateway.webhook_url());
  EventFeed feed(gateway.channel(), kFromNow);
  const auto device = gateway.Call(&v1::SimulationService::Stub::CreateSimulatedDevice,
                                   Text<v1::CreateSimulatedDeviceRequest>("name: 'Till 1'"));
  ASSERT_TRUE(Ok(device));
  const auto made =
      gateway.Call(&Sessions::CreateSession,
                   Text<v1::CreateSessionRequest>(OrderText(device.response.device().id())));
  ASSERT_TRUE(Ok(made));
  v1::SimulateCardTapRequest tap;
  tap.set_session_id(made.response.session().session_id());
  ASSERT_TRUE(Ok(gateway.Call(&v1::SimulationService::Stub::SimulateCardTap, tap)));
  EXPECT_THAT(feed.NextTypes(3), ElementsAre("CREATED", "ACTIVATED", "FINALIZED"));
}

TEST(Sale, IsNotMadeWithAnUpstreamThatNobodyTrusts) {
  http::TestCertificate certificate;
  http::TestCertificate other;
  RunningSimulator simulator;
  http::TlsFront front({simulator.port()}, certificate);
  TestDirectory directory;
  config::Config config = TestConfig(directory, front.base_url());
  config.mutable_upstream()->set_ca_file(other.cert_file());
  RunningGateway gateway(config);
  const auto reply =
      gateway.Call(&Sessions::CreateSession, Text<v1::CreateSessionRequest>(OrderText(kNobody)));
  EXPECT_TRUE(Refused(reply, grpc::StatusCode::UNAVAILABLE, "UPSTREAM_UNTRUSTED"));
  EXPECT_EQ(reply.info("outcome"), "NOT_SENT");
  EXPECT_TRUE(simulator.Requests().empty());
}

TEST(Cancel, IsOneEventAlthoughTheWebhookTellsItToo) {
  GatewayBed bed;
  EventFeed feed(bed.gateway.channel(), kFromNow);
  const std::string session = bed.NewSession();
  v1::CancelSessionRequest request;
  request.set_session_id(session);
  ASSERT_TRUE(Ok(bed.Call(&Sessions::CancelSession, request)));
  // Both webhooks, created and cancelled, have been answered; one of each pair was news already.
  bed.gateway.WaitForMetric("ipp_webhooks_total", 2);
  bed.NewSession();
  EXPECT_THAT(feed.NextTypes(3), ElementsAre("CREATED", "CANCELLED", "CREATED"));
}

TEST(Cancel, ByTheClerkIsAnEvent) {
  GatewayBed bed;
  EventFeed feed(bed.gateway.channel(), kFromNow);
  bed.simulator.Step(bed.NewSession(), "clerk-cancel");
  EXPECT_THAT(feed.NextTypes(2), ElementsAre("CREATED", "CANCELLED"));
}

TEST(Expiry, ThatNoWebhookTellsIsAnEventOnceSomebodyReadsIt) {
  GatewayBed bed;
  EventFeed feed(bed.gateway.channel(), kFromNow);
  v1::GetSessionRequest request;
  request.set_session_id(bed.NewSession());
  bed.simulator.Step(request.session_id(), "expire");
  ASSERT_TRUE(Ok(bed.Call(&Sessions::GetSession, request)));
  ASSERT_TRUE(Ok(bed.Call(&Sessions::GetSession, request)));
  bed.NewSession();
  EXPECT_THAT(feed.NextTypes(3), ElementsAre("CREATED", "EXPIRED", "CREATED"));
}

// The upstream tells of a session before it has answered the call that makes it.
TEST(CreatedWebhook, MayComeBeforeTheAnswerOfTheCreate) {
  RunningGateway* gateway = nullptr;
  http::HttpGate gate([&](const http::GateRequest&, http::GatePeer& peer) {
    const std::string body = absl::StrReplaceAll(
        R"({"id": "kevt_1", "merchant_id": "$M", "timestamp": "2026-01-02T03:04:05Z",
            "type": "ipp.session.created", "data": {"session_id": "$S"}})",
        {{"$M", kMerchant}, {"$S", kNobody}});
    const RawResponse taken = gateway->Webhook(
        SignedHeaders(body, simulator::Simulator::kDefaultSecret, absl::Now()), body);
    EXPECT_EQ(taken.code, 200) << taken.body;
    peer.Respond(200, absl::StrReplaceAll(
                          R"({"session_id": "$S", "status": "CREATED", "order_amount": 25000})",
                          {{"$S", kNobody}}));
  });
  TestDirectory directory;
  RunningGateway running(TestConfig(directory, absl::StrCat("http://127.0.0.1:", gate.port())));
  gateway = &running;
  EventFeed feed(running.channel(), kFromNow);
  auto request = Text<v1::CreateSessionRequest>(OrderText(kNobody));
  request.set_request_id(kRequestId);
  ASSERT_TRUE(Ok(running.Call(&Sessions::CreateSession, request)));
  const v1::SessionEvent created = feed.NextEvent();
  EXPECT_EQ(created.type(), v1::SESSION_EVENT_TYPE_CREATED);
  EXPECT_EQ(created.event_id(), "kevt_1");
  EXPECT_EQ(created.source(), v1::SESSION_EVENT_SOURCE_WEBHOOK);
  // The next event is richer by the answer, and there is no second CREATED.
  const std::string body = absl::StrReplaceAll(
      R"({"id": "kevt_2", "merchant_id": "$M", "timestamp": "2026-01-02T03:04:06Z",
          "type": "ipp.session.activated", "data": {"session_id": "$S"}})",
      {{"$M", kMerchant}, {"$S", kNobody}});
  EXPECT_EQ(
      running.Webhook(SignedHeaders(body, simulator::Simulator::kDefaultSecret, absl::Now()), body)
          .code,
      200);
  const v1::SessionEvent activated = feed.NextEvent();
  EXPECT_EQ(activated.type(), v1::SESSION_EVENT_TYPE_ACTIVATED);
  EXPECT_EQ(activated.session().order_amount(), 25000);
  EXPECT_EQ(activated.request_id(), kRequestId);
}

TEST(CreatedWebhook, ThatComesAfterTheAnswerIsNoSecondEvent) {
  GatewayBed bed({.webhooks = false});
  EventFeed feed(bed.gateway.channel(), kFromNow);
  const std::string session = bed.NewSession();
  bed.simulator.SetWebhookUrl(bed.gateway.webhook_url());
  bed.simulator.Resend(bed.simulator.Webhooks().front().event_id);
  bed.gateway.WaitForMetric("ipp_webhooks_total", 1, {R"(result="duplicate")"});
  bed.simulator.Step(session, "activate");
  EXPECT_THAT(feed.NextTypes(2), ElementsAre("CREATED", "ACTIVATED"));
}

}  // namespace
}  // namespace ipp
