#include "server/reports/day.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/civil_time.h"
#include "server/base/error.h"

namespace ipp::reports {
namespace {

// The longest name of the IANA database has 32 letters.
constexpr size_t kMaxZoneName = 48;

absl::Status Wrong(const char* field, std::string why) {
  return InvalidRequest({{field, std::move(why)}});
}

// Only names as in the IANA database: the library would also open a file by its path.
bool IsZoneName(absl::string_view name) {
  const auto good = [](char c) { return absl::ascii_isalnum(c) || absl::StrContains("_+-/", c); };
  return !name.empty() && name.size() <= kMaxZoneName && absl::ascii_isalpha(name.front()) &&
         std::all_of(name.begin(), name.end(), good) && !absl::StrContains(name, "//");
}

}  // namespace

absl::StatusOr<Day> DayOf(absl::string_view day, absl::string_view time_zone) {
  absl::CivilDay date;
  // Strict: the library also takes `2026-1-2`.
  if (!absl::ParseCivilTime(day, &date) || absl::FormatCivilTime(date) != day ||
      date.year() < 1970 || date.year() > 9998) {
    return Wrong("day", day.empty() ? "is required" : "is no date such as 2026-11-29");
  }
  absl::TimeZone zone;
  if (!IsZoneName(time_zone) || !absl::LoadTimeZone(time_zone, &zone)) {
    return Wrong("time_zone", time_zone.empty() ? "is required"
                                                : "is no time zone of the IANA database, such as "
                                                  "Europe/Stockholm");
  }
  // Where the clocks are put forward at midnight the day begins with the first time there is.
  const Day found{absl::FromCivil(date, zone), absl::FromCivil(date + 1, zone)};
  if (found.starts_at >= found.ends_at) return Wrong("day", "does not exist in this time zone");
  return found;
}

}  // namespace ipp::reports
