#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "ippclient/version.h"
#include "tests/client/ippctl_fixture.h"

namespace ipp::ippctl {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;
using ::testing::Pair;
using ::testing::StartsWith;
using ::testing::UnorderedElementsAre;

constexpr char kUuid[] = "[0-9a-f]+-[0-9a-f]+-4[0-9a-f]+-[89ab][0-9a-f]+-[0-9a-f]+";

TEST_F(IppctlTest, TellsItsVersion) {
  EXPECT_EQ(Out({"--version"}), std::string("ippctl ") + client::Version() + "\n");
}

v1::Device SomeDevice() {
  v1::Device device;
  device.set_id("d-1");
  device.set_name("Kassa 北京");
  device.set_platform(v1::DEVICE_PLATFORM_ANDROID);
  device.set_location_id("l-1");
  device.set_open_cash_register_id(7);
  (*device.mutable_metadata())["floor"] = "2";
  (*device.mutable_metadata())["aisle"] = "b";
  device.mutable_created_at()->set_seconds(1'769'846'400);
  device.mutable_credentials()->set_bearer_token("s3cret");
  return device;
}

TEST_F(IppctlTest, ListsDevicesOverPages) {
  std::vector<v1::ListDevicesRequest> requests;
  gateway_.devices.list = [&](auto*, const auto& request, auto* response) {
    requests.push_back(request);
    if (request.page_token().empty()) {
      *response->add_devices() = SomeDevice();
      response->set_next_page_token("p2");
    } else {
      response->add_devices()->set_id("d-22");
      response->mutable_devices(0)->set_platform_raw("WATCH");
    }
    response->set_total_size(2);
    return grpc::Status::OK;
  };
  EXPECT_EQ(Out({"devices", "list", "--location", "l-1", "--metadata", "floor=2"}),
            "ID    NAME        PLATFORM  LOCATION  REGISTER  CREATED\n"
            "d-1   Kassa 北京  ANDROID   l-1       7         2026-01-31T08:00:00Z\n"
            "d-22              WATCH               none\n");
  ASSERT_EQ(requests.size(), 2u);
  EXPECT_EQ(requests[0].location_id(), "l-1");
  EXPECT_THAT(requests[0].metadata(), ElementsAre(Pair("floor", "2")));
  EXPECT_EQ(requests[1].page_token(), "p2");
  EXPECT_EQ(requests[1].location_id(), "l-1");

  requests.clear();
  EXPECT_THAT(Out({"devices", "list", "--limit", "1", "-o", "json"}),
              HasSubstr("\"next_page_token\": \"p2\""));
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_EQ(requests[0].page_size(), 1);
}

TEST_F(IppctlTest, ShowsADeviceWithoutItsToken) {
  gateway_.devices.get = [](auto*, const auto& request, auto* response) {
    EXPECT_EQ(request.device_id(), "d-1");
    *response->mutable_device() = SomeDevice();
    return grpc::Status::OK;
  };
  EXPECT_EQ(Out({"devices", "get", "d-1"}),
            "Device         d-1\n"
            "Name           Kassa 北京\n"
            "Platform       ANDROID\n"
            "Location       l-1\n"
            "Cash register  7\n"
            "Metadata       aisle=b, floor=2\n"
            "Created        2026-01-31T08:00:00Z\n");
  const std::string json = Out({"-o", "json", "devices", "get", "d-1"});
  EXPECT_THAT(json, HasSubstr("\"bearer_token\": \"********\""));
  EXPECT_THAT(json, HasSubstr("\"location_id\": \"l-1\""));
  EXPECT_THAT(json, Not(HasSubstr("s3cret")));
}

TEST_F(IppctlTest, UpdatesWhatIsNamed) {
  v1::UpdateDeviceRequest sent;
  gateway_.devices.update = [&](auto*, const auto& request, auto*) {
    sent = request;
    return grpc::Status::OK;
  };
  Out({"devices", "update", "d-1", "--name", "Till", "--clear", "location"});
  EXPECT_THAT(sent.update_mask().paths(), UnorderedElementsAre("name", "location_id"));
  EXPECT_EQ(sent.settings().name(), "Till");
  EXPECT_FALSE(sent.settings().has_location_id());

  Out({"devices", "update", "d-1", "--name", "Till", "--replace"});
  EXPECT_FALSE(sent.has_update_mask());
}

TEST_F(IppctlTest, DeletesADevice) {
  gateway_.devices.erase = [](auto*, const auto& request, auto*) {
    EXPECT_EQ(request.device_id(), "d-1");
    return grpc::Status::OK;
  };
  EXPECT_EQ(Out({"devices", "delete", "d-1"}), "Deleted device d-1\n");
}

TEST_F(IppctlTest, ShowsAnEnrollmentCodeOnlyWhenItIsMade) {
  v1::Enrollment enrollment;
  enrollment.set_enrollment_id("e-1");
  enrollment.set_enrollment_code("K0DE");
  enrollment.set_status(v1::ENROLLMENT_STATUS_PENDING);
  v1::CreateEnrollmentRequest sent;
  gateway_.enrollments.create = [&](auto*, const auto& request, auto* response) {
    sent = request;
    *response->mutable_enrollment() = enrollment;
    return grpc::Status::OK;
  };
  gateway_.enrollments.list = [&](auto*, const auto& request, auto* response) {
    EXPECT_TRUE(request.has_include_consumed());
    EXPECT_FALSE(request.include_consumed());
    *response->add_enrollments() = enrollment;
    return grpc::Status::OK;
  };
  EXPECT_THAT(Out({"enrollments", "create", "--ttl", "24h"}), StartsWith("Code        K0DE\n"));
  EXPECT_EQ(sent.ttl(), v1::ENROLLMENT_TTL_TWENTY_FOUR_HOURS);
  EXPECT_FALSE(sent.has_expires_in());
  EXPECT_THAT(sent.request_id(), MatchesRegex(kUuid));
  EXPECT_THAT(Out({"enrollments", "create", "--expires-in", "90s", "-o", "json"}),
              HasSubstr("\"enrollment_code\": \"K0DE\""));
  EXPECT_EQ(sent.expires_in(), 90'000);
  EXPECT_EQ(sent.ttl(), v1::ENROLLMENT_TTL_UNSPECIFIED);

  EXPECT_EQ(Out({"enrollments", "list", "--unused"}),
            "ID   STATUS   EXPIRES  METADATA\n"
            "e-1  PENDING\n");
  const std::string json = Out({"enrollments", "list", "--unused", "-o", "json"});
  EXPECT_THAT(json, HasSubstr("\"enrollment_code\": \"********\""));
  EXPECT_THAT(json, Not(HasSubstr("K0DE")));
}

TEST_F(IppctlTest, TakesAnEnrollmentBack) {
  gateway_.enrollments.erase = [](auto*, const auto&, auto*) { return grpc::Status::OK; };
  EXPECT_EQ(Out({"enrollments", "delete", "e-1"}), "Cancelled enrollment e-1\n");
}

TEST_F(IppctlTest, ShowsLocations) {
  v1::Location location;
  location.set_id("l-1");
  location.set_name("Möllan");
  location.set_street_address("Storgatan 1");
  location.set_city("Malmö");
  location.set_country("SE");
  gateway_.locations.list = [&](auto*, const auto&, auto* response) {
    *response->add_locations() = location;
    return grpc::Status::OK;
  };
  gateway_.locations.get = [&](auto*, const auto&, auto* response) {
    *response->mutable_location() = location;
    return grpc::Status::OK;
  };
  EXPECT_EQ(Out({"locations", "list"}),
            "ID   NAME    ADDRESS      CITY   COUNTRY\n"
            "l-1  Möllan  Storgatan 1  Malmö  SE\n");
  EXPECT_EQ(
      Out({"locations", "get", "l-1"}),
      "Location  l-1\nName      Möllan\nAddress   Storgatan 1\nCity      Malmö\nCountry   SE\n");
}

class IppctlSessions : public IppctlTest {
 protected:
  void SetUp() override {
    gateway_.sessions.create = [this](auto*, const auto& request, auto* response) {
      sent_ = request;
      v1::Session& session = *response->mutable_session();
      session.set_session_id("s-1");
      session.set_status(v1::SESSION_STATUS_CREATED);
      session.set_device_id(request.device_id());
      session.set_order_amount(request.order_amount());
      session.set_order_tax_amount(request.order_tax_amount());
      session.set_purchase_currency(request.purchase_currency());
      *session.mutable_order_items() = request.order_items();
      response->set_replayed(request.request_id() == "again");
      return grpc::Status::OK;
    };
  }

  v1::CreateSessionRequest sent_;
};

TEST_F(IppctlSessions, CreateMakesOneLineOfAnAmount) {
  EXPECT_EQ(Out({"sessions", "create", "--device", "d-1", "--amount", "25000", "--currency", "SEK",
                 "--tax-rate", "2500", "--name", "Coffee", "--request-id", "again"}),
            "Session     s-1\n"
            "Status      CREATED\n"
            "Amount      250.00 SEK (25000 minor units)\n"
            "Tax         50.00 SEK (5000 minor units)\n"
            "Device      d-1\n"
            "Request id  again\n"
            "Replayed    yes: an earlier call made it\n"
            "\n"
            "LINE    TYPE      QUANTITY  UNIT PRICE  TOTAL       TAX RATE  TAX\n"
            "Coffee  PHYSICAL  1         250.00 SEK  250.00 SEK  25 %      50.00 SEK\n");
  ASSERT_EQ(sent_.order_items_size(), 1);
  EXPECT_EQ(sent_.order_items(0).total_tax_amount(), 5000);
  EXPECT_EQ(sent_.order_tax_amount(), 5000);
}

TEST_F(IppctlSessions, CreateSumsUpItems) {
  Out({"sessions",        "create",
       "--device",        "d-1",
       "--currency",      "SEK",
       "--item",          "Tea, green,2,4500,1200",
       "--item",          "Staff,1,-1000,1200",
       "--reference",     "A-1",
       "--reference2",    "B",
       "--merchant-data", "{}",
       "--location",      "l-1",
       "--amount",        "8000"});
  EXPECT_EQ(sent_.order_amount(), 8000);
  EXPECT_EQ(sent_.order_tax_amount(), 964 - 107);
  EXPECT_EQ(sent_.order_items(0).name(), "Tea, green");
  EXPECT_EQ(sent_.order_items(1).type(), v1::ORDER_ITEM_TYPE_DISCOUNT);
  EXPECT_EQ(sent_.merchant_reference1(), "A-1");
  EXPECT_EQ(sent_.merchant_reference2(), "B");
  EXPECT_EQ(sent_.merchant_data(), "{}");
  EXPECT_EQ(sent_.location_id(), "l-1");
  EXPECT_THAT(sent_.request_id(), MatchesRegex(kUuid));
}

TEST_F(IppctlSessions, CreateReadsJsonThatFlagsComplete) {
  const std::string json =
      R"({"device_id": "d-0", "order_amount": "5", "purchase_currency": "EUR",)"
      R"( "order_items": [{"name": "Gum", "total_amount": 5}], "request_id": "from-json"})";
  const std::string out =
      Out({"sessions", "create", "--from-json", "-", "--device", "d-1", "-o", "json"}, json);
  EXPECT_EQ(sent_.device_id(), "d-1");
  EXPECT_EQ(sent_.order_amount(), 5);
  EXPECT_EQ(sent_.request_id(), "from-json");
  EXPECT_THAT(out, HasSubstr("\"order_amount\": \"5\""));

  const std::string path = ::testing::TempDir() + "/ippctl_order.json";
  std::ofstream(path) << json;
  Out({"sessions", "create", "--from-json", path});
  EXPECT_EQ(sent_.device_id(), "d-0");
}

TEST_F(IppctlSessions, GetAndCancelShowTheSessionAsItIs) {
  const auto answer = [](const std::string& id, v1::SessionStatus status, auto* response) {
    response->mutable_session()->set_session_id(id);
    response->mutable_session()->set_status(status);
    response->mutable_session()->set_order_id("o-1");
    response->mutable_session()->set_purchase_currency("JPY");
    response->mutable_session()->set_order_amount(300);
    return grpc::Status::OK;
  };
  gateway_.sessions.get = [&](auto*, const auto& request, auto* response) {
    return answer(request.session_id(), v1::SESSION_STATUS_FINALIZED, response);
  };
  gateway_.sessions.cancel = [&](auto*, const auto& request, auto* response) {
    return answer(request.session_id(), v1::SESSION_STATUS_UNSPECIFIED, response);
  };
  EXPECT_EQ(Out({"sessions", "get", "s-1"}),
            "Session  s-1\nStatus   FINALIZED\nAmount   300 JPY (300 minor units)\n"
            "Tax      0 JPY (0 minor units)\nOrder    o-1\n");
  EXPECT_THAT(Out({"sessions", "cancel", "s-2"}), HasSubstr("Status   ?\n"));
}

TEST_F(IppctlTest, SimulatesADeviceAndATap) {
  gateway_.simulation.device = [](auto*, const auto& request, auto* response) {
    EXPECT_THAT(request.request_id(), MatchesRegex(kUuid));
    response->mutable_device()->set_id("d-1");
    response->mutable_device()->set_name(request.name());
    return grpc::Status::OK;
  };
  v1::TapOutcome outcome = v1::TAP_OUTCOME_UNSPECIFIED;
  gateway_.simulation.tap = [&](auto*, const auto& request, auto*) {
    outcome = request.outcome();
    return grpc::Status::OK;
  };
  EXPECT_THAT(Out({"simulate", "device", "--name", "Till"}),
              StartsWith("Device         d-1\nName           Till\n"));
  EXPECT_EQ(Out({"simulate", "tap", "s-1"}), "Tapped session s-1: success\n");
  EXPECT_EQ(outcome, v1::TAP_OUTCOME_SUCCESS);
  Out({"simulate", "tap", "s-1", "--outcome", "INSUFFICIENT_FUNDS"});
  EXPECT_EQ(outcome, v1::TAP_OUTCOME_INSUFFICIENT_FUNDS);
}

}  // namespace
}  // namespace ipp::ippctl
