#include "simulator/sim_clock.h"

#include <cctype>
#include <cstdio>
#include <ctime>

namespace ipp::simulator {
namespace {

using std::chrono::floor;
using std::chrono::seconds;

std::string Format(Time time, bool nanos) {
  const auto day = floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  char text[64];
  int length = std::snprintf(
      text, sizeof(text), "%04d-%02u-%02uT%02d:%02d:%02d", static_cast<int>(date.year()),
      static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
      static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
      static_cast<int>(clock.seconds().count()));
  std::string result(text, static_cast<size_t>(length));
  if (nanos) {
    length =
        std::snprintf(text, sizeof(text), ".%09d", static_cast<int>(clock.subseconds().count()));
    result.append(text, static_cast<size_t>(length));
  }
  return result + "Z";
}

// Reads `digits` digits off the front, between min and max.
bool TakeNumber(std::string_view* text, size_t digits, int min, int max, int* value) {
  if (text->size() < digits) return false;
  *value = 0;
  for (size_t i = 0; i < digits; ++i) {
    const char c = (*text)[i];
    if (c < '0' || c > '9') return false;
    *value = *value * 10 + (c - '0');
  }
  text->remove_prefix(digits);
  return *value >= min && *value <= max;
}

bool Take(std::string_view* text, char upper) {
  if (text->empty() || std::toupper(static_cast<unsigned char>(text->front())) != upper) {
    return false;
  }
  text->remove_prefix(1);
  return true;
}

}  // namespace

std::string FormatSeconds(Time time) { return Format(time, false); }
std::string FormatNanos(Time time) { return Format(time, true); }

std::string FormatHttpDate(Time time) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(
      std::chrono::time_point_cast<std::chrono::system_clock::duration>(time));
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[64];
  return {text, std::strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &parts)};
}

bool IsDateTime(std::string_view text) {
  int year = 0, month = 0, day = 0, part = 0;
  if (!TakeNumber(&text, 4, 0, 9999, &year) || !Take(&text, '-') ||
      !TakeNumber(&text, 2, 1, 12, &month) || !Take(&text, '-') ||
      !TakeNumber(&text, 2, 1, 31, &day)) {
    return false;
  }
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok() || !Take(&text, 'T') || !TakeNumber(&text, 2, 0, 23, &part) || !Take(&text, ':') ||
      !TakeNumber(&text, 2, 0, 59, &part) || !Take(&text, ':') ||
      !TakeNumber(&text, 2, 0, 60, &part)) {
    return false;
  }
  if (Take(&text, '.')) {
    size_t digits = 0;
    while (TakeNumber(&text, 1, 0, 9, &part)) ++digits;
    if (digits == 0 || digits > 9) return false;
  }
  if (Take(&text, 'Z')) return text.empty();
  if (!Take(&text, '+') && !Take(&text, '-')) return false;
  return TakeNumber(&text, 2, 0, 23, &part) && Take(&text, ':') &&
         TakeNumber(&text, 2, 0, 59, &part) && text.empty();
}

}  // namespace ipp::simulator
