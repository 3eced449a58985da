#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "tests/simulator/harness.h"

namespace ipp::simulator {
namespace {

// One request that is refused, and the field that the answer blames (empty: no errors map).
struct RefusedRow {
  std::string name;
  std::string method;
  std::string target;
  std::string body;
  int status;
  std::string field;
};

class SimulatorRefuses : public SimulatorTest, public testing::WithParamInterface<RefusedRow> {};

TEST_P(SimulatorRefuses, WithAProblem) {
  const auto& row = GetParam();
  const Reply reply = Send(row.method, row.target, row.body);
  EXPECT_EQ(reply.status, row.status) << reply.body;
  EXPECT_EQ(reply.Header("Content-Type"), "application/problem+json");
  const auto problem = reply.Json();
  EXPECT_EQ(At(problem, "status"), std::to_string(row.status));
  EXPECT_NE(At(problem, "title"), "(absent)");
  EXPECT_NE(At(problem, "detail"), "(absent)");
  const auto* errors = problem.get_object().if_contains("errors");
  if (row.field.empty()) {
    EXPECT_EQ(errors, nullptr) << reply.body;
  } else {
    ASSERT_NE(errors, nullptr) << reply.body;
    EXPECT_EQ(errors->get_object().size(), 1u) << reply.body;
    EXPECT_TRUE(errors->get_object().contains(row.field)) << reply.body;
  }
}

const char kEnrollments[] = "/ipp/v1/enrollments";
const char kDevices[] = "/ipp/v1/devices";
const char kLocations[] = "/ipp/v1/locations";
const char kDevDevices[] = "/ipp/v1/dev/devices";

std::string Enrollment(const std::string& lifetime, const std::string& more = {}) {
  return "{" + lifetime + R"(,"location_id":")" + kLocation1 + "\"" + more + "}";
}

INSTANTIATE_TEST_SUITE_P(
    Enrollments, SimulatorRefuses,
    testing::Values(
        RefusedRow{"NoLifetime", "POST", kEnrollments, Enrollment(R"("a":1)"), 400, "ttl"},
        RefusedRow{"NullTtl", "POST", kEnrollments, Enrollment(R"("ttl":null)"), 400, "ttl"},
        RefusedRow{"UnknownTtl", "POST", kEnrollments, Enrollment(R"("ttl":"ONE_HOUR")"), 400,
                   "ttl"},
        RefusedRow{"NumberAsTtl", "POST", kEnrollments, Enrollment(R"("ttl":2)"), 400, "ttl"},
        RefusedRow{"ZeroExpiresIn", "POST", kEnrollments, Enrollment(R"("expires_in":0)"), 400,
                   "expires_in"},
        RefusedRow{"TextAsExpiresIn", "POST", kEnrollments, Enrollment(R"("expires_in":"1")"), 400,
                   "expires_in"},
        RefusedRow{"HugeExpiresIn", "POST", kEnrollments,
                   Enrollment(R"("expires_in":9223372036854775807)"), 400, "expires_in"},
        RefusedRow{"NoLocationOfTwo", "POST", kEnrollments, R"({"ttl":"TWO_HOURS"})", 400,
                   "location_id"},
        RefusedRow{"EmptyLocation", "POST", kEnrollments, R"({"ttl":"TWO_HOURS","location_id":""})",
                   400, "location_id"},
        RefusedRow{"ForeignLocation", "POST", kEnrollments,
                   std::string(R"({"ttl":"TWO_HOURS","location_id":")") + kNobody + "\"}", 400,
                   "location_id"},
        RefusedRow{"MetadataNoObject", "POST", kEnrollments,
                   Enrollment(R"("ttl":"TWO_HOURS")", R"(,"metadata":[])"), 400, "metadata"},
        RefusedRow{"MetadataValueNoString", "POST", kEnrollments,
                   Enrollment(R"("ttl":"TWO_HOURS")", R"(,"metadata":{"a":1})"), 400, "metadata.a"},
        RefusedRow{"BrokenJson", "POST", kEnrollments, "{", 400, ""},
        RefusedRow{"ArrayAsBody", "POST", kEnrollments, "[]", 400, ""},
        RefusedRow{"TwoValues", "POST", kEnrollments, "{} {}", 400, ""},
        RefusedRow{"DeepJson", "POST", kEnrollments,
                   R"({"a":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]})", 400,
                   ""},
        RefusedRow{"BadUtf8", "POST", kEnrollments, "{\"ttl\":\"\xff\"}", 400, ""},
        RefusedRow{"NoBody", "POST", kEnrollments, "", 415, ""},
        RefusedRow{"DeleteUnknown", "DELETE", std::string(kEnrollments) + "/" + kNobody, "", 404,
                   ""},
        RefusedRow{"DeleteAll", "DELETE", kEnrollments, "", 405, ""}),
    RowName<RefusedRow>);

std::string Query(const char* path, const std::string& query) {
  return std::string(path) + "?" + query;
}

INSTANTIATE_TEST_SUITE_P(
    Lists, SimulatorRefuses,
    testing::Values(
        RefusedRow{"NegativePage", "GET", Query(kEnrollments, "page_number=-1"), "", 400,
                   "page_number"},
        RefusedRow{"PageNoNumber", "GET", Query(kDevices, "page_number=x"), "", 400, "page_number"},
        RefusedRow{"PageBeyondInt32", "GET", Query(kDevices, "page_number=2147483648"), "", 400,
                   "page_number"},
        RefusedRow{"EmptyPageNumber", "GET", Query(kDevices, "page_number="), "", 400,
                   "page_number"},
        RefusedRow{"SizeZero", "GET", Query(kLocations, "page_size=0"), "", 400, "page_size"},
        RefusedRow{"EnrollmentSizeOver100", "GET", Query(kEnrollments, "page_size=101"), "", 400,
                   "page_size"},
        RefusedRow{"DeviceSizeOver100", "GET", Query(kDevices, "page_size=101"), "", 400,
                   "page_size"},
        RefusedRow{"LocationNoUuid", "GET", Query(kDevices, "location_id=here"), "", 400,
                   "location_id"},
        RefusedRow{"LocationEmpty", "GET", Query(kEnrollments, "location_id="), "", 400,
                   "location_id"},
        RefusedRow{"SixFilters", "GET",
                   Query(kDevices,
                         "metadata=a:1&metadata=b:1&metadata=c:1&metadata=d:1&metadata=e:1&"
                         "metadata=f:1"),
                   "", 400, "metadata"},
        RefusedRow{"KeyTwice", "GET", Query(kEnrollments, "metadata=a:1&metadata=a:2"), "", 400,
                   "metadata"},
        RefusedRow{"FilterWithoutColon", "GET", Query(kEnrollments, "metadata=a"), "", 400,
                   "metadata"},
        RefusedRow{"FilterWithoutKey", "GET", Query(kDevices, "metadata=:1"), "", 400, "metadata"},
        RefusedRow{"IncludeConsumedNoBool", "GET", Query(kEnrollments, "include_consumed=1"), "",
                   400, "include_consumed"},
        RefusedRow{"BrokenPercent", "GET", Query(kDevices, "metadata=a%3"), "", 400, ""}),
    RowName<RefusedRow>);

INSTANTIATE_TEST_SUITE_P(
    DevicesAndLocations, SimulatorRefuses,
    testing::Values(
        RefusedRow{"LocationIdNoUuid", "GET", std::string(kLocations) + "/1", "", 400, "id"},
        RefusedRow{"UnknownLocation", "GET", std::string(kLocations) + "/" + kNobody, "", 404, ""},
        RefusedRow{"UpdateUnknown", "PUT", std::string(kDevices) + "/" + kNobody, "{}", 404, ""},
        RefusedRow{"DeleteUnknownDevice", "DELETE", std::string(kDevices) + "/" + kNobody, "", 404,
                   ""},
        RefusedRow{"GetOneDevice", "GET", std::string(kDevices) + "/" + kNobody, "", 405, ""},
        RefusedRow{"NoName", "POST", kDevDevices, "{}", 400, "name"},
        RefusedRow{"BlankName", "POST", kDevDevices, R"({"name":" "})", 400, "name"},
        RefusedRow{"ForeignLocationOfDevice", "POST", kDevDevices,
                   std::string(R"({"name":"a","location_id":")") + kNobody + "\"}", 400,
                   "location_id"},
        RefusedRow{"UnknownPath", "GET", "/ipp/v1/orders", "", 404, ""},
        RefusedRow{"TrailingSlash", "GET", "/ipp/v1/devices/", "", 404, ""},
        RefusedRow{"OutsideTheApi", "GET", "/", "", 404, ""},
        RefusedRow{"SessionListDoesNotExist", "GET", "/ipp/v1/sessions", "", 405, ""},
        RefusedRow{"UnknownSession", "GET", std::string("/ipp/v1/sessions/") + kNobody, "", 404,
                   ""},
        RefusedRow{"CancelUnknownSession", "PUT",
                   std::string("/ipp/v1/sessions/") + kNobody + "/cancel", "", 404, ""},
        RefusedRow{"TapUnknownSession", "POST",
                   std::string("/ipp/v1/dev/sessions/") + kNobody + "/simulate-tap", "", 404, ""},
        RefusedRow{"TapNoUuid", "POST", "/ipp/v1/dev/sessions/1/simulate-tap", "", 400,
                   "sessionId"},
        RefusedRow{"TapUnknownOutcome", "POST",
                   std::string("/ipp/v1/dev/sessions/") + kNobody + "/simulate-tap?outcome=OK", "",
                   400, "outcome"},
        RefusedRow{"SessionLocationNoUuid", "POST", "/ipp/v1/sessions?location_id=x", "{}", 400,
                   "location_id"}),
    RowName<RefusedRow>);

// A good order with one change: the value at `path` replaced, or taken out if `value` is empty.
struct OrderRow {
  std::string name;
  std::string path;  // of the top level, or of the line if it begins with "line."
  std::string value;
  int status;
  std::string field;
};

class SimulatorChecksOrder : public SimulatorTest, public testing::WithParamInterface<OrderRow> {};

TEST_P(SimulatorChecksOrder, OneChangeToAGoodOne) {
  const auto& row = GetParam();
  auto order = boost::json::parse(OrderFor(NewDevice())).as_object();
  const bool line = row.path.substr(0, 5) == "line.";
  auto& object = line ? order["order_items"].as_array()[0].as_object() : order;
  const std::string key = line ? row.path.substr(5) : row.path;
  if (row.value.empty()) {
    object.erase(key);
  } else {
    object[key] = boost::json::parse(row.value);
  }
  const Reply reply = Post("/ipp/v1/sessions", boost::json::serialize(order));
  EXPECT_EQ(reply.status, row.status) << reply.body;
  if (row.status != 400) return;
  const auto errors = reply.Json().at("errors").as_object();
  EXPECT_EQ(errors.size(), 1u) << reply.body;
  EXPECT_TRUE(errors.contains(row.field)) << reply.body;
}

INSTANTIATE_TEST_SUITE_P(
    Order, SimulatorChecksOrder,
    testing::Values(
        OrderRow{"NoDevice", "device_id", "", 400, "device_id"},
        OrderRow{"DeviceNoUuid", "device_id", R"("till")", 400, "device_id"},
        OrderRow{"EmptyDevice", "device_id", R"("")", 400, "device_id"},
        OrderRow{"UnknownDevice", "device_id", R"("99999999-9999-4999-8999-999999999999")", 404,
                 ""},
        OrderRow{"NoAmount", "order_amount", "", 400, "order_amount"},
        OrderRow{"AmountAsText", "order_amount", R"("25000")", 400, "order_amount"},
        OrderRow{"AmountWithFraction", "order_amount", "25000.5", 400, "order_amount"},
        OrderRow{"AmountBeyondInt64", "order_amount", "9223372036854775808", 400, "order_amount"},
        OrderRow{"AmountNotTheSum", "order_amount", "24999", 400, "order_amount"},
        OrderRow{"AmountZero", "order_amount", "0", 400, "order_amount"},
        OrderRow{"TaxAmountAsText", "order_tax_amount", R"("1")", 400, "order_tax_amount"},
        OrderRow{"NoCurrency", "purchase_currency", "", 400, "purchase_currency"},
        OrderRow{"CurrencyInLowerCase", "purchase_currency", R"("sek")", 400, "purchase_currency"},
        OrderRow{"CurrencyTooLong", "purchase_currency", R"("SEKK")", 400, "purchase_currency"},
        OrderRow{"StartedNoDate", "purchase_started_at", R"("yesterday")", 400,
                 "purchase_started_at"},
        OrderRow{"StartedWithoutZone", "purchase_started_at", R"("2026-09-21T14:13:20")", 400,
                 "purchase_started_at"},
        OrderRow{"StartedOnNoDay", "purchase_started_at", R"("2026-02-30T14:13:20Z")", 400,
                 "purchase_started_at"},
        OrderRow{"CompletedNoDate", "purchase_completed_at", "5", 400, "purchase_completed_at"},
        OrderRow{"NoItems", "order_items", "", 400, "order_items"},
        OrderRow{"EmptyItems", "order_items", "[]", 400, "order_items"},
        OrderRow{"ItemsNoArray", "order_items", "{}", 400, "order_items"},
        OrderRow{"ItemNoObject", "order_items", "[1]", 400, "order_items[0]"},
        OrderRow{"ReferenceAsNumber", "merchant_reference1", "7", 400, "merchant_reference1"},
        OrderRow{"DataAsObject", "merchant_data", "{}", 400, "merchant_data"},
        OrderRow{"NoName", "line.name", "", 400, "order_items[0].name"},
        OrderRow{"BlankName", "line.name", R"("  ")", 400, "order_items[0].name"},
        OrderRow{"UnknownType", "line.type", R"("gift")", 400, "order_items[0].type"},
        OrderRow{"NoUnitPrice", "line.unit_price", "", 400, "order_items[0].unit_price"},
        OrderRow{"WrongUnitPrice", "line.unit_price", "12501", 400, "order_items[0].total_amount"},
        OrderRow{"UnitPriceOverflows", "line.unit_price", "9223372036854775807", 400,
                 "order_items[0].total_amount"},
        OrderRow{"NoTotal", "line.total_amount", "", 400, "order_items[0].total_amount"},
        OrderRow{"QuantityZero", "line.quantity", "0", 400, "order_items[0].quantity"},
        OrderRow{"QuantityLeftOutIsOne", "line.quantity", "", 400, "order_items[0].total_amount"},
        OrderRow{"DiscountNotTakenOff", "line.total_discount_amount", "1", 400,
                 "order_items[0].total_amount"},
        OrderRow{"NoTaxRate", "line.tax_rate", "", 400, "order_items[0].tax_rate"},
        OrderRow{"TaxRateNegative", "line.tax_rate", "-1", 400, "order_items[0].tax_rate"},
        OrderRow{"NoTax", "line.total_tax_amount", "", 400, "order_items[0].total_tax_amount"},
        OrderRow{"TaxOfAnotherSum", "line.total_tax_amount", "6250", 200, ""},
        OrderRow{"TypeLeftOut", "line.type", "", 200, ""},
        OrderRow{"TypeOfAPublicClient", "line.type", R"("shipping_fee")", 200, ""},
        OrderRow{"NullReference", "merchant_reference2", "null", 200, ""},
        OrderRow{"StartedWithOffset", "purchase_started_at",
                 R"("2026-09-21T16:13:20.123456789+02:00")", 200, ""},
        OrderRow{"UnknownField", "purchase_country", R"("SE")", 200, ""}),
    RowName<OrderRow>);

// What a public shop plug-in builds: lines that add up, with a tax that no single rate explains.
struct TaxRow {
  std::string name;
  std::string item;  // the order's other line is 20000 with 4000 of tax at 25 %
  int strict_status;
};

class SimulatorTax : public SimulatorTest, public testing::WithParamInterface<TaxRow> {
 protected:
  Reply Order(const std::string& item) {
    auto order = boost::json::parse(OrderFor(NewDevice())).as_object();
    auto line = boost::json::parse(item).as_object();
    order["order_amount"] = 25000 + line["total_amount"].to_number<int64_t>();
    order["order_items"].as_array().emplace_back(std::move(line));
    return Post("/ipp/v1/sessions", boost::json::serialize(order));
  }
};

TEST_P(SimulatorTax, IsCheckedWhenAskedFor) {
  EXPECT_EQ(Order(GetParam().item).status, 200);
  Simulator::Options options;
  options.strict_tax = true;
  Start(options);
  const Reply strict = Order(GetParam().item);
  EXPECT_EQ(strict.status, GetParam().strict_status) << strict.body;
  if (strict.status == 400) {
    const auto errors = strict.Json().at("errors").as_object();
    EXPECT_EQ(errors.size(), 1u) << strict.body;
    EXPECT_TRUE(errors.contains("order_items[1].total_tax_amount")) << strict.body;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Lines, SimulatorTax,
    testing::Values(
        TaxRow{"NegativeFeeOverAMixedCart",
               R"({"type":"discount","name":"Loyalty","unit_price":-3000,"total_amount":-3000,
                   "tax_rate":2500,"total_tax_amount":-411})",
               400},
        TaxRow{"FreightAtTwoRates",
               R"({"type":"shipping_fee","name":"Freight","unit_price":4900,"total_amount":4900,
                   "tax_rate":2500,"total_tax_amount":760})",
               400},
        TaxRow{"RateOfThreeDecimalsAsWholeBasisPoints",
               R"({"name":"Lamp","unit_price":1000000,"total_amount":1000000,"tax_rate":888,
                   "total_tax_amount":81515})",
               400},
        TaxRow{"OneMinorUnitOff",
               R"({"name":"Tea","unit_price":25000,"total_amount":25000,"tax_rate":2500,
                   "total_tax_amount":5001})",
               200}),
    RowName<TaxRow>);

class SimulatorMerchantHeader : public SimulatorTest,
                                public testing::WithParamInterface<std::string> {};

TEST_P(SimulatorMerchantHeader, IsNeeded) {
  const Headers key = {{"Authorization", std::string("Basic ") + kKey}};
  const Reply reply = client_->Call("GET", GetParam(), key);
  EXPECT_EQ(reply.status, 400);
  EXPECT_EQ(At(reply.Json(), "errors.x-merchant-id"), "must not be empty");
  EXPECT_EQ(Get(GetParam()).status, 200);
}

INSTANTIATE_TEST_SUITE_P(Reads, SimulatorMerchantHeader,
                         testing::Values(kEnrollments, kLocations, kDevices,
                                         std::string(kLocations) + "/" + kLocation1));

class SimulatorContentType : public SimulatorTest {};

TEST_F(SimulatorContentType, MustBeJson) {
  const auto post = [&](const std::string& type) {
    Headers headers = {{"Authorization", std::string("Basic ") + kKey}};
    if (!type.empty()) headers.emplace_back("Content-Type", type);
    return client_->Call("POST", "/ipp/v1/dev/devices", headers, R"({"name":"a"})").status;
  };
  EXPECT_EQ(post("application/json"), 201);
  EXPECT_EQ(post("Application/JSON; charset=utf-8"), 201);
  EXPECT_EQ(post("application/x-www-form-urlencoded"), 415);
  EXPECT_EQ(post(""), 415);
}

}  // namespace
}  // namespace ipp::simulator
