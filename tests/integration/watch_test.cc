// WatchSession: the state as it is, then every step, to the last one.

#include <thread>

#include "gmock/gmock.h"
#include "tests/support/gateway_streams.h"
#include "tests/support/gateway_under_test.h"

namespace ipp {
namespace {

namespace v1 = kustom::ipp::v1;

constexpr char kRequestId[] = "0a0b0c0d-0000-4000-8000-00000000000a";

v1::WatchSessionRequest BySession(const std::string& session_id) {
  v1::WatchSessionRequest request;
  request.set_session_id(session_id);
  return request;
}

v1::WatchSessionRequest ByRequest() {
  v1::WatchSessionRequest request;
  request.set_request_id(kRequestId);
  return request;
}

TEST(Watch, ShowsEveryStepFromCreatedToFinalized) {
  GatewayBed bed;
  const std::string session = bed.NewSession();
  SessionWatch watch(bed.gateway.channel(), BySession(session));
  EXPECT_EQ(watch.NextStep(), "CREATED");
  EXPECT_EQ(watch.session().order_amount(), 25000);
  bed.Tap(session, "EXPIRED_CARD");
  EXPECT_EQ(watch.NextStep(), "ACTIVE");
  EXPECT_EQ(watch.NextStep(), "PAYMENT_FAILED expired_card");
  EXPECT_EQ(watch.session().status(), v1::SESSION_STATUS_ACTIVE);
  bed.Tap(session);
  EXPECT_EQ(watch.NextStep(), "FINALIZED");
  EXPECT_NE(watch.session().order_id(), "");
  EXPECT_EQ(watch.session().order_amount(), 25000) << "whole, not a difference";
  EXPECT_EQ(watch.NextStep(), "end");
  EXPECT_TRUE(Ok(watch.End()));
}

TEST(Watch, OfOneSessionShowsNoOther) {
  GatewayBed bed;
  const std::string device = bed.NewDevice();
  const std::string watched = bed.NewSession(device);
  SessionWatch watch(bed.gateway.channel(), BySession(watched));
  EXPECT_EQ(watch.NextStep(), "CREATED");
  bed.Tap(bed.NewSession(device));
  bed.simulator.Step(watched, "clerk-cancel");
  EXPECT_EQ(watch.NextStep(), "CANCELLED");
  EXPECT_TRUE(Ok(watch.End()));
}

TEST(Watch, OfAFinalSessionShowsItAndEnds) {
  GatewayBed bed;
  const std::string session = bed.NewSession();
  bed.Tap(session);
  SessionWatch watch(bed.gateway.channel(), BySession(session));
  EXPECT_EQ(watch.NextStep(), "FINALIZED");
  EXPECT_EQ(watch.NextStep(), "end");
  EXPECT_TRUE(Ok(watch.End()));
}

TEST(Watch, ByRequestIdFindsTheSessionThatWasMade) {
  GatewayBed bed;
  auto request = Text<v1::CreateSessionRequest>(OrderText(bed.NewDevice()));
  request.set_request_id(kRequestId);
  const auto made = bed.Call(&v1::SessionService::Stub::CreateSession, request);
  SessionWatch watch(bed.gateway.channel(), ByRequest());
  EXPECT_EQ(watch.NextStep(), "CREATED");
  EXPECT_EQ(watch.session().session_id(), made.response.session().session_id());
}

TEST(Watch, ByRequestIdWaitsForASessionThatIsYetToBeMade) {
  GatewayBed bed;
  SessionWatch watch(bed.gateway.channel(), ByRequest());
  bed.gateway.WaitForMetric("grpc_server_started_total", 1, {R"(grpc_method="WatchSession")"});
  auto request = Text<v1::CreateSessionRequest>(OrderText(bed.NewDevice()));
  request.set_request_id(kRequestId);
  ASSERT_TRUE(Ok(bed.Call(&v1::SessionService::Stub::CreateSession, request)));
  EXPECT_EQ(watch.NextStep(), "CREATED");
  v1::CancelSessionRequest cancel;
  cancel.set_session_id(watch.session().session_id());
  ASSERT_TRUE(Ok(bed.Call(&v1::SessionService::Stub::CancelSession, cancel)));
  EXPECT_EQ(watch.NextStep(), "CANCELLED");
  EXPECT_TRUE(Ok(watch.End()));
}

TEST(Watch, ShowsWhatWasHeardLastWhileTheUpstreamIsDown) {
  GatewayBed bed;
  const std::string session = bed.NewSession();
  bed.simulator.Step(session, "activate");
  bed.gateway.WaitForMetric("ipp_webhooks_total", 2);
  bed.simulator.Stop();
  SessionWatch watch(bed.gateway.channel(), BySession(session));
  EXPECT_EQ(watch.NextStep(), "ACTIVE");
  EXPECT_EQ(watch.session().order_amount(), 25000);
}

TEST(Watch, EndsWithUnavailableWhenTheGatewayDrains) {
  GatewayBed bed;
  SessionWatch watch(bed.gateway.channel(), BySession(bed.NewSession()));
  EXPECT_EQ(watch.NextStep(), "CREATED");
  bed.gateway.Drain();
  EXPECT_TRUE(Refused(watch.End(), grpc::StatusCode::UNAVAILABLE, "DRAINING"));
}

TEST(Watch, ThatStillWaitsForItsSessionDoesNotHoldUpADrain) {
  GatewayBed bed;
  SessionWatch watch(bed.gateway.channel(), ByRequest());
  bed.gateway.WaitForMetric("grpc_server_started_total", 1, {R"(grpc_method="WatchSession")"});
  bed.gateway.Drain();
  EXPECT_TRUE(Refused(watch.End(), grpc::StatusCode::UNAVAILABLE, "DRAINING"));
}

TEST(Watch, ThatStillWaitsForItsSessionEndsWithItsCaller) {
  GatewayBed bed;
  SessionWatch watch(bed.gateway.channel(), ByRequest());
  bed.gateway.WaitForMetric("grpc_server_started_total", 1, {R"(grpc_method="WatchSession")"});
  watch.Cancel();
  EXPECT_EQ(watch.End().code, grpc::StatusCode::CANCELLED);
  bed.gateway.WaitForMetric("grpc_server_handled_total", 1,
                            {R"(grpc_method="WatchSession")", R"(grpc_code="Canceled")"});
}

}  // namespace
}  // namespace ipp
