#include "server/upstream/retry_after.h"

#include <algorithm>
#include <cstdint>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/time/civil_time.h"

namespace ipp::upstream {
namespace {

bool IsDigits(absl::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), absl::ascii_isdigit);
}

bool ParseIn(const char* format, absl::string_view text, absl::Time* time) {
  std::string error;
  return absl::ParseTime(format, text, absl::UTCTimeZone(), time, &error);
}

}  // namespace

std::optional<absl::Time> ParseHttpDate(absl::string_view text, absl::Time now) {
  absl::Time time;
  if (ParseIn("%a, %d %b %Y %H:%M:%S GMT", text, &time)) return time;           // IMF-fixdate
  if (ParseIn("%a %b %e %H:%M:%S %Y", text, &time)) return time;                // asctime
  if (!ParseIn("%A, %d-%b-%y %H:%M:%S GMT", text, &time)) return std::nullopt;  // RFC 850
  absl::CivilSecond civil = absl::ToCivilSecond(time, absl::UTCTimeZone());
  const absl::CivilSecond today = absl::ToCivilSecond(now, absl::UTCTimeZone());
  if (civil.year() > today.year() + 50) {
    civil = absl::CivilSecond(civil.year() - 100, civil.month(), civil.day(), civil.hour(),
                              civil.minute(), civil.second());
  }
  return absl::FromCivil(civil, absl::UTCTimeZone());
}

std::optional<absl::Duration> ParseRetryAfter(absl::string_view value, absl::string_view date,
                                              absl::Time now) {
  value = absl::StripAsciiWhitespace(value);
  if (IsDigits(value)) {
    int64_t seconds = 0;
    if (!absl::SimpleAtoi(value, &seconds)) return kLongestRetryAfter;  // more than any number
    return std::min(absl::Seconds(seconds), kLongestRetryAfter);
  }
  const std::optional<absl::Time> until = ParseHttpDate(value, now);
  if (!until) return std::nullopt;
  const absl::Time from = ParseHttpDate(absl::StripAsciiWhitespace(date), now).value_or(now);
  return std::clamp(*until - from, absl::ZeroDuration(), kLongestRetryAfter);
}

}  // namespace ipp::upstream
