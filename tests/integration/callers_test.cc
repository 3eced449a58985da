// Who may call what, for which merchant; and TLS on the gRPC port.

#include <fstream>
#include <iterator>

#include "gmock/gmock.h"
#include "kustom/ipp/v1/location.grpc.pb.h"
#include "kustom/ipp/v1/session.grpc.pb.h"
#include "tests/support/gateway_streams.h"
#include "tests/support/gateway_under_test.h"
#include "tests/support/tls_front.h"

namespace ipp {
namespace {

namespace v1 = kustom::ipp::v1;
using Events = v1::SessionEventService::Stub;
using Locations = v1::LocationService::Stub;
using Sessions = v1::SessionService::Stub;
using grpc::StatusCode;
using testing::ElementsAre;

constexpr char kFromNow[] = "position: START_POSITION_FROM_NOW";

// "both" serves two merchants, "first" and "second" one each, "reader" may only read sessions.
class Callers : public testing::Test {
 protected:
  RpcEnd ListLocations(const CallOptions& options) {
    return bed_.Call(&Locations::ListLocations, v1::ListLocationsRequest(), options);
  }
  RpcEnd Subscribe(const std::string& request, const CallOptions& options) {
    return AsText<&Events::SubscribeSessionEvents>(bed_.gateway.channel(), request, options);
  }

  GatewayBed bed_{{.two_merchants = true,
                   .configure = [](const TestDirectory& directory, config::Config& config) {
                     AddCaller(directory, "both", {kMerchant, kMerchant2}, {"*"}, &config);
                     AddCaller(directory, "first", {kMerchant}, {"*"}, &config);
                     AddCaller(directory, "second", {kMerchant2}, {"*"}, &config);
                     AddCaller(directory, "reader", {kMerchant}, {"sessions.read"}, &config);
                   }}};
};

TEST_F(Callers, NeedATokenForEveryRpc) {
  EXPECT_TRUE(Refused(ListLocations({}), StatusCode::UNAUTHENTICATED, "TOKEN_MISSING"));
  EXPECT_TRUE(Refused(Subscribe(kFromNow, {}), StatusCode::UNAUTHENTICATED, "TOKEN_MISSING"));
  EXPECT_TRUE(Refused(AsText<&Sessions::WatchSession>(
                          bed_.gateway.channel(), "session_id: '" + std::string(kNobody) + "'", {}),
                      StatusCode::UNAUTHENTICATED, "TOKEN_MISSING"));
  EXPECT_TRUE(Refused(bed_.Call(&Sessions::CreateSession, v1::CreateSessionRequest()),
                      StatusCode::UNAUTHENTICATED, "TOKEN_MISSING"))
      << "before the request is looked at";
  EXPECT_TRUE(bed_.simulator.Requests().empty());
}

TEST_F(Callers, AreNotKnownByAnotherToken) {
  const RpcEnd end = ListLocations(AsCaller("nobody"));
  EXPECT_TRUE(Refused(end, StatusCode::UNAUTHENTICATED, "TOKEN_UNKNOWN"));
  EXPECT_EQ(end.message.find("token-of-nobody"), std::string::npos);
  CallOptions basic{.metadata = {{"authorization", "Basic token-of-first"}}};
  EXPECT_TRUE(Refused(ListLocations(basic), StatusCode::UNAUTHENTICATED, "TOKEN_MISSING"));
}

TEST_F(Callers, NeedThePermissionOfTheRpc) {
  const RpcEnd end = ListLocations(AsCaller("reader"));
  EXPECT_TRUE(Refused(end, StatusCode::PERMISSION_DENIED, "PERMISSION_MISSING"));
  EXPECT_EQ(end.info("permission"), "locations.read");
  EXPECT_TRUE(Refused(Subscribe(kFromNow, AsCaller("reader")), StatusCode::PERMISSION_DENIED,
                      "PERMISSION_MISSING"));
  EXPECT_TRUE(
      Refused(bed_.Call(&Sessions::CreateSession, v1::CreateSessionRequest(), AsCaller("reader")),
              StatusCode::PERMISSION_DENIED, "PERMISSION_MISSING"));
  v1::GetSessionRequest request;
  request.set_session_id(kNobody);
  EXPECT_TRUE(Refused(bed_.Call(&Sessions::GetSession, request, AsCaller("reader")),
                      StatusCode::NOT_FOUND, "NOT_FOUND"));
}

TEST_F(Callers, ReachTheirOwnMerchantsAlone) {
  EXPECT_TRUE(Refused(ListLocations(AsCaller("first", kMerchant2)), StatusCode::PERMISSION_DENIED,
                      "MERCHANT_NOT_ALLOWED"));
  EXPECT_TRUE(Ok(ListLocations(AsCaller("first", kMerchant))));
  EXPECT_TRUE(Ok(ListLocations(AsCaller("both", kMerchant2))));
}

TEST_F(Callers, NeedNotNameTheOnlyMerchantTheyHave) {
  const auto reply =
      bed_.Call(&Locations::ListLocations, v1::ListLocationsRequest(), AsCaller("second"));
  ASSERT_TRUE(Ok(reply));
  EXPECT_EQ(reply.response.locations(0).merchant_id(), kMerchant2);
  EXPECT_EQ(bed_.simulator.OnlyRequest().header("x-merchant-id"), kMerchant2);
}

TEST_F(Callers, MustNameOneOfSeveralMerchants) {
  EXPECT_TRUE(
      Refused(ListLocations(AsCaller("both")), StatusCode::INVALID_ARGUMENT, "MERCHANT_REQUIRED"));
  EXPECT_TRUE(bed_.simulator.Requests().empty());
}

TEST_F(Callers, SeeTheEventsOfTheirOwnMerchantsAlone) {
  EventFeed both(bed_.gateway.channel(), kFromNow, AsCaller("both"));
  EventFeed second(bed_.gateway.channel(), kFromNow, AsCaller("second"));
  const auto sell = [&](const std::string& caller) {
    return bed_.NewSession(bed_.NewDevice("Till", AsCaller(caller)), AsCaller(caller));
  };
  const std::string hidden = sell("first");
  const std::string shown = sell("second");
  EXPECT_EQ(both.NextEvent().session_id(), hidden);
  EXPECT_EQ(both.NextEvent().session_id(), shown);
  EXPECT_EQ(second.NextEvent().session_id(), shown);

  const auto listed =
      bed_.Call(&Events::ListSessionEvents, v1::ListSessionEventsRequest(), AsCaller("second"));
  ASSERT_TRUE(Ok(listed));
  for (const auto& event : listed.response.events()) EXPECT_EQ(event.merchant_id(), kMerchant2);
  // Not by naming the session, nor with the cursor of somebody who sees more.
  EventFeed named(bed_.gateway.channel(),
                  std::string("position: START_POSITION_FROM_OLDEST filter { session_ids: '") +
                      hidden + "' session_ids: '" + shown + "' }",
                  AsCaller("second"));
  EXPECT_EQ(named.NextEvent().session_id(), shown);
  EventFeed resumed(bed_.gateway.channel(), "after_cursor: '" + both.started().cursor() + "'",
                    AsCaller("second"));
  EXPECT_EQ(resumed.NextEvent().session_id(), shown);
  EXPECT_TRUE(Refused(Subscribe(std::string(kFromNow) + " filter { merchant_ids: 'PM00000001' }",
                                AsCaller("second")),
                      StatusCode::PERMISSION_DENIED, "MERCHANT_NOT_ALLOWED"));
}

TEST_F(Callers, DoNotReachASessionOfAnotherMerchantByItsId) {
  const std::string session =
      bed_.NewSession(bed_.NewDevice("Till", AsCaller("first")), AsCaller("first"));
  v1::GetSessionRequest request;
  request.set_session_id(session);
  EXPECT_TRUE(Refused(bed_.Call(&Sessions::GetSession, request, AsCaller("second")),
                      StatusCode::NOT_FOUND, "NOT_FOUND"));
  EXPECT_TRUE(
      Refused(AsText<&Sessions::WatchSession>(bed_.gateway.channel(),
                                              "session_id: '" + session + "'", AsCaller("second")),
              StatusCode::NOT_FOUND, "NOT_FOUND"));
}

// A gRPC port with a certificate from files.
class GrpcTls : public testing::Test {
 protected:
  GrpcTls() {
    config::Config config = TestConfig(directory_, simulator_.base_url());
    config.mutable_tls()->set_cert_file(certificate_.cert_file());
    config.mutable_tls()->set_key_file(certificate_.key_file());
    std::ifstream file(certificate_.cert_file());
    grpc::SslCredentialsOptions options;
    options.pem_root_certs.assign(std::istreambuf_iterator<char>(file), {});
    credentials_ = grpc::SslCredentials(options);
    gateway_ = std::make_unique<RunningGateway>(config, credentials_);
  }

  TestDirectory directory_;
  RunningSimulator simulator_;
  http::TestCertificate certificate_;
  std::shared_ptr<grpc::ChannelCredentials> credentials_;
  std::unique_ptr<RunningGateway> gateway_;
};

TEST_F(GrpcTls, ServesWhoeverTrustsTheCertificate) {
  EXPECT_TRUE(Ok(gateway_->Call(&Locations::ListLocations, v1::ListLocationsRequest())));
}

TEST_F(GrpcTls, RefusesAPlaintextClient) {
  const auto plain = gateway_->NewChannel(grpc::InsecureChannelCredentials());
  const auto reply = CallOver(plain, &Locations::ListLocations, v1::ListLocationsRequest());
  EXPECT_EQ(reply.code, StatusCode::UNAVAILABLE);
  EXPECT_TRUE(simulator_.Requests().empty());
}

TEST_F(GrpcTls, IsRefusedByAClientThatTrustsSomebodyElse) {
  http::TestCertificate other;
  std::ifstream file(other.cert_file());
  grpc::SslCredentialsOptions options;
  options.pem_root_certs.assign(std::istreambuf_iterator<char>(file), {});
  const auto channel = gateway_->NewChannel(grpc::SslCredentials(options));
  EXPECT_EQ(CallOver(channel, &Locations::ListLocations, v1::ListLocationsRequest()).code,
            StatusCode::UNAVAILABLE);
}

}  // namespace
}  // namespace ipp
