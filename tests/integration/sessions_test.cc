// Sessions: creating, reading, cancelling, tapping; and the headers of every call upstream.

#include "gmock/gmock.h"
#include "kustom/ipp/v1/session.grpc.pb.h"
#include "kustom/ipp/v1/session_event.grpc.pb.h"
#include "kustom/ipp/v1/simulation.grpc.pb.h"
#include "tests/support/gateway_under_test.h"

namespace ipp {
namespace {

namespace v1 = kustom::ipp::v1;
using Sessions = v1::SessionService::Stub;
using Simulation = v1::SimulationService::Stub;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;
using testing::StartsWith;

v1::GetSessionRequest GetRequest(const std::string& session_id) {
  v1::GetSessionRequest request;
  request.set_session_id(session_id);
  return request;
}

v1::CancelSessionRequest CancelRequest(const std::string& session_id) {
  v1::CancelSessionRequest request;
  request.set_session_id(session_id);
  return request;
}

TEST(GatewaySessions, AreCreatedAsAsked) {
  GatewayBed bed;
  const std::string device = bed.NewDevice();
  bed.simulator.ForgetRequests();
  auto request = Text<v1::CreateSessionRequest>(OrderText(device));
  request.set_request_id("0a0b0c0d-0000-4000-8000-00000000000a");
  request.set_merchant_data("{\"basket\": 7}");
  const auto reply = bed.Call(&Sessions::CreateSession, request);
  ASSERT_TRUE(Ok(reply));
  const v1::Session& session = reply.response.session();
  EXPECT_NE(session.session_id(), "");
  EXPECT_EQ(session.status(), v1::SESSION_STATUS_CREATED);
  EXPECT_EQ(session.device_id(), device);
  EXPECT_EQ(session.order_amount(), 25000);
  EXPECT_EQ(session.order_tax_amount(), 5000);
  EXPECT_EQ(session.purchase_currency(), "SEK");
  EXPECT_EQ(session.merchant_reference1(), "SHOP-1001");
  EXPECT_EQ(session.merchant_data(), "{\"basket\": 7}");
  EXPECT_TRUE(session.has_purchase_started_at()) << "the gateway fills it in";
  ASSERT_EQ(session.order_items_size(), 1);
  EXPECT_EQ(session.order_items(0).type(), v1::ORDER_ITEM_TYPE_PHYSICAL);
  EXPECT_EQ(session.order_items(0).unit_price(), 12500);
  EXPECT_EQ(reply.trailers.at("x-request-id"), request.request_id());
  const SeenRequest seen = bed.simulator.OnlyRequest();
  EXPECT_EQ(seen.call(), "POST /ipp/v1/sessions");
  EXPECT_THAT(seen.body, HasSubstr(R"("order_amount":25000)"));
  EXPECT_THAT(seen.body, HasSubstr(R"("type":"physical")"));
  EXPECT_THAT(seen.body, Not(HasSubstr("request_id")));
}

TEST(GatewaySessions, SendTheirLocationAsAQuery) {
  GatewayBed bed;
  auto request = Text<v1::CreateSessionRequest>(OrderText(bed.NewDevice()));
  request.set_location_id(kLocation1);
  bed.simulator.ForgetRequests();
  ASSERT_TRUE(Ok(bed.Call(&Sessions::CreateSession, request)));
  const SeenRequest seen = bed.simulator.OnlyRequest();
  EXPECT_EQ(seen.target, std::string("/ipp/v1/sessions?location_id=") + kLocation1);
  EXPECT_THAT(seen.body, Not(HasSubstr("location_id")));
}

TEST(GatewaySessions, AreReadFromTheUpstream) {
  GatewayBed bed;
  const std::string session = bed.NewSession();
  bed.simulator.Step(session, "expire");
  bed.simulator.ForgetRequests();
  const auto reply = bed.Call(&Sessions::GetSession, GetRequest(session));
  ASSERT_TRUE(Ok(reply));
  EXPECT_EQ(reply.response.session().status(), v1::SESSION_STATUS_EXPIRED);
  EXPECT_EQ(bed.simulator.OnlyRequest().call(), "GET /ipp/v1/sessions/" + session);
}

TEST(GatewaySessions, AreCancelled) {
  GatewayBed bed;
  const std::string session = bed.NewSession();
  bed.simulator.ForgetRequests();
  const auto reply = bed.Call(&Sessions::CancelSession, CancelRequest(session));
  ASSERT_TRUE(Ok(reply));
  EXPECT_EQ(reply.response.session().session_id(), session);
  EXPECT_EQ(reply.response.session().status(), v1::SESSION_STATUS_CANCELLED);
  const SeenRequest seen = bed.simulator.OnlyRequest();
  EXPECT_EQ(seen.call(), "PUT /ipp/v1/sessions/" + session + "/cancel");
  EXPECT_EQ(seen.body, "");
  EXPECT_TRUE(Ok(bed.Call(&Sessions::CancelSession, CancelRequest(session)))) << "harmless twice";
}

TEST(GatewaySessions, ArePaidByATap) {
  GatewayBed bed;
  const std::string session = bed.NewSession();
  bed.simulator.ForgetRequests();
  bed.Tap(session, "INSUFFICIENT_FUNDS");
  EXPECT_EQ(bed.simulator.OnlyRequest().call(),
            "POST /ipp/v1/dev/sessions/" + session + "/simulate-tap?outcome=INSUFFICIENT_FUNDS");
  EXPECT_EQ(bed.Call(&Sessions::GetSession, GetRequest(session)).response.session().status(),
            v1::SESSION_STATUS_ACTIVE);
  bed.Tap(session);
  const auto paid = bed.Call(&Sessions::GetSession, GetRequest(session));
  EXPECT_EQ(paid.response.session().status(), v1::SESSION_STATUS_FINALIZED);
  EXPECT_NE(paid.response.session().order_id(), "");
  EXPECT_TRUE(paid.response.session().has_purchase_completed_at());
}

TEST(GatewaySessions, NameTheGatewayTheMerchantAndTheTrace) {
  GatewayBed bed;
  CallOptions options;
  options.metadata["traceparent"] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  bed.Call(&Sessions::GetSession, GetRequest(kNobody), options);
  const SeenRequest traced = bed.simulator.OnlyRequest();
  EXPECT_EQ(traced.header("traceparent"), options.metadata["traceparent"]);
  EXPECT_THAT(traced.header("user-agent"), StartsWith("ipp-gateway/"));
  EXPECT_EQ(traced.header("accept"), "application/json");
  EXPECT_EQ(traced.header("x-merchant-id"), "") << "the contract wants it on lists alone";
  EXPECT_EQ(traced.authorization, "key");
  bed.simulator.ForgetRequests();
  options.metadata["traceparent"] = "nonsense";
  bed.Call(&Sessions::GetSession, GetRequest(kNobody), options);
  EXPECT_THAT(bed.simulator.OnlyRequest().header("traceparent"),
              MatchesRegex("00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}"));
}

TEST(GatewaySessions, AreAuthorizedWithTheUserNameWhereThereIsOne) {
  GatewayBed bed({.configure = [](const TestDirectory&, config::Config& config) {
    config.mutable_merchants(0)->set_username("PM00000001-till");
  }});
  bed.Call(&Sessions::GetSession, GetRequest(kNobody));
  EXPECT_EQ(bed.simulator.OnlyRequest().authorization, "basic");
}

class EveryTap : public testing::TestWithParam<int> {};

TEST_P(EveryTap, IsTakenByTheUpstream) {
  GatewayBed bed;
  const std::string outcome =
      v1::TapOutcome_Name(static_cast<v1::TapOutcome>(GetParam())).substr(12);
  const std::string session = bed.NewSession();
  bed.simulator.ForgetRequests();
  bed.Tap(session, outcome);
  const SeenRequest seen = bed.simulator.OnlyRequest();
  EXPECT_EQ(seen.status, 200);
  const bool named = outcome != "UNSPECIFIED";
  EXPECT_THAT(seen.target, HasSubstr(named ? "outcome=" + outcome : "simulate-tap"));
}

INSTANTIATE_TEST_SUITE_P(Outcomes, EveryTap, testing::Range(0, v1::TapOutcome_ARRAYSIZE),
                         [](const auto& info) {
                           return v1::TapOutcome_Name(static_cast<v1::TapOutcome>(info.param));
                         });

}  // namespace
}  // namespace ipp
