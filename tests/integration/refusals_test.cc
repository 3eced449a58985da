// Refusals that need more than a request: whose tokens and cursors, which merchant, which creation.

#include "absl/strings/escaping.h"
#include "gmock/gmock.h"
#include "kustom/ipp/v1/device.grpc.pb.h"
#include "kustom/ipp/v1/enrollment.grpc.pb.h"
#include "kustom/ipp/v1/location.grpc.pb.h"
#include "kustom/ipp/v1/session_event.grpc.pb.h"
#include "server/events/cursor.h"
#include "tests/support/gateway_streams.h"
#include "tests/support/gateway_under_test.h"

namespace ipp {
namespace {

namespace v1 = kustom::ipp::v1;
using Devices = v1::DeviceService::Stub;
using Enrollments = v1::EnrollmentService::Stub;
using Locations = v1::LocationService::Stub;
using Events = v1::SessionEventService::Stub;
using grpc::StatusCode;
using testing::ElementsAre;

constexpr char kRequestId[] = "0a0b0c0d-0000-4000-8000-00000000000a";

TEST(PageTokens, AreGoodOnlyForTheListTheyCameFrom) {
  GatewayBed bed;
  for (int i = 0; i < 3; ++i) bed.NewDevice();
  v1::ListDevicesRequest request;
  request.set_page_size(1);
  request.set_page_token(bed.Call(&Devices::ListDevices, request).response.next_page_token());
  ASSERT_NE(request.page_token(), "");
  EXPECT_TRUE(Ok(bed.Call(&Devices::ListDevices, request)));

  v1::ListDevicesRequest larger = request;
  larger.set_page_size(2);
  v1::ListDevicesRequest filtered = request;
  filtered.set_location_id(kLocation1);
  for (const v1::ListDevicesRequest& other : {larger, filtered}) {
    const auto reply = bed.Call(&Devices::ListDevices, other);
    EXPECT_TRUE(Refused(reply, StatusCode::INVALID_ARGUMENT, "INVALID_REQUEST"));
    EXPECT_THAT(reply.fields(), ElementsAre("page_token"));
  }
}

TEST(PageTokens, OfOneKindOfListAreNoneOfAnother) {
  GatewayBed bed;
  v1::ListLocationsRequest locations;
  locations.set_page_size(1);
  v1::ListDevicesRequest devices;
  devices.set_page_size(1);
  devices.set_page_token(bed.Call(&Locations::ListLocations, locations).response.next_page_token());
  ASSERT_NE(devices.page_token(), "");
  EXPECT_TRUE(Refused(bed.Call(&Devices::ListDevices, devices), StatusCode::INVALID_ARGUMENT,
                      "INVALID_REQUEST"));
}

TEST(PageTokens, OfOneMerchantAreNoneOfAnother) {
  GatewayBed bed({.two_merchants = true});
  v1::ListLocationsRequest request;
  request.set_page_size(1);
  const CallOptions first{.metadata = {{"x-merchant-id", kMerchant}}};
  const CallOptions second{.metadata = {{"x-merchant-id", kMerchant2}}};
  request.set_page_token(
      bed.Call(&Locations::ListLocations, request, first).response.next_page_token());
  EXPECT_TRUE(Ok(bed.Call(&Locations::ListLocations, request, first)));
  EXPECT_TRUE(Refused(bed.Call(&Locations::ListLocations, request, second),
                      StatusCode::INVALID_ARGUMENT, "INVALID_REQUEST"));
}

RpcEnd Follow(const GatewayBed& bed, const std::string& cursor) {
  return AsText<&Events::SubscribeSessionEvents>(bed.gateway.channel(),
                                                 "after_cursor: '" + cursor + "'", {});
}

TEST(Cursors, ThatAreNoneAreMalformed) {
  GatewayBed bed;
  const std::string good =
      EventFeed(bed.gateway.channel(), "position: START_POSITION_FROM_NOW").started().cursor();
  std::string mistyped = good;
  mistyped[5] = mistyped[5] == 'A' ? 'B' : 'A';
  for (const std::string& cursor : {std::string("x"), mistyped, good.substr(1), good + "AAAA"}) {
    const RpcEnd end = Follow(bed, cursor);
    EXPECT_TRUE(Refused(end, StatusCode::INVALID_ARGUMENT, "CURSOR_MALFORMED")) << cursor;
    EXPECT_THAT(end.fields(), ElementsAre("after_cursor"));
  }
}

TEST(Cursors, OfAnotherLogAreForeign) {
  GatewayBed bed;
  GatewayBed other;
  const std::string foreign =
      EventFeed(other.gateway.channel(), "position: START_POSITION_FROM_NOW").started().cursor();
  const RpcEnd end = Follow(bed, foreign);
  EXPECT_TRUE(Refused(end, StatusCode::INVALID_ARGUMENT, "CURSOR_FOREIGN"));
  EXPECT_THAT(end.fields(), ElementsAre("after_cursor"));
}

TEST(Cursors, AheadOfTheLogAreForeign) {
  GatewayBed bed;
  const std::string good =
      EventFeed(bed.gateway.channel(), "position: START_POSITION_FROM_NOW").started().cursor();
  std::string raw;
  ASSERT_TRUE(absl::WebSafeBase64Unescape(good, &raw));
  const std::string log_id = absl::BytesToHexString(raw.substr(1, 8));
  EXPECT_TRUE(Refused(Follow(bed, events::EncodeCursor(log_id, {1})), StatusCode::INVALID_ARGUMENT,
                      "CURSOR_FOREIGN"));
}

TEST(Merchants, ThatNobodyKnowsAreRefused) {
  GatewayBed bed;
  const CallOptions options{.metadata = {{"x-merchant-id", "PM00000009"}}};
  const auto reply = bed.Call(&Locations::ListLocations, v1::ListLocationsRequest(), options);
  EXPECT_TRUE(Refused(reply, StatusCode::PERMISSION_DENIED, "MERCHANT_NOT_ALLOWED"));
  EXPECT_EQ(reply.info("outcome"), "NOT_SENT");
  EXPECT_THAT(bed.simulator.Requests(), testing::IsEmpty());
}

TEST(Creations, AreNamedInTheirErrorsAndTrailers) {
  GatewayBed bed;
  const auto refused =
      bed.Call(&Enrollments::CreateEnrollment, Text<v1::CreateEnrollmentRequest>(R"pb(
        request_id: "0a0b0c0d-0000-4000-8000-00000000000a"
        ttl: ENROLLMENT_TTL_TWO_HOURS)pb"));
  EXPECT_TRUE(Refused(refused, StatusCode::INVALID_ARGUMENT, "UPSTREAM_REFUSED"));
  EXPECT_EQ(refused.info("request_id"), kRequestId);
  EXPECT_EQ(refused.trailers.at("x-request-id"), kRequestId);
  const auto made_up = bed.Call(&Enrollments::CreateEnrollment,
                                Text<v1::CreateEnrollmentRequest>("ttl: ENROLLMENT_TTL_TWO_HOURS"));
  EXPECT_NE(made_up.info("request_id"), "-");
  EXPECT_EQ(made_up.info("request_id"), made_up.trailers.at("x-request-id"));
}

TEST(Creations, AreNamedAlsoWhenTheyWereRefusedBeforeAnythingWasSent) {
  GatewayBed bed;
  const auto invalid = bed.Call(
      &Enrollments::CreateEnrollment,
      Text<v1::CreateEnrollmentRequest>("request_id: '0a0b0c0d-0000-4000-8000-00000000000a'"));
  EXPECT_TRUE(Refused(invalid, StatusCode::INVALID_ARGUMENT, "INVALID_REQUEST"));
  EXPECT_EQ(invalid.info("request_id"), kRequestId);
  EXPECT_EQ(invalid.trailers.at("x-request-id"), kRequestId);
}

}  // namespace
}  // namespace ipp
