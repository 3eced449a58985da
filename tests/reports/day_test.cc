#include "server/reports/day.h"

#include <ostream>
#include <string>

#include "gtest/gtest.h"
#include "server/base/error.h"

namespace ipp::reports {
namespace {

struct Row {
  const char* name;
  const char* day;
  const char* zone;
  const char* starts_at;  // UTC
  int hours;
};

void PrintTo(const Row& row, std::ostream* out) { *out << row.name; }

class DayTable : public testing::TestWithParam<Row> {};

TEST_P(DayTable, IsFromMidnightToMidnight) {
  const auto day = DayOf(GetParam().day, GetParam().zone);
  ASSERT_TRUE(day.ok()) << day.status();
  EXPECT_EQ(absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", day->starts_at, absl::UTCTimeZone()),
            GetParam().starts_at);
  EXPECT_EQ(day->ends_at - day->starts_at, absl::Hours(GetParam().hours));
  EXPECT_TRUE(day->Holds(day->starts_at));
  EXPECT_FALSE(day->Holds(day->ends_at));
}

INSTANTIATE_TEST_SUITE_P(
    Days, DayTable,
    testing::Values(
        Row{"Utc", "2026-11-29", "UTC", "2026-11-29T00:00:00Z", 24},
        Row{"Winter", "2026-11-29", "Europe/Stockholm", "2026-11-28T23:00:00Z", 24},
        Row{"Summer", "2026-07-01", "Europe/Stockholm", "2026-06-30T22:00:00Z", 24},
        Row{"ClocksForward", "2026-03-29", "Europe/Stockholm", "2026-03-28T23:00:00Z", 23},
        Row{"ClocksBack", "2026-10-25", "Europe/Stockholm", "2026-10-24T22:00:00Z", 25},
        Row{"HalfHourZone", "2026-11-29", "Asia/Kolkata", "2026-11-28T18:30:00Z", 24},
        // Midnight itself was skipped: the day began at 01:00.
        Row{"ForwardAtMidnight", "2018-11-04", "America/Sao_Paulo", "2018-11-04T03:00:00Z", 23},
        // 23:00 to 24:00 came twice: the day before has 25 hours.
        Row{"BackAtMidnight", "2018-02-17", "America/Sao_Paulo", "2018-02-17T02:00:00Z", 25},
        Row{"LeapDay", "2028-02-29", "America/New_York", "2028-02-29T05:00:00Z", 24}),
    [](const auto& info) { return info.param.name; });

struct WrongRow {
  const char* name;
  std::string day;
  std::string zone;
  const char* field;
};

class WrongDay : public testing::TestWithParam<WrongRow> {};

TEST_P(WrongDay, NamesTheField) {
  const absl::Status status = DayOf(GetParam().day, GetParam().zone).status();
  ASSERT_TRUE(absl::IsInvalidArgument(status)) << status;
  ASSERT_EQ(GetErrorDetail(status).violations.size(), 1u);
  EXPECT_EQ(GetErrorDetail(status).violations[0].field, GetParam().field);
}

INSTANTIATE_TEST_SUITE_P(
    Days, WrongDay,
    testing::Values(WrongRow{"NoDay", "", "UTC", "day"}, WrongRow{"NoDate", "today", "UTC", "day"},
                    WrongRow{"ShortDate", "2026-1-2", "UTC", "day"},
                    WrongRow{"NoSuchDate", "2026-02-30", "UTC", "day"},
                    WrongRow{"WithTime", "2026-01-02T00", "UTC", "day"},
                    WrongRow{"BeforeAllClocks", "1969-12-31", "UTC", "day"},
                    WrongRow{"Skipped", "2011-12-30", "Pacific/Apia", "day"},
                    WrongRow{"NoZone", "2026-01-02", "", "time_zone"},
                    WrongRow{"NoSuchZone", "2026-01-02", "Europe/Atlantis", "time_zone"},
                    WrongRow{"Path", "2026-01-02", "/etc/localtime", "time_zone"},
                    WrongRow{"Climbing", "2026-01-02", "Europe/../../../etc/localtime",
                             "time_zone"},
                    WrongRow{"Scheme", "2026-01-02", "libc:localtime", "time_zone"},
                    WrongRow{"FileScheme", "2026-01-02", "file:UTC", "time_zone"},
                    WrongRow{"VeryLong", "2026-01-02", std::string(1000, 'a'), "time_zone"}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace ipp::reports
