// What callers may send wrong: one row a case, with the code, the reason and the fields that they
// are told.

#include "gmock/gmock.h"
#include "kustom/ipp/v1/device.grpc.pb.h"
#include "kustom/ipp/v1/enrollment.grpc.pb.h"
#include "kustom/ipp/v1/location.grpc.pb.h"
#include "kustom/ipp/v1/session.grpc.pb.h"
#include "kustom/ipp/v1/session_event.grpc.pb.h"
#include "kustom/ipp/v1/simulation.grpc.pb.h"
#include "tests/support/gateway_under_test.h"

namespace ipp {
namespace {

namespace v1 = kustom::ipp::v1;
using Devices = v1::DeviceService::Stub;
using Enrollments = v1::EnrollmentService::Stub;
using Locations = v1::LocationService::Stub;
using Sessions = v1::SessionService::Stub;
using Events = v1::SessionEventService::Stub;
using Simulation = v1::SimulationService::Stub;

constexpr TextRpc kListDevices = &AsText<&Devices::ListDevices>;
constexpr TextRpc kGetDevice = &AsText<&Devices::GetDevice>;
constexpr TextRpc kUpdateDevice = &AsText<&Devices::UpdateDevice>;
constexpr TextRpc kDeleteDevice = &AsText<&Devices::DeleteDevice>;
constexpr TextRpc kCreateEnrollment = &AsText<&Enrollments::CreateEnrollment>;
constexpr TextRpc kListEnrollments = &AsText<&Enrollments::ListEnrollments>;
constexpr TextRpc kDeleteEnrollment = &AsText<&Enrollments::DeleteEnrollment>;
constexpr TextRpc kListLocations = &AsText<&Locations::ListLocations>;
constexpr TextRpc kGetLocation = &AsText<&Locations::GetLocation>;
constexpr TextRpc kCreateSession = &AsText<&Sessions::CreateSession>;
constexpr TextRpc kGetSession = &AsText<&Sessions::GetSession>;
constexpr TextRpc kCancelSession = &AsText<&Sessions::CancelSession>;
constexpr TextRpc kWatch = &AsText<&Sessions::WatchSession>;
constexpr TextRpc kSubscribe = &AsText<&Events::SubscribeSessionEvents>;
constexpr TextRpc kListEvents = &AsText<&Events::ListSessionEvents>;
constexpr TextRpc kNewDevice = &AsText<&Simulation::CreateSimulatedDevice>;
constexpr TextRpc kTap = &AsText<&Simulation::SimulateCardTap>;

struct BadInput {
  const char* name;
  TextRpc rpc;
  std::string request;
  std::vector<std::string> fields;  // of BadRequest
  grpc::StatusCode code = grpc::StatusCode::INVALID_ARGUMENT;
  const char* reason = "INVALID_REQUEST";
  const char* outcome = "NOT_SENT";
};

// A good order with one thing replaced. "$D" is a device that the upstream has.
std::string Order(const std::string& from = "", const std::string& to = "") {
  std::string text = OrderText("$D");
  if (!from.empty()) {
    const size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    text.replace(at, from.size(), to);
  }
  return text;
}

std::string Nobody(const std::string& field) { return field + ": '" + kNobody + "'"; }

const std::vector<BadInput>& Rows() {
  using grpc::StatusCode;
  static const std::vector<BadInput> rows = {
      // Devices.
      {"DevicePageTooLarge", kListDevices, "page_size: 101", {"page_size"}},
      {"DevicePageNegative", kListDevices, "page_size: -1", {"page_size"}},
      {"DeviceFilterLocation", kListDevices, "location_id: 'here'", {"location_id"}},
      {"DeviceFilterSix",
       kListDevices,
       "metadata { key: 'a' } metadata { key: 'b' } metadata { key: 'c' } metadata { key: 'd' } "
       "metadata { key: 'e' } metadata { key: 'f' }",
       {"metadata"}},
      {"DeviceFilterColon", kListDevices, "metadata { key: 'a:b' value: 'c' }", {"metadata[a:b]"}},
      {"DeviceFilterNoKey", kListDevices, "metadata { value: 'c' }", {"metadata"}},
      {"DevicePageToken", kListDevices, "page_token: 'next'", {"page_token"}},
      {"DeviceTwoThings",
       kListDevices,
       "page_size: 101 location_id: 'here'",
       {"page_size", "location_id"}},
      {"DeviceNoId", kGetDevice, "", {"device_id"}},
      {"DeviceNoUuid", kGetDevice, "device_id: 'till-1'", {"device_id"}},
      {"UpdateNoId", kUpdateDevice, "settings { name: 'Bar' }", {"device_id"}},
      {"UpdateNothing", kUpdateDevice, "device_id: '$D'", {"settings"}},
      {"UpdateNoName", kUpdateDevice, "device_id: '$D' settings { name: '' }", {"settings.name"}},
      {"UpdateClearName",
       kUpdateDevice,
       "device_id: '$D' update_mask { paths: 'name' }",
       {"settings.name"}},
      {"UpdateLocation",
       kUpdateDevice,
       "device_id: '$D' settings { name: 'Bar' location_id: 'here' }",
       {"settings.location_id"}},
      {"UpdateEmptyLocation",
       kUpdateDevice,
       "device_id: '$D' settings { name: 'Bar' location_id: '' }",
       {"settings.location_id"}},
      {"UpdateEmptyMask",
       kUpdateDevice,
       "device_id: '$D' settings { name: 'Bar' } update_mask {}",
       {"update_mask"}},
      {"UpdateUnknownMask",
       kUpdateDevice,
       "device_id: '$D' settings { name: 'B' } update_mask { paths: 'name' paths: 'platform' }",
       {"update_mask.paths[1]"}},
      {"DeleteNoUuid", kDeleteDevice, "device_id: '../locations'", {"device_id"}},
      // Enrollments.
      {"EnrollmentNoLifetime", kCreateEnrollment, "", {"ttl"}},
      {"EnrollmentBothLifetimes",
       kCreateEnrollment,
       "ttl: ENROLLMENT_TTL_TWO_HOURS expires_in: 1",
       {"expires_in"}},
      {"EnrollmentLifetimeZero", kCreateEnrollment, "expires_in: 0", {"expires_in"}},
      {"EnrollmentUnknownTtl", kCreateEnrollment, "ttl: 99", {"ttl"}},
      {"EnrollmentLocation",
       kCreateEnrollment,
       "ttl: ENROLLMENT_TTL_TWO_HOURS location_id: 'here'",
       {"location_id"}},
      {"EnrollmentRequestId",
       kCreateEnrollment,
       "ttl: ENROLLMENT_TTL_TWO_HOURS request_id: 'mine'",
       {"request_id"}},
      {"EnrollmentNoKey",
       kCreateEnrollment,
       "ttl: ENROLLMENT_TTL_TWO_HOURS metadata { value: '7' }",
       {"metadata"}},
      {"EnrollmentPage", kListEnrollments, "page_size: 1000", {"page_size"}},
      {"EnrollmentDelete", kDeleteEnrollment, "", {"enrollment_id"}},
      // Locations.
      {"LocationPage", kListLocations, "page_size: 101", {"page_size"}},
      {"LocationToken", kListLocations, "page_token: 'AAAA'", {"page_token"}},
      {"LocationNoUuid", kGetLocation, "location_id: 'here'", {"location_id"}},
      // Sessions.
      {"OrderNoDevice", kCreateSession, Order("$D", ""), {"device_id"}},
      {"OrderDeviceNoUuid", kCreateSession, Order("$D", "till"), {"device_id"}},
      {"OrderNoCurrency", kCreateSession, Order("SEK", ""), {"purchase_currency"}},
      {"OrderLowerCurrency", kCreateSession, Order("SEK", "sek"), {"purchase_currency"}},
      {"OrderSum",
       kCreateSession,
       Order("order_amount: 25000", "order_amount: 24999"),
       {"order_amount"}},
      {"OrderLineTotal",
       kCreateSession,
       Order("unit_price: 12500", "unit_price: 12501"),
       {"order_items[0].total_amount"}},
      {"OrderLineOverflow",
       kCreateSession,
       Order("unit_price: 12500", "unit_price: 9223372036854775807"),
       {"order_items[0].total_amount"}},
      {"OrderNoName", kCreateSession, Order("name: \"Coffee\"", ""), {"order_items[0].name"}},
      {"OrderNoQuantity",
       kCreateSession,
       Order("quantity: 2", "quantity: 0"),
       {"order_items[0].quantity", "order_items[0].total_amount"}},
      {"OrderUnknownType",
       kCreateSession,
       Order("ORDER_ITEM_TYPE_PHYSICAL", "77"),
       {"order_items[0].type"}},
      {"OrderNegativeTaxRate",
       kCreateSession,
       Order("tax_rate: 2500", "tax_rate: -1"),
       {"order_items[0].tax_rate"}},
      {"OrderNoLines",
       kCreateSession,
       "device_id: '$D' order_amount: 1 purchase_currency: 'SEK'",
       {"order_items"}},
      {"OrderTime",
       kCreateSession,
       Order() + "purchase_started_at { seconds: 253402300800 }",
       {"purchase_started_at"}},
      {"OrderRequestId", kCreateSession, Order() + "request_id: 'mine'", {"request_id"}},
      {"SessionNoId", kGetSession, "", {"session_id"}},
      {"SessionNoUuid", kGetSession, "session_id: 'x/cancel'", {"session_id"}},
      {"CancelNoUuid", kCancelSession, "session_id: '1'", {"session_id"}},
      {"WatchNothing", kWatch, "", {"target"}},
      {"WatchNoUuid", kWatch, "session_id: 'x'", {"session_id"}},
      {"WatchRequestNoUuid", kWatch, "request_id: 'x'", {"request_id"}},
      // Events.
      {"SubscribeNoStart", kSubscribe, "", {"start"}},
      {"SubscribeNoPosition", kSubscribe, "position: START_POSITION_UNSPECIFIED", {"position"}},
      {"SubscribeEmptyCursor", kSubscribe, "after_cursor: ''", {"after_cursor"}},
      {"SubscribeShortHeartbeat",
       kSubscribe,
       "position: START_POSITION_FROM_NOW heartbeat_interval { nanos: 999999999 }",
       {"heartbeat_interval"}},
      {"SubscribeLongHeartbeat",
       kSubscribe,
       "position: START_POSITION_FROM_NOW heartbeat_interval { seconds: 301 }",
       {"heartbeat_interval"}},
      {"SubscribeTime", kSubscribe, "start_time { nanos: -1 }", {"start_time"}},
      {"SubscribePolicy",
       kSubscribe,
       "position: START_POSITION_FROM_NOW on_cursor_expired: 9",
       {"on_cursor_expired"}},
      {"SubscribeEmptySession",
       kSubscribe,
       "position: START_POSITION_FROM_NOW filter { session_ids: '' }",
       {"filter.session_ids[0]"}},
      {"SubscribeUnknownType",
       kSubscribe,
       "position: START_POSITION_FROM_NOW filter { types: 99 }",
       {"filter.types[0]"}},
      {"SubscribeForeignMerchant",
       kSubscribe,
       "position: START_POSITION_FROM_NOW filter { merchant_ids: 'PM00000009' }",
       {},
       StatusCode::PERMISSION_DENIED,
       "MERCHANT_NOT_ALLOWED"},
      {"EventsPage", kListEvents, "page_size: 1001", {"page_size"}},
      {"EventsToken", kListEvents, "page_token: 'abc'", {"page_token"}},
      {"EventsTime", kListEvents, "start_time { seconds: 253402300800 }", {"start_time"}},
      {"EventsForeignMerchant",
       kListEvents,
       "filter { merchant_ids: 'PM00000009' }",
       {},
       StatusCode::PERMISSION_DENIED,
       "MERCHANT_NOT_ALLOWED"},
      // The playground.
      {"SimulatedNoName", kNewDevice, "", {"name"}},
      {"SimulatedLocation", kNewDevice, "name: 'T' location_id: 'here'", {"location_id"}},
      {"TapNoUuid", kTap, "session_id: 'x'", {"session_id"}},
      {"TapUnknownOutcome", kTap, "session_id: '$D' outcome: 99", {"outcome"}},
      // What only the upstream can refuse.
      {"UpstreamNoDevice",
       kGetDevice,
       Nobody("device_id"),
       {},
       StatusCode::NOT_FOUND,
       "DEVICE_NOT_FOUND",
       "REJECTED"},
      {"UpstreamNoDeviceToRename",
       kUpdateDevice,
       Nobody("device_id") + "settings { name: 'B' } update_mask { paths: 'name' }",
       {},
       StatusCode::NOT_FOUND,
       "DEVICE_NOT_FOUND",
       "REJECTED"},
      {"UpstreamNoDeviceToReplace",
       kUpdateDevice,
       Nobody("device_id") + "settings { name: 'B' }",
       {},
       StatusCode::NOT_FOUND,
       "NOT_FOUND",
       "REJECTED"},
      {"UpstreamNoDeviceToDelete",
       kDeleteDevice,
       Nobody("device_id"),
       {},
       StatusCode::NOT_FOUND,
       "NOT_FOUND",
       "REJECTED"},
      {"UpstreamNoDeviceToSellOn",
       kCreateSession,
       Order("$D", kNobody),
       {},
       StatusCode::NOT_FOUND,
       "NOT_FOUND",
       "REJECTED"},
      {"UpstreamNoEnrollment",
       kDeleteEnrollment,
       Nobody("enrollment_id"),
       {},
       StatusCode::NOT_FOUND,
       "NOT_FOUND",
       "REJECTED"},
      {"UpstreamLocationRequired",
       kCreateEnrollment,
       "ttl: ENROLLMENT_TTL_TWO_HOURS",
       {"location_id"},
       StatusCode::INVALID_ARGUMENT,
       "UPSTREAM_REFUSED",
       "REJECTED"},
      {"UpstreamNoLocation",
       kGetLocation,
       Nobody("location_id"),
       {},
       StatusCode::NOT_FOUND,
       "NOT_FOUND",
       "REJECTED"},
      {"UpstreamLineTax",
       kCreateSession,
       Order("total_tax_amount: 5000", "total_tax_amount: 6000"),
       {"order_items[0].total_tax_amount"},
       StatusCode::INVALID_ARGUMENT,
       "UPSTREAM_REFUSED",
       "REJECTED"},
      {"UpstreamDeviceLocation",
       kNewDevice,
       "name: 'T' " + Nobody("location_id"),
       {"location_id"},
       StatusCode::INVALID_ARGUMENT,
       "UPSTREAM_REFUSED",
       "REJECTED"},
      {"UpstreamNoSession",
       kGetSession,
       Nobody("session_id"),
       {},
       StatusCode::NOT_FOUND,
       "NOT_FOUND",
       "REJECTED"},
      {"UpstreamNoSessionToCancel",
       kCancelSession,
       Nobody("session_id"),
       {},
       StatusCode::NOT_FOUND,
       "NOT_FOUND",
       "REJECTED"},
      {"UpstreamNoSessionToWatch",
       kWatch,
       Nobody("session_id"),
       {},
       StatusCode::NOT_FOUND,
       "NOT_FOUND",
       "REJECTED"},
      {"UpstreamNoSessionToPay",
       kTap,
       Nobody("session_id"),
       {},
       StatusCode::NOT_FOUND,
       "NOT_FOUND",
       "REJECTED"},
      {"UpstreamSessionIsPaid",
       kCancelSession,
       "session_id: '$P'",
       {},
       StatusCode::FAILED_PRECONDITION,
       "SESSION_ALREADY_FINALIZED",
       "REJECTED"},
      {"UpstreamTapOfPaidSession",
       kTap,
       "session_id: '$P'",
       {},
       StatusCode::FAILED_PRECONDITION,
       "UPSTREAM_CONFLICT",
       "REJECTED"},
  };
  return rows;
}

// One gateway for the whole table: a row changes nothing.
class BadInputs : public testing::TestWithParam<BadInput> {
 protected:
  static void SetUpTestSuite() {
    GatewayBed::Options options;
    options.simulator.strict_tax = true;
    bed_ = new GatewayBed(options);
    device_ = new std::string(bed_->NewDevice());
    paid_ = new std::string(bed_->NewSession(*device_));
    bed_->Tap(*paid_);
  }
  static void TearDownTestSuite() {
    delete bed_;
    delete device_;
    delete paid_;
  }

  static GatewayBed* bed_;
  static std::string* device_;
  static std::string* paid_;
};

GatewayBed* BadInputs::bed_ = nullptr;
std::string* BadInputs::device_ = nullptr;
std::string* BadInputs::paid_ = nullptr;

TEST_P(BadInputs, AreRefusedWithCodeReasonAndFields) {
  const BadInput& row = GetParam();
  std::string request = row.request;
  if (const size_t at = request.find("$D"); at != request.npos) request.replace(at, 2, *device_);
  if (const size_t at = request.find("$P"); at != request.npos) request.replace(at, 2, *paid_);
  const std::string outcome = row.outcome;
  bed_->simulator.ForgetRequests();

  const RpcEnd end = row.rpc(bed_->gateway.channel(), request, {});

  EXPECT_TRUE(Refused(end, row.code, row.reason));
  EXPECT_EQ(end.fields(), row.fields);
  EXPECT_EQ(end.info("outcome"), outcome);
  EXPECT_EQ(end.info("retry_safe"), "true") << "nothing was done";
  if (outcome == "NOT_SENT") {
    EXPECT_THAT(bed_->simulator.Requests(), testing::IsEmpty());
  } else if (end.reason() != "DEVICE_NOT_FOUND" && end.reason() != "SESSION_ALREADY_FINALIZED") {
    EXPECT_NE(end.info("http_status"), "-");
  }
}

INSTANTIATE_TEST_SUITE_P(Rpcs, BadInputs, testing::ValuesIn(Rows()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace ipp
