// Devices, locations, enrollments and the playground's operations: what the caller gets, and what
// the upstream was asked.

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "kustom/ipp/v1/device.grpc.pb.h"
#include "kustom/ipp/v1/enrollment.grpc.pb.h"
#include "kustom/ipp/v1/location.grpc.pb.h"
#include "kustom/ipp/v1/simulation.grpc.pb.h"
#include "tests/support/gateway_under_test.h"

namespace ipp {
namespace {

namespace v1 = kustom::ipp::v1;
using Devices = v1::DeviceService::Stub;
using Enrollments = v1::EnrollmentService::Stub;
using Locations = v1::LocationService::Stub;
using Simulation = v1::SimulationService::Stub;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::StartsWith;
using testing::UnorderedElementsAre;

constexpr char kUuidPattern[] = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}";

// A device with everything in it, made past the gateway's log of requests.
std::string FullDevice(const GatewayBed& bed) {
  const auto reply =
      bed.Call(&Simulation::CreateSimulatedDevice, Text<v1::CreateSimulatedDeviceRequest>(R"pb(
        name: "Till 1"
        location_id: "10c00000-0000-4000-8000-000000000001"
        metadata { key: "floor" value: "2" })pb"));
  EXPECT_TRUE(Ok(reply));
  bed.simulator.ForgetRequests();
  return reply.response.device().id();
}

v1::UpdateDeviceRequest Update(const std::string& id, const std::string& rest) {
  v1::UpdateDeviceRequest request = Text<v1::UpdateDeviceRequest>(rest);
  request.set_device_id(id);
  return request;
}

TEST(GatewayDevices, AreListedPageByPage) {
  GatewayBed bed;
  std::vector<std::string> made;
  for (int i = 0; i < 5; ++i) made.push_back(bed.NewDevice(absl::StrCat("Till ", i)));
  bed.simulator.ForgetRequests();
  v1::ListDevicesRequest request;
  request.set_page_size(2);
  std::vector<std::string> listed;
  do {
    const auto reply = bed.Call(&Devices::ListDevices, request);
    ASSERT_TRUE(Ok(reply));
    EXPECT_EQ(reply.response.total_size(), 5);
    for (const v1::Device& device : reply.response.devices()) listed.push_back(device.id());
    request.set_page_token(reply.response.next_page_token());
  } while (!request.page_token().empty());
  EXPECT_EQ(listed, made);
  std::vector<std::string> targets;
  for (const SeenRequest& seen : bed.simulator.Requests()) {
    EXPECT_EQ(seen.method, "GET");
    EXPECT_EQ(seen.header("x-merchant-id"), kMerchant);
    targets.push_back(seen.target);
  }
  EXPECT_THAT(targets, ElementsAre("/ipp/v1/devices?page_number=0&page_size=2",
                                   "/ipp/v1/devices?page_number=1&page_size=2",
                                   "/ipp/v1/devices?page_number=2&page_size=2"));
}

TEST(GatewayDevices, AreFilteredByLocationAndMetadata) {
  GatewayBed bed;
  bed.NewDevice();
  const std::string device = FullDevice(bed);
  const auto reply = bed.Call(&Devices::ListDevices, Text<v1::ListDevicesRequest>(R"pb(
    location_id: "10c00000-0000-4000-8000-000000000001"
    metadata { key: "floor" value: "2" }
    metadata { key: "simulated" value: "true" })pb"));
  ASSERT_TRUE(Ok(reply));
  ASSERT_EQ(reply.response.devices_size(), 1);
  const v1::Device& listed = reply.response.devices(0);
  EXPECT_EQ(listed.id(), device);
  EXPECT_EQ(listed.name(), "Till 1");
  EXPECT_EQ(listed.merchant_id(), kMerchant);
  EXPECT_EQ(listed.platform(), v1::DEVICE_PLATFORM_TERMINAL);
  EXPECT_TRUE(listed.has_created_at());
  EXPECT_THAT(listed.metadata(),
              UnorderedElementsAre(Pair("floor", "2"), Pair("simulated", "true")));
  EXPECT_THAT(bed.simulator.OnlyRequest().target, HasSubstr("metadata=floor%3A2"));
}

TEST(GatewayDevices, AreFoundOnTheSecondPage) {
  GatewayBed bed;
  std::string last;
  for (int i = 0; i < 101; ++i) last = bed.NewDevice();
  bed.simulator.ForgetRequests();
  v1::GetDeviceRequest request;
  request.set_device_id(last);
  const auto reply = bed.Call(&Devices::GetDevice, request);
  ASSERT_TRUE(Ok(reply));
  EXPECT_EQ(reply.response.device().id(), last);
  EXPECT_EQ(bed.simulator.Requests().size(), 2u);
}

TEST(GatewayDevices, KeepLocationAndMetadataWhenRenamedWithAMask) {
  GatewayBed bed;
  const std::string device = FullDevice(bed);
  const auto reply =
      bed.Call(&Devices::UpdateDevice, Update(device, R"pb(settings { name: "Bar" }
                                                           update_mask { paths: "name" })pb"));
  ASSERT_TRUE(Ok(reply));
  EXPECT_EQ(reply.response.device().name(), "Bar");
  EXPECT_EQ(reply.response.device().location_id(), kLocation1);
  EXPECT_THAT(reply.response.device().metadata(), testing::Contains(Pair("floor", "2")));
  const std::vector<SeenRequest> seen = bed.simulator.Requests();
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_THAT(seen[0].target, StartsWith("/ipp/v1/devices?"));
  EXPECT_EQ(seen[1].call(), "PUT /ipp/v1/devices/" + device);
}

TEST(GatewayDevices, MoveWithAMask) {
  GatewayBed bed;
  const std::string device = FullDevice(bed);
  const auto reply =
      bed.Call(&Devices::UpdateDevice,
               Update(device, R"pb(settings { location_id: "10c00000-0000-4000-8000-000000000002" }
                                   update_mask { paths: "location_id" })pb"));
  ASSERT_TRUE(Ok(reply));
  EXPECT_EQ(reply.response.device().location_id(), kLocation2);
  EXPECT_EQ(reply.response.device().name(), "Till 1");
  EXPECT_THAT(reply.response.device().metadata(), testing::Contains(Pair("floor", "2")));
}

TEST(GatewayDevices, AreDetachedByAMaskWithoutALocation) {
  GatewayBed bed;
  const std::string device = FullDevice(bed);
  const auto reply = bed.Call(&Devices::UpdateDevice,
                              Update(device, R"pb(update_mask { paths: "location_id" })pb"));
  ASSERT_TRUE(Ok(reply));
  EXPECT_EQ(reply.response.device().location_id(), "");
  EXPECT_EQ(reply.response.device().name(), "Till 1");
  EXPECT_THAT(reply.response.device().metadata(), testing::Contains(Pair("floor", "2")));
}

TEST(GatewayDevices, GetTheirMetadataReplacedWithAMask) {
  GatewayBed bed;
  const std::string device = FullDevice(bed);
  const auto reply = bed.Call(&Devices::UpdateDevice,
                              Update(device, R"pb(settings { metadata { key: "zone" value: "A" } }
                                                  update_mask { paths: "metadata" })pb"));
  ASSERT_TRUE(Ok(reply));
  EXPECT_THAT(reply.response.device().metadata(), UnorderedElementsAre(Pair("zone", "A")));
  EXPECT_EQ(reply.response.device().location_id(), kLocation1);
}

TEST(GatewayDevices, ChangeInAllThatAMaskNames) {
  GatewayBed bed;
  const std::string device = FullDevice(bed);
  const auto reply = bed.Call(
      &Devices::UpdateDevice,
      Update(device,
             R"pb(settings { name: "Bar" location_id: "10c00000-0000-4000-8000-000000000002" }
                  update_mask { paths: "name" paths: "location_id" paths: "metadata" })pb"));
  ASSERT_TRUE(Ok(reply));
  EXPECT_EQ(reply.response.device().name(), "Bar");
  EXPECT_EQ(reply.response.device().location_id(), kLocation2);
  EXPECT_THAT(reply.response.device().metadata(), IsEmpty());
}

TEST(GatewayDevices, AreReplacedWithoutAMask) {
  GatewayBed bed;
  const std::string device = FullDevice(bed);
  const auto reply =
      bed.Call(&Devices::UpdateDevice, Update(device, R"pb(settings { name: "Bar" })pb"));
  ASSERT_TRUE(Ok(reply));
  EXPECT_EQ(reply.response.device().location_id(), "");
  EXPECT_THAT(reply.response.device().metadata(), IsEmpty());
  const SeenRequest seen = bed.simulator.OnlyRequest();
  EXPECT_EQ(seen.call(), "PUT /ipp/v1/devices/" + device);
  EXPECT_EQ(seen.body, R"({"name":"Bar"})");
  EXPECT_EQ(seen.header("content-type"), "application/json");
}

TEST(GatewayDevices, AreGoneOnceDeleted) {
  GatewayBed bed;
  v1::DeleteDeviceRequest request;
  request.set_device_id(FullDevice(bed));
  ASSERT_TRUE(Ok(bed.Call(&Devices::DeleteDevice, request)));
  EXPECT_EQ(bed.simulator.OnlyRequest().call(), "DELETE /ipp/v1/devices/" + request.device_id());
  EXPECT_TRUE(
      Refused(bed.Call(&Devices::DeleteDevice, request), grpc::StatusCode::NOT_FOUND, "NOT_FOUND"));
  EXPECT_TRUE(
      Refused(bed.Call(&Devices::GetDevice,
                       Text<v1::GetDeviceRequest>("device_id: '" + request.device_id() + "'")),
              grpc::StatusCode::NOT_FOUND, "DEVICE_NOT_FOUND"));
}

TEST(GatewayLocations, AreListedPageByPage) {
  GatewayBed bed;
  v1::ListLocationsRequest request;
  request.set_page_size(1);
  const auto first = bed.Call(&Locations::ListLocations, request);
  ASSERT_TRUE(Ok(first));
  request.set_page_token(first.response.next_page_token());
  const auto second = bed.Call(&Locations::ListLocations, request);
  ASSERT_TRUE(Ok(second));
  ASSERT_EQ(first.response.locations_size(), 1);
  ASSERT_EQ(second.response.locations_size(), 1);
  EXPECT_EQ(first.response.locations(0).id(), kLocation1);
  EXPECT_EQ(second.response.locations(0).id(), kLocation2);
  EXPECT_EQ(second.response.total_size(), 2);
  EXPECT_EQ(second.response.next_page_token(), "");
}

TEST(GatewayLocations, AreReadOneByOne) {
  GatewayBed bed;
  v1::GetLocationRequest request;
  request.set_location_id(kLocation2);
  const auto reply = bed.Call(&Locations::GetLocation, request);
  ASSERT_TRUE(Ok(reply));
  EXPECT_EQ(reply.response.location().id(), kLocation2);
  EXPECT_EQ(reply.response.location().merchant_id(), kMerchant);
  EXPECT_NE(reply.response.location().name(), "");
  const SeenRequest seen = bed.simulator.OnlyRequest();
  EXPECT_EQ(seen.call(), std::string("GET /ipp/v1/locations/") + kLocation2);
  EXPECT_EQ(seen.header("x-merchant-id"), kMerchant);
}

v1::CreateEnrollmentRequest EnrollmentText(const std::string& lifetime) {
  auto request = Text<v1::CreateEnrollmentRequest>(lifetime);
  request.set_location_id(kLocation1);
  return request;
}

TEST(GatewayEnrollments, AreMadeWithATtl) {
  GatewayBed bed;
  const auto reply = bed.Call(&Enrollments::CreateEnrollment,
                              EnrollmentText(R"pb(ttl: ENROLLMENT_TTL_TWENTY_FOUR_HOURS
                                                  metadata { key: "till" value: "7" })pb"));
  ASSERT_TRUE(Ok(reply));
  const v1::Enrollment& enrollment = reply.response.enrollment();
  EXPECT_NE(enrollment.enrollment_code(), "");
  EXPECT_EQ(enrollment.status(), v1::ENROLLMENT_STATUS_PENDING);
  EXPECT_TRUE(enrollment.has_expires_at());
  EXPECT_THAT(enrollment.metadata(), UnorderedElementsAre(Pair("till", "7")));
  EXPECT_THAT(reply.trailers.at("x-request-id"), testing::MatchesRegex(kUuidPattern));
  const SeenRequest seen = bed.simulator.OnlyRequest();
  EXPECT_EQ(seen.call(), "POST /ipp/v1/enrollments");
  EXPECT_THAT(seen.body, HasSubstr(R"("ttl":"TWENTY_FOUR_HOURS")"));
  EXPECT_THAT(seen.body, testing::Not(HasSubstr("request_id")));
  EXPECT_THAT(seen.body, testing::Not(HasSubstr("expires_in")));
}

TEST(GatewayEnrollments, AreMadeWithMillisecondsForOlderAccounts) {
  GatewayBed bed;
  ASSERT_TRUE(Ok(bed.Call(&Enrollments::CreateEnrollment, EnrollmentText("expires_in: 3600000"))));
  EXPECT_THAT(bed.simulator.OnlyRequest().body, HasSubstr(R"("expires_in":3600000)"));
}

TEST(GatewayEnrollments, ListTheUsedOnesOnlyWhenAsked) {
  GatewayBed bed;
  const auto used =
      bed.Call(&Enrollments::CreateEnrollment, EnrollmentText("ttl: ENROLLMENT_TTL_TWO_HOURS"));
  const auto fresh =
      bed.Call(&Enrollments::CreateEnrollment, EnrollmentText("ttl: ENROLLMENT_TTL_TWO_HOURS"));
  ASSERT_TRUE(Ok(used));
  ASSERT_TRUE(Ok(fresh));
  const std::string device = bed.simulator.Consume(used.response.enrollment().enrollment_code());
  EXPECT_TRUE(
      Ok(bed.Call(&Devices::GetDevice, Text<v1::GetDeviceRequest>("device_id: '" + device + "'"))));
  const auto list = [&](const std::string& request) {
    const auto reply =
        bed.Call(&Enrollments::ListEnrollments, Text<v1::ListEnrollmentsRequest>(request));
    EXPECT_TRUE(Ok(reply));
    std::vector<v1::EnrollmentStatus> statuses;
    for (const auto& enrollment : reply.response.enrollments()) {
      statuses.push_back(enrollment.status());
    }
    return statuses;
  };
  EXPECT_THAT(list(""), ElementsAre(v1::ENROLLMENT_STATUS_CONSUMED, v1::ENROLLMENT_STATUS_PENDING));
  EXPECT_THAT(list("include_consumed: true"),
              ElementsAre(v1::ENROLLMENT_STATUS_CONSUMED, v1::ENROLLMENT_STATUS_PENDING));
  EXPECT_THAT(list("include_consumed: false"), ElementsAre(v1::ENROLLMENT_STATUS_PENDING));
  EXPECT_THAT(bed.simulator.Requests().back().target, HasSubstr("include_consumed=false"));
}

TEST(GatewayEnrollments, AreTakenBack) {
  GatewayBed bed;
  const auto made =
      bed.Call(&Enrollments::CreateEnrollment, EnrollmentText("ttl: ENROLLMENT_TTL_TWO_HOURS"));
  v1::DeleteEnrollmentRequest request;
  request.set_enrollment_id(made.response.enrollment().enrollment_id());
  bed.simulator.ForgetRequests();
  ASSERT_TRUE(Ok(bed.Call(&Enrollments::DeleteEnrollment, request)));
  EXPECT_EQ(bed.simulator.OnlyRequest().call(),
            "DELETE /ipp/v1/enrollments/" + request.enrollment_id());
  const auto list = bed.Call(&Enrollments::ListEnrollments, v1::ListEnrollmentsRequest());
  EXPECT_EQ(list.response.enrollments_size(), 0);
}

TEST(GatewaySimulation, MakesADeviceAndNamesTheRequest) {
  GatewayBed bed;
  const auto reply =
      bed.Call(&Simulation::CreateSimulatedDevice, Text<v1::CreateSimulatedDeviceRequest>(R"pb(
        request_id: "0a0b0c0d-0000-4000-8000-00000000000a"
        name: "Till 1")pb"));
  ASSERT_TRUE(Ok(reply));
  EXPECT_FALSE(reply.response.replayed());
  EXPECT_EQ(reply.trailers.at("x-request-id"), "0a0b0c0d-0000-4000-8000-00000000000a");
  const SeenRequest seen = bed.simulator.OnlyRequest();
  EXPECT_EQ(seen.call(), "POST /ipp/v1/dev/devices");
  EXPECT_EQ(seen.body, R"({"name":"Till 1"})");
}

TEST(GatewaySimulation, IsNotThereInProduction) {
  GatewayBed::Options options;
  options.simulator.production = true;
  GatewayBed bed(options);
  EXPECT_TRUE(Refused(bed.Call(&Simulation::CreateSimulatedDevice,
                               Text<v1::CreateSimulatedDeviceRequest>("name: 'Till 1'")),
                      grpc::StatusCode::NOT_FOUND, "NOT_FOUND"));
}

}  // namespace
}  // namespace ipp
