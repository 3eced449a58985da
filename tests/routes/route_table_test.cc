#include "server/routes/route_table.h"

#include <filesystem>
#include <string>

#include "gmock/gmock.h"
#include "google/protobuf/descriptor.h"
#include "gtest/gtest.h"
#include "kustom/ipp/v1/device.pb.h"
#include "kustom/ipp/v1/enrollment.pb.h"
#include "kustom/ipp/v1/session.pb.h"
#include "kustom/ipp/v1/simulation.pb.h"
#include "server/base/error.h"
#include "tests/routes/wrong_routes.pb.h"
#include "tests/support/golden.h"

namespace ipp::routes {
namespace {

namespace v1 = kustom::ipp::v1;
using ::testing::HasSubstr;
using ::testing::StartsWith;

const RouteTable& Contract() {
  static const RouteTable* table = RouteTable::CompileContract().value().release();
  return *table;
}

const Route& Find(const std::string& rpc) { return *Contract().Find("kustom.ipp.v1." + rpc); }

TEST(Routes, AreTheGoldenOnes) { ExpectGolden("routes.golden", Contract().Describe()); }

// The contract as it lies on the disk, so that a file which is not linked in is missed.
TEST(Routes, CoverEveryRpcOfTheContract) {
  const std::filesystem::path protos(IPP_TESTDATA "/../../proto");
  size_t rpcs = 0;
  for (const auto& entry : std::filesystem::directory_iterator(protos / "kustom/ipp/v1")) {
    if (entry.path().extension() != ".proto") continue;
    const std::string name = entry.path().lexically_relative(protos).string();
    const auto* file = google::protobuf::DescriptorPool::generated_pool()->FindFileByName(name);
    ASSERT_NE(file, nullptr) << name << " is not in RouteTable::CompileContract";
    for (int i = 0; i < file->service_count(); ++i) {
      for (int j = 0; j < file->service(i)->method_count(); ++j, ++rpcs) {
        const std::string rpc(file->service(i)->method(j)->full_name());
        const size_t dot = rpc.rfind('.');
        EXPECT_NE(Contract().Find(rpc.substr(0, dot) + "/" + rpc.substr(dot + 1)), nullptr)
            << rpc << ": " << name << " is not in RouteTable::CompileContract";
      }
    }
  }
  EXPECT_EQ(Contract().routes().size(), rpcs);
  EXPECT_GT(rpcs, 0u);
}

TEST(Routes, BindPathQueryAndBody) {
  v1::CreateSessionRequest request;
  request.set_request_id("not sent");
  request.set_location_id("l 1");
  request.set_device_id("d1");
  request.set_purchase_currency("SEK");
  const auto rest = Find("SessionService/CreateSession").Build(request);
  ASSERT_TRUE(rest.ok()) << rest.status();
  EXPECT_EQ(rest->target, "/ipp/v1/sessions?location_id=l%201");
  EXPECT_THAT(rest->body, HasSubstr(R"("device_id":"d1")"));
  EXPECT_THAT(rest->body, Not(HasSubstr("request_id")));
  EXPECT_THAT(rest->body, Not(HasSubstr("location_id")));
}

TEST(Routes, SendAZeroThatTheUpstreamRequires) {
  v1::CreateSessionRequest request;
  request.add_order_items()->set_name("free of tax");
  const auto rest = Find("SessionService/CreateSession").Build(request);
  ASSERT_TRUE(rest.ok());
  for (const char* field : {"tax_rate", "total_tax_amount", "unit_price", "total_amount"}) {
    EXPECT_THAT(rest->body, HasSubstr(std::string("\"") + field + "\":0"));
  }
}

TEST(Routes, NeverSendAnEmptyLocation) {
  v1::CreateEnrollmentRequest request;
  request.set_ttl(v1::ENROLLMENT_TTL_TWO_HOURS);
  const auto rest = Find("EnrollmentService/CreateEnrollment").Build(request);
  ASSERT_TRUE(rest.ok());
  EXPECT_EQ(rest->body, R"({"ttl":"TWO_HOURS"})");
}

TEST(Routes, RepeatMetadataFiltersInOrderAndAddThePage) {
  v1::ListEnrollmentsRequest request;
  (*request.mutable_metadata())["store_id"] = "123";
  (*request.mutable_metadata())["a&b"] = "x=y:z/å";
  request.set_include_consumed(false);
  const auto rest =
      Find("EnrollmentService/ListEnrollments").Build(request, PageQuery{.number = 2, .size = 50});
  ASSERT_TRUE(rest.ok());
  EXPECT_EQ(rest->target,
            "/ipp/v1/enrollments?metadata=a%26b%3Ax%3Dy%3Az%2F%C3%A5&metadata=store_id%3A123"
            "&include_consumed=false&page_number=2&page_size=50");
  EXPECT_EQ(rest->body, "");
}

TEST(Routes, WriteEnumsOfAQueryAsTheUpstreamsWords) {
  v1::SimulateCardTapRequest request;
  request.set_session_id("s");
  request.set_outcome(v1::TAP_OUTCOME_LOST_CARD);
  EXPECT_EQ(Find("SimulationService/SimulateCardTap").Build(request)->target,
            "/ipp/v1/dev/sessions/s/simulate-tap?outcome=LOST_CARD");
  request.clear_outcome();
  EXPECT_EQ(Find("SimulationService/SimulateCardTap").Build(request)->target,
            "/ipp/v1/dev/sessions/s/simulate-tap");
}

TEST(Routes, SendANamedBodyFieldAlsoWhenItIsEmpty) {
  v1::UpdateDeviceRequest request;
  request.set_device_id("d");
  EXPECT_EQ(Find("DeviceService/UpdateDevice").Build(request)->body, "{}");
  request.mutable_settings()->set_name("");
  EXPECT_EQ(Find("DeviceService/UpdateDevice").Build(request)->body, R"({"name":""})");
}

TEST(Routes, AHostileIdCannotLeaveItsSegment) {
  v1::CancelSessionRequest request;
  request.set_session_id("../x?y#z%2e\r\n");
  EXPECT_EQ(Find("SessionService/CancelSession").Build(request)->target,
            "/ipp/v1/sessions/..%2Fx%3Fy%23z%252e%0D%0A/cancel");
  for (const char* id : {"", ".", ".."}) {
    request.set_session_id(id);
    const auto rest = Find("SessionService/CancelSession").Build(request);
    ASSERT_FALSE(rest.ok()) << id;
    EXPECT_EQ(GetErrorDetail(rest.status()).violations.at(0).field, "session_id");
  }
}

TEST(Routes, ReadAPageIntoItsField) {
  v1::ListDevicesResponse response;
  PageEnvelope page;
  const auto status = Find("DeviceService/ListDevices")
                          .ReadAnswer(R"({"content":[{"id":"a"},{"id":"b"}],"total_elements":7,
              "total_pages":4,"page_number":1,"page_size":2,"first":false,"last":false})",
                                      &response, &page, {});
  ASSERT_TRUE(status.ok()) << status;
  ASSERT_EQ(response.devices_size(), 2);
  EXPECT_EQ(response.devices(1).id(), "b");
  EXPECT_EQ(page.total_elements(), 7);
  EXPECT_TRUE(page.has_last());
  EXPECT_FALSE(page.last());
}

struct WrongRoute {
  const char* service;
  const char* says;
};
void PrintTo(const WrongRoute& row, std::ostream* out) { *out << row.service; }

class WrongRoutes : public ::testing::TestWithParam<WrongRoute> {};

TEST_P(WrongRoutes, StopTheStartAndNameTheRpc) {
  const auto* service =
      ipp::test::Thing::descriptor()->file()->FindServiceByName(GetParam().service);
  ASSERT_NE(service, nullptr);
  const auto table = RouteTable::Compile({service});
  ASSERT_FALSE(table.ok());
  EXPECT_THAT(std::string(table.status().message()),
              StartsWith(std::string("ipp.test.") + GetParam().service + ".Do"));
  EXPECT_THAT(std::string(table.status().message()), HasSubstr(GetParam().says));
}

INSTANTIATE_TEST_SUITE_P(
    All, WrongRoutes,
    ::testing::Values(
        WrongRoute{"NoRoute", "no route option"}, WrongRoute{"NoPermission", "permission"},
        WrongRoute{"ComposedWithPath", "permission only"}, WrongRoute{"WrongVerb", "PATCH"},
        WrongRoute{"Streams", "stream"}, WrongRoute{"NoRepeat", "repeating"},
        WrongRoute{"PostIsRead", "REPEAT_READ"}, WrongRoute{"NoSuccess", "success"},
        WrongRoute{"SuccessIsAnError", "success"}, WrongRoute{"BadPath", "must begin with '/'"},
        WrongRoute{"UnknownPathField", "'nobody'"},
        WrongRoute{"PathFieldIsNoString", "'thing' is not a string"},
        WrongRoute{"QueryCannotHold", "'numbers'"}, WrongRoute{"BoundTwice", "'id' is bound twice"},
        WrongRoute{"Unbound", "'numbers' is in no"}, WrongRoute{"GetWithBody", "GET has no body"},
        WrongRoute{"BodyIsNoMessage", "'id' is not a message"},
        WrongRoute{"UnknownResponse", "'nobody'"}, WrongRoute{"PageWithoutToken", "page_size"},
        WrongRoute{"Same", "already ipp.test.Same.Do"}),
    [](const auto& info) { return std::string(info.param.service); });

struct Template {
  const char* text;
  const char* says;
};

class BadTemplates : public ::testing::TestWithParam<Template> {};

TEST_P(BadTemplates, AreRefused) {
  const auto parsed = PathTemplate::Parse(GetParam().text);
  ASSERT_FALSE(parsed.ok());
  EXPECT_THAT(std::string(parsed.status().message()), HasSubstr(GetParam().says));
}

INSTANTIATE_TEST_SUITE_P(
    All, BadTemplates,
    ::testing::Values(Template{"", "begin"}, Template{"a/b", "begin"},
                      Template{"/a//b", "empty segment"}, Template{"/a/", "empty segment"},
                      Template{"/{}", "malformed"}, Template{"/{a}/{a}", "twice"},
                      Template{"/x{a}", "whole segment"}, Template{"/a?b", "whole segment"},
                      Template{"/a%20b", "whole segment"}));

}  // namespace
}  // namespace ipp::routes
