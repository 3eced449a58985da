#include <string>

#include "gtest/gtest.h"
#include "kustom/ipp/v1/location.pb.h"
#include "server/json/message_json.h"

namespace ipp::json {
namespace {

using kustom::ipp::v1::Location;

struct TimeRow {
  const char* name;
  const char* text;
  int64_t seconds;
  int32_t nanos;
  const char* written;
};

class JsonTime : public ::testing::TestWithParam<TimeRow> {};

TEST_P(JsonTime, IsReadAndWritten) {
  const TimeRow& row = GetParam();
  Location location;
  const absl::Status status = Read(std::string("{\"created_at\":\"") + row.text + "\"}", &location);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(location.created_at().seconds(), row.seconds);
  EXPECT_EQ(location.created_at().nanos(), row.nanos);
  std::string out;
  ASSERT_TRUE(Write(location, &out).ok());
  EXPECT_EQ(out, std::string("{\"created_at\":\"") + row.written + "\"}");
}

INSTANTIATE_TEST_SUITE_P(
    Table, JsonTime,
    ::testing::Values(
        TimeRow{"Epoch", "1970-01-01T00:00:00Z", 0, 0, "1970-01-01T00:00:00Z"},
        TimeRow{"Seconds", "2026-09-21T14:13:20Z", 1790000000, 0, "2026-09-21T14:13:20Z"},
        TimeRow{"Nanos", "2026-09-21T14:13:20.000000001Z", 1790000000, 1,
                "2026-09-21T14:13:20.000000001Z"},
        TimeRow{"OneDigit", "2026-09-21T14:13:20.5Z", 1790000000, 500000000,
                "2026-09-21T14:13:20.500Z"},
        TimeRow{"Micros", "2026-09-21T14:13:20.123456Z", 1790000000, 123456000,
                "2026-09-21T14:13:20.123456Z"},
        TimeRow{"FourDigits", "2026-09-21T14:13:20.1234Z", 1790000000, 123400000,
                "2026-09-21T14:13:20.123400Z"},
        TimeRow{"EmptyFractionDigits", "2026-09-21T14:13:20.000Z", 1790000000, 0,
                "2026-09-21T14:13:20Z"},
        TimeRow{"East", "2026-09-21T16:13:20+02:00", 1790000000, 0, "2026-09-21T14:13:20Z"},
        TimeRow{"West", "2026-09-21T10:43:20.25-03:30", 1790000000, 250000000,
                "2026-09-21T14:13:20.250Z"},
        TimeRow{"UnknownOffset", "2026-09-21T14:13:20-00:00", 1790000000, 0,
                "2026-09-21T14:13:20Z"},
        TimeRow{"LowerCase", "2026-09-21t14:13:20z", 1790000000, 0, "2026-09-21T14:13:20Z"},
        TimeRow{"BeforeEpoch", "1969-12-31T23:59:59.9Z", -1, 900000000, "1969-12-31T23:59:59.900Z"},
        TimeRow{"LeapDay", "2024-02-29T00:00:00Z", 1709164800, 0, "2024-02-29T00:00:00Z"},
        TimeRow{"LeapDayOfACentury", "2000-02-29T00:00:00Z", 951782400, 0, "2000-02-29T00:00:00Z"},
        TimeRow{"First", "0001-01-01T00:00:00Z", -62135596800, 0, "0001-01-01T00:00:00Z"},
        TimeRow{"FirstByOffset", "0000-12-31T23:00:00-01:00", -62135596800, 0,
                "0001-01-01T00:00:00Z"},
        TimeRow{"Last", "9999-12-31T23:59:59.999999999Z", 253402300799, 999999999,
                "9999-12-31T23:59:59.999999999Z"}),
    [](const auto& info) { return std::string(info.param.name); });

struct BadTimeRow {
  const char* name;
  const char* text;
};

class JsonBadTime : public ::testing::TestWithParam<BadTimeRow> {};

TEST_P(JsonBadTime, IsRefused) {
  Location location;
  const absl::Status status =
      Read(std::string("{\"created_at\":\"") + GetParam().text + "\"}", &location);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), "created_at: not an RFC 3339 time");
}

INSTANTIATE_TEST_SUITE_P(
    Table, JsonBadTime,
    ::testing::Values(
        BadTimeRow{"Empty", ""}, BadTimeRow{"DateOnly", "2026-09-21"},
        BadTimeRow{"NoOffset", "2026-09-21T14:13:20"}, BadTimeRow{"Space", "2026-09-21 14:13:20Z"},
        BadTimeRow{"LeapSecond", "2016-12-31T23:59:60Z"},
        BadTimeRow{"TenDigits", "2026-09-21T14:13:20.0000000001Z"},
        BadTimeRow{"NoDigits", "2026-09-21T14:13:20.Z"},
        BadTimeRow{"Comma", "2026-09-21T14:13:20,5Z"}, BadTimeRow{"Hour24", "2026-09-21T24:00:00Z"},
        BadTimeRow{"Minute60", "2026-09-21T23:60:00Z"},
        BadTimeRow{"Month0", "2026-00-21T14:13:20Z"}, BadTimeRow{"Month13", "2026-13-21T14:13:20Z"},
        BadTimeRow{"Day0", "2026-09-00T14:13:20Z"}, BadTimeRow{"Day31", "2026-09-31T14:13:20Z"},
        BadTimeRow{"NoLeapDay", "2026-02-29T14:13:20Z"},
        BadTimeRow{"NoLeapDayOfACentury", "1900-02-29T14:13:20Z"},
        BadTimeRow{"OneDigitMonth", "2026-9-21T14:13:20Z"},
        BadTimeRow{"FiveDigitYear", "12026-09-21T14:13:20Z"},
        BadTimeRow{"Year0", "0000-12-31T23:59:59Z"},
        BadTimeRow{"BelowFirstByOffset", "0001-01-01T00:00:00+00:01"},
        BadTimeRow{"AboveLastByOffset", "9999-12-31T23:59:59-00:01"},
        BadTimeRow{"OffsetWithoutColon", "2026-09-21T14:13:20+0200"},
        BadTimeRow{"OffsetHour24", "2026-09-21T14:13:20+24:00"},
        BadTimeRow{"OffsetMinute60", "2026-09-21T14:13:20+01:60"},
        BadTimeRow{"SpaceAfter", "2026-09-21T14:13:20Z "},
        BadTimeRow{"SpaceBefore", " 2026-09-21T14:13:20Z"},
        BadTimeRow{"Negative", "-026-09-21T14:13:20Z"},
        BadTimeRow{"ZeroByte", "2026-09-21T14:13:20Z\\u0000"}),
    [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace ipp::json
