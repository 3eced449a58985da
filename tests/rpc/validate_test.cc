#include "server/rpc/validate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "google/protobuf/text_format.h"
#include "server/base/error.h"

namespace ipp::rpc {
namespace {

using ::testing::UnorderedElementsAreArray;
namespace v1 = kustom::ipp::v1;

struct ValidateRow {
  std::string name;
  std::function<absl::Status()> validate;
  std::vector<std::string> violations;  // fields; none: the request is taken
};

void PrintTo(const ValidateRow& row, std::ostream* out) { *out << row.name; }

// A row from a request in text format, in which UUID stands for one.
template <typename Request>
ValidateRow Row(std::string name, std::string text, std::vector<std::string> violations) {
  text = absl::StrReplaceAll(text, {{"UUID", "'6F1c7a3e-4b1d-4c56-9d6b-0a2f5c1b7e90'"}});
  return {absl::StrCat(Request::descriptor()->name(), "_", name),
          [text] {
            Request request;
            EXPECT_TRUE(google::protobuf::TextFormat::MergeFromString(text, &request)) << text;
            return Validate(request);
          },
          std::move(violations)};
}

class ValidateRequest : public testing::TestWithParam<ValidateRow> {};

TEST_P(ValidateRequest, NamesWhatIsWrong) {
  const ValidateRow& row = GetParam();
  const absl::Status status = row.validate();
  if (row.violations.empty()) {
    EXPECT_EQ(status, absl::OkStatus());
    return;
  }
  ASSERT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  const ErrorDetail detail = GetErrorDetail(status);
  EXPECT_EQ(detail.reason, "INVALID_REQUEST");
  EXPECT_EQ(detail.metadata.at("outcome"), "NOT_SENT");
  std::vector<std::string> fields;
  for (const FieldViolation& violation : detail.violations) {
    fields.push_back(violation.field);
    EXPECT_NE(violation.description, "") << violation.field;
  }
  EXPECT_THAT(fields, UnorderedElementsAreArray(row.violations));
}

const auto kName = [](const auto& info) { return info.param.name; };

using ListDevices = v1::ListDevicesRequest;
using UpdateDevice = v1::UpdateDeviceRequest;

constexpr char kSixFilters[] =
    "metadata {key: 'a'} metadata {key: 'b'} metadata {key: 'c'} "
    "metadata {key: 'd'} metadata {key: 'e'} metadata {key: 'f'}";
constexpr char kFiveFilters[] =
    "metadata {key: 'a'} metadata {key: 'b'} metadata {key: 'c'} "
    "metadata {key: 'd'} metadata {key: 'e'}";

INSTANTIATE_TEST_SUITE_P(
    Devices, ValidateRequest,
    testing::ValuesIn(std::vector<ValidateRow>{
        Row<ListDevices>("Empty", "", {}),
        Row<ListDevices>("LargestPage", "page_size: 100", {}),
        Row<ListDevices>("PageTooLarge", "page_size: 101", {"page_size"}),
        Row<ListDevices>("NegativePage", "page_size: -1", {"page_size"}),
        Row<ListDevices>("Location", "location_id: UUID", {}),
        Row<ListDevices>("LocationNoUuid", "location_id: 'shop'", {"location_id"}),
        Row<ListDevices>("FiveFilters", kFiveFilters, {}),
        Row<ListDevices>("SixFilters", kSixFilters, {"metadata"}),
        Row<ListDevices>("ColonInAKey", "metadata {key: 'a:b' value: 'c'}", {"metadata[a:b]"}),
        Row<ListDevices>("ColonInAValue", "metadata {key: 'a' value: 'b:c'}", {}),
        Row<ListDevices>("EmptyKey", "metadata {key: '' value: 'c'}", {"metadata"}),
        Row<ListDevices>("AllAtOnce", "page_size: -1 location_id: 'x' metadata {key: ''}",
                         {"page_size", "location_id", "metadata"}),
        Row<v1::GetDeviceRequest>("Id", "device_id: UUID", {}),
        Row<v1::GetDeviceRequest>("NoId", "", {"device_id"}),
        Row<v1::GetDeviceRequest>("ShortId", "device_id: '6f1c7a3e'", {"device_id"}),
        Row<v1::GetDeviceRequest>(
            "PathInTheId", "device_id: '../../ipp/v1/sessions/6f1c7a3e-4b1d-4'", {"device_id"}),
        Row<v1::GetDeviceRequest>(
            "DashesMisplaced", "device_id: '6f1c7a3e4-b1d-4c56-9d6b-0a2f5c1b7e90'", {"device_id"}),
        Row<v1::GetDeviceRequest>("NotHex", "device_id: '6g1c7a3e-4b1d-4c56-9d6b-0a2f5c1b7e90'",
                                  {"device_id"}),
        Row<v1::GetDeviceRequest>(
            "SpaceBehind", "device_id: '6f1c7a3e-4b1d-4c56-9d6b-0a2f5c1b7e90 '", {"device_id"}),
        Row<v1::DeleteDeviceRequest>("Id", "device_id: UUID", {}),
        Row<v1::DeleteDeviceRequest>("NoId", "", {"device_id"}),
        Row<UpdateDevice>("Replace", "device_id: UUID settings {name: 'x'}", {}),
        Row<UpdateDevice>("NoId", "settings {name: 'x'}", {"device_id"}),
        Row<UpdateDevice>("NoSettings", "device_id: UUID", {"settings"}),
        Row<UpdateDevice>("EmptySettings", "device_id: UUID settings {}", {}),
        Row<UpdateDevice>("EmptyName", "device_id: UUID settings {name: ''}", {"settings.name"}),
        Row<UpdateDevice>("LocationNoUuid", "device_id: UUID settings {location_id: 'x'}",
                          {"settings.location_id"}),
        Row<UpdateDevice>("EmptyLocationWithoutAMask", "device_id: UUID settings {location_id: ''}",
                          {"settings.location_id"}),
        Row<UpdateDevice>("EmptyLocationClearsWithAMask",
                          "device_id: UUID settings {location_id: ''} "
                          "update_mask {paths: 'location_id'}",
                          {}),
        Row<UpdateDevice>("EmptyKey", "device_id: UUID settings {metadata {key: ''}}",
                          {"settings.metadata"}),
        Row<UpdateDevice>("Mask",
                          "device_id: UUID settings {name: 'x'} "
                          "update_mask {paths: ['name', 'location_id', 'metadata']}",
                          {}),
        Row<UpdateDevice>("MaskWithoutSettings", "device_id: UUID update_mask {paths: 'metadata'}",
                          {}),
        Row<UpdateDevice>("EmptyMask", "device_id: UUID update_mask {}", {"update_mask"}),
        Row<UpdateDevice>("UnknownPath",
                          "device_id: UUID settings {name: 'x'} "
                          "update_mask {paths: ['name', 'platform']}",
                          {"update_mask.paths[1]"}),
        Row<UpdateDevice>("PathBelowAField",
                          "device_id: UUID update_mask {paths: 'metadata.store'}",
                          {"update_mask.paths[0]"}),
        Row<UpdateDevice>("ClearTheName", "device_id: UUID update_mask {paths: 'name'}",
                          {"settings.name"}),
        Row<v1::CreateSimulatedDeviceRequest>("Whole", "request_id: UUID name: 'x'", {}),
        Row<v1::CreateSimulatedDeviceRequest>("NoName", "", {"name"}),
        Row<v1::CreateSimulatedDeviceRequest>("AllWrong",
                                              "request_id: '1' location_id: '2' metadata {key: ''}",
                                              {"request_id", "name", "location_id", "metadata"}),
    }),
    kName);

using CreateEnrollment = v1::CreateEnrollmentRequest;

INSTANTIATE_TEST_SUITE_P(
    EnrollmentsAndLocations, ValidateRequest,
    testing::ValuesIn(std::vector<ValidateRow>{
        Row<CreateEnrollment>("Ttl", "ttl: ENROLLMENT_TTL_TWO_HOURS", {}),
        Row<CreateEnrollment>("ExpiresIn", "expires_in: 1", {}),
        Row<CreateEnrollment>("Neither", "", {"ttl"}),
        Row<CreateEnrollment>("Both", "ttl: ENROLLMENT_TTL_TWO_HOURS expires_in: 1",
                              {"expires_in"}),
        Row<CreateEnrollment>("UnknownTtl", "ttl: 99", {"ttl"}),
        Row<CreateEnrollment>("NoTime", "expires_in: 0", {"expires_in"}),
        Row<CreateEnrollment>("NegativeTime", "expires_in: -1", {"expires_in"}),
        Row<CreateEnrollment>("RequestIdNoUuid", "request_id: '1' expires_in: 1", {"request_id"}),
        Row<CreateEnrollment>("LocationNoUuid", "location_id: '1' expires_in: 1", {"location_id"}),
        Row<CreateEnrollment>("EmptyKey", "expires_in: 1 metadata {key: ''}", {"metadata"}),
        Row<v1::ListEnrollmentsRequest>("Empty", "", {}),
        Row<v1::ListEnrollmentsRequest>("FiveFilters", kFiveFilters, {}),
        Row<v1::ListEnrollmentsRequest>("SixFilters", kSixFilters, {"metadata"}),
        Row<v1::ListEnrollmentsRequest>("ColonInAKey", "metadata {key: 'a:b' value: 'c'}",
                                        {"metadata[a:b]"}),
        Row<v1::ListEnrollmentsRequest>("EmptyKey", "metadata {key: ''}", {"metadata"}),
        Row<v1::ListEnrollmentsRequest>("LargestPage", "page_size: 100", {}),
        Row<v1::ListEnrollmentsRequest>("PageTooLarge", "page_size: 2147483647", {"page_size"}),
        Row<v1::ListEnrollmentsRequest>("LocationNoUuid", "location_id: 'x'", {"location_id"}),
        Row<v1::DeleteEnrollmentRequest>("NoId", "", {"enrollment_id"}),
        Row<v1::DeleteEnrollmentRequest>("Id", "enrollment_id: UUID", {}),
        Row<v1::ListLocationsRequest>("Empty", "", {}),
        Row<v1::ListLocationsRequest>("LargestPage", "page_size: 100", {}),
        Row<v1::ListLocationsRequest>("PageTooLarge", "page_size: 101", {"page_size"}),
        Row<v1::ListLocationsRequest>("NegativePage", "page_size: -2147483648", {"page_size"}),
        Row<v1::GetLocationRequest>("Id", "location_id: UUID", {}),
        Row<v1::GetLocationRequest>("NoUuid", "location_id: 'x'", {"location_id"}),
    }),
    kName);

// A session of these lines, with more behind them: later text wins.
ValidateRow Session(std::string name, const std::string& amount, const std::string& lines,
                    const std::string& more, std::vector<std::string> violations) {
  return Row<v1::CreateSessionRequest>(
      std::move(name),
      absl::StrCat("device_id: UUID purchase_currency: 'SEK' order_amount: ", amount, " ", lines,
                   " ", more),
      std::move(violations));
}

constexpr char kLine[] =
    "order_items {name: 'Shoe' type: ORDER_ITEM_TYPE_PHYSICAL quantity: 2 unit_price: 500 "
    "total_discount_amount: 100 total_amount: 900 tax_rate: 2500} ";
constexpr char kDiscount[] =
    "order_items {name: 'Less' type: ORDER_ITEM_TYPE_DISCOUNT quantity: 1 unit_price: -400 "
    "total_amount: -400} ";
constexpr char kMost[] = "9223372036854775807";
constexpr char kLeast[] = "-9223372036854775808";

// One line with these numbers.
std::string Line(const std::string& quantity, const std::string& unit_price,
                 const std::string& discount, const std::string& total) {
  return absl::StrCat("order_items {name: 'x' quantity: ", quantity, " unit_price: ", unit_price,
                      " total_discount_amount: ", discount, " total_amount: ", total, "} ");
}

INSTANTIATE_TEST_SUITE_P(
    CreateSession, ValidateRequest,
    testing::ValuesIn(std::vector<ValidateRow>{
        Session("Whole", "900", kLine, "request_id: UUID location_id: UUID", {}),
        Session("TwoLines", "500", absl::StrCat(kLine, kDiscount), "", {}),
        Session("ZeroAmount", "0", Line("1", "0", "0", "0"), "", {}),
        Row<v1::CreateSessionRequest>("Empty", "",
                                      {"device_id", "purchase_currency", "order_items"}),
        Session("NoLines", "900", "", "", {"order_items"}),
        Session("AmountIsNotTheSum", "901", kLine, "", {"order_amount"}),
        Session("NegativeAmount", "-400", kDiscount, "", {"order_amount"}),
        Session("RequestIdNoUuid", "900", kLine, "request_id: '1'", {"request_id"}),
        Session("LocationNoUuid", "900", kLine, "location_id: '1'", {"location_id"}),
        Session("DeviceNoUuid", "900", kLine, "device_id: 'till 1'", {"device_id"}),
        Session("CurrencyInLowerCase", "900", kLine, "purchase_currency: 'sek'",
                {"purchase_currency"}),
        Session("CurrencyTooLong", "900", kLine, "purchase_currency: 'SEKK'",
                {"purchase_currency"}),
        Session("CurrencyOfDigits", "900", kLine, "purchase_currency: '752'",
                {"purchase_currency"}),
        Session("CurrencyNotAscii", "900", kLine, "purchase_currency: 'S\\303\\226'",
                {"purchase_currency"}),
        Session("TimesOfYear10000", "900", kLine,
                "purchase_started_at {seconds: 253402300800} "
                "purchase_completed_at {seconds: 253402300800}",
                {"purchase_started_at", "purchase_completed_at"}),
        Session("NegativeNanos", "900", kLine, "purchase_started_at {nanos: -1}",
                {"purchase_started_at"}),
        Session("TooManyNanos", "900", kLine, "purchase_started_at {nanos: 1000000000}",
                {"purchase_started_at"}),
        Session("NamelessLine", "5", "order_items {quantity: 1 unit_price: 5 total_amount: 5}", "",
                {"order_items[0].name"}),
        Session("UnknownLineType", "5",
                "order_items {name: 'x' type: 77 quantity: 1 unit_price: 5 total_amount: 5}", "",
                {"order_items[0].type"}),
        Session("NoQuantity", "0", Line("0", "5", "0", "0"), "", {"order_items[0].quantity"}),
        Session("NegativeQuantity", "5", Line("-1", "-5", "0", "5"), "",
                {"order_items[0].quantity"}),
        Session("NegativeTaxRate", "5",
                "order_items {name: 'x' quantity: 1 unit_price: 5 total_amount: 5 tax_rate: -1}",
                "", {"order_items[0].tax_rate"}),
        Session("NegativeDiscount", "6", Line("1", "5", "-1", "6"), "",
                {"order_items[0].total_discount_amount"}),
        Session("LineDoesNotAddUp", "901", Line("2", "500", "100", "901"), "",
                {"order_items[0].total_amount"}),
        Session("SecondLineDoesNotAddUp", "1000", absl::StrCat(kLine, Line("1", "99", "0", "100")),
                "", {"order_items[1].total_amount"}),
        // What the contract says is sent as it is.
        Session("TaxThatDoesNotAddUp", "5",
                "order_items {name: 'x' quantity: 1 unit_price: 5 total_amount: 5 tax_rate: 888 "
                "total_tax_amount: 99}",
                "order_tax_amount: 98", {}),
        Session("LongTexts", "5",
                absl::StrCat("order_items {name: '", std::string(5000, 'n'), "' reference: '",
                             std::string(5000, 'r'),
                             "' quantity: 1 unit_price: 5 total_amount: 5}"),
                absl::StrCat("merchant_reference1: '", std::string(5000, 'm'), "'"), {}),
        // Sums that an int64 does not hold.
        Session("LargestAmount", kMost, Line("1", kMost, "0", kMost), "", {}),
        Session("PriceTimesQuantityOverflows", "0", Line("2", kMost, "0", "0"), "",
                {"order_items[0].total_amount"}),
        Session("PriceTimesQuantityUnderflows", "0", Line("2", kLeast, "0", "0"), "",
                {"order_items[0].total_amount"}),
        Session("LeastTimesMinusOne", "0", Line("-1", kLeast, "0", "0"), "",
                {"order_items[0].quantity", "order_items[0].total_amount"}),
        Session("LessTheDiscountUnderflows", "0", Line("1", kLeast, "1", "0"), "",
                {"order_items[0].total_amount"}),
        Session("LessANegativeDiscountOverflows", "0", Line("1", kMost, "-1", "0"), "",
                {"order_items[0].total_discount_amount", "order_items[0].total_amount"}),
        Session("LinesSumOverflows", kMost,
                absl::StrCat(Line("1", kMost, "0", kMost), Line("1", "1", "0", "1")), "",
                {"order_amount"}),
        Session("LinesSumUnderflows", "0",
                absl::StrCat(Line("1", kLeast, "0", kLeast), Line("1", "-1", "0", "-1")), "",
                {"order_amount"}),
        Session("LeastAmount", kLeast, Line("1", kLeast, "0", kLeast), "", {"order_amount"}),
    }),
    kName);

using Subscribe = v1::SubscribeSessionEventsRequest;

// A subscription from now with that heartbeat.
ValidateRow Heartbeat(std::string name, const std::string& duration, bool taken) {
  return Row<Subscribe>(
      std::move(name),
      absl::StrCat("position: START_POSITION_FROM_NOW heartbeat_interval {", duration, "}"),
      taken ? std::vector<std::string>{} : std::vector<std::string>{"heartbeat_interval"});
}

INSTANTIATE_TEST_SUITE_P(
    SessionsAndEvents, ValidateRequest,
    testing::ValuesIn(std::vector<ValidateRow>{
        Row<v1::GetSessionRequest>("Id", "session_id: UUID", {}),
        Row<v1::GetSessionRequest>("NoId", "", {"session_id"}),
        Row<v1::CancelSessionRequest>("Id", "session_id: UUID", {}),
        Row<v1::CancelSessionRequest>("NoUuid", "session_id: 'x'", {"session_id"}),
        Row<v1::WatchSessionRequest>("Session", "session_id: UUID", {}),
        Row<v1::WatchSessionRequest>("Request", "request_id: UUID", {}),
        Row<v1::WatchSessionRequest>("NoTarget", "", {"target"}),
        Row<v1::WatchSessionRequest>("EmptySession", "session_id: ''", {"session_id"}),
        Row<v1::WatchSessionRequest>("RequestNoUuid", "request_id: 'x'", {"request_id"}),
        Row<v1::SimulateCardTapRequest>("Default", "session_id: UUID", {}),
        Row<v1::SimulateCardTapRequest>("UnknownOutcome", "session_id: UUID outcome: 99",
                                        {"outcome"}),
        Row<v1::SimulateCardTapRequest>("NoId", "", {"session_id"}),
        Row<v1::GetCreateOutcomeRequest>("Id", "request_id: UUID", {}),
        Row<v1::GetCreateOutcomeRequest>("NoId", "", {"request_id"}),
        Row<v1::GetCreateOutcomeRequest>("NoUuid", "request_id: 'x'", {"request_id"}),
        Row<v1::ListCreateOutcomesRequest>("Empty", "", {}),
        Row<v1::ListCreateOutcomesRequest>("LargestPage", "page_size: 1000", {}),
        Row<v1::ListCreateOutcomesRequest>("PageTooLarge", "page_size: 1001", {"page_size"}),
        Row<v1::ListCreateOutcomesRequest>("States", "states: [1, 2]", {}),
        Row<v1::ListCreateOutcomesRequest>("NoState", "states: [1, 0]", {"states[1]"}),
        Row<v1::ListCreateOutcomesRequest>("UnknownState", "states: 99", {"states[0]"}),
        Row<v1::ListSessionsRequest>("Empty", "", {}),
        Row<v1::ListSessionsRequest>("Whole",
                                     "merchant_ids: 'm' device_id: UUID location_id: UUID "
                                     "statuses: [0, 3] merchant_reference1: 'a' request_id: UUID "
                                     "created_from {seconds: 1} updated_before {seconds: 2} "
                                     "page_size: 1000",
                                     {}),
        Row<v1::ListSessionsRequest>("NoUuids", "device_id: 'd' location_id: 'l' request_id: 'r'",
                                     {"device_id", "location_id", "request_id"}),
        Row<v1::ListSessionsRequest>("UnknownStatus", "statuses: [1, 99]", {"statuses[1]"}),
        Row<v1::ListSessionsRequest>("PageTooLarge", "page_size: 1001", {"page_size"}),
        Row<v1::ListSessionsRequest>("Times",
                                     "created_from {nanos: -1} created_before {nanos: -1} "
                                     "updated_from {nanos: -1} updated_before {nanos: -1}",
                                     {"created_from", "created_before", "updated_from",
                                      "updated_before"}),
        Row<v1::GetSessionHistoryRequest>("Session", "session_id: UUID", {}),
        Row<v1::GetSessionHistoryRequest>("Request", "request_id: UUID", {}),
        Row<v1::GetSessionHistoryRequest>("NoTarget", "", {"target"}),
        Row<v1::GetSessionHistoryRequest>("NoUuid", "session_id: 'x'", {"session_id"}),
        Row<v1::GetSessionHistoryRequest>("RequestNoUuid", "request_id: 'x'", {"request_id"}),
        Row<v1::GetDayReportRequest>("Day", "day: '2026-11-29' time_zone: 'UTC' device_ids: UUID",
                                     {}),
        Row<v1::GetDayReportRequest>("Empty", "", {"day", "time_zone"}),
        Row<v1::GetDayReportRequest>("NoUuid", "day: 'd' time_zone: 'z' device_ids: 'x'",
                                     {"device_ids[0]"}),
        Row<Subscribe>("FromNow", "position: START_POSITION_FROM_NOW", {}),
        Row<Subscribe>("FromOldest", "position: START_POSITION_FROM_OLDEST", {}),
        Row<Subscribe>("AfterCursor", "after_cursor: 'x'", {}),
        Row<Subscribe>("StartTime", "start_time {seconds: 1790000000}", {}),
        Row<Subscribe>("NoStart", "", {"start"}),
        Row<Subscribe>("EmptyCursor", "after_cursor: ''", {"after_cursor"}),
        Row<Subscribe>("UnspecifiedPosition", "position: START_POSITION_UNSPECIFIED", {"position"}),
        Row<Subscribe>("UnknownPosition", "position: 9", {"position"}),
        Row<Subscribe>("StartTimeBeforeYearOne", "start_time {seconds: -62135596801}",
                       {"start_time"}),
        Row<Subscribe>("UnknownPolicy", "after_cursor: 'x' on_cursor_expired: 9",
                       {"on_cursor_expired"}),
        Heartbeat("HeartbeatOfASecond", "seconds: 1", true),
        Heartbeat("HeartbeatOfFiveMinutes", "seconds: 300", true),
        Heartbeat("HeartbeatBetween", "seconds: 299 nanos: 999999999", true),
        Heartbeat("HeartbeatZero", "", false),
        Heartbeat("HeartbeatBelowASecond", "nanos: 999999999", false),
        Heartbeat("HeartbeatAboveFiveMinutes", "seconds: 300 nanos: 1", false),
        Heartbeat("HeartbeatNegative", "seconds: -1", false),
        Heartbeat("HeartbeatOfNegativeNanos", "seconds: 2 nanos: -1", false),
        Heartbeat("HeartbeatOfTooManyNanos", "seconds: 2 nanos: 1000000000", false),
        Heartbeat("HeartbeatForEver", "seconds: 9223372036854775807 nanos: 1", false),
        Row<v1::ListSessionEventsRequest>("Empty", "", {}),
        Row<v1::ListSessionEventsRequest>("LargestPage", "page_size: 1000", {}),
        Row<v1::ListSessionEventsRequest>("PageTooLarge", "page_size: 1001", {"page_size"}),
        Row<v1::ListSessionEventsRequest>("NegativePage", "page_size: -1", {"page_size"}),
        Row<v1::ListSessionEventsRequest>("StartTimeOfYear10000",
                                          "start_time {seconds: 253402300800}", {"start_time"}),
    }),
    kName);

TEST(ValidateMessage, SaysWhatASumShouldBe) {
  const auto fix = Session("x", "901", kLine, "", {});
  EXPECT_EQ(std::string(fix.validate().message()),
            "order_amount: must be the sum of the lines' total_amount, 900");
}

}  // namespace
}  // namespace ipp::rpc
