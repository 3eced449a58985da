#include "simulator/http.h"

#include <algorithm>
#include <cctype>
#include <ctime>

#include "simulator/sim_clock.h"

namespace ipp::simulator {

bool EqualsIgnoringCase(std::string_view a, std::string_view b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](unsigned char x, unsigned char y) {
           return std::tolower(x) == std::tolower(y);
         });
}

// Made once a second.
const std::string& HttpDate() {
  static thread_local std::time_t made_at = 0;
  static thread_local std::string date;
  const std::time_t now = std::time(nullptr);
  if (now != made_at) {
    date = FormatHttpDate(SimClock::RealNow());
    made_at = now;
  }
  return date;
}

std::string_view Request::Header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (EqualsIgnoringCase(key, name)) return value;
  }
  return {};
}

std::string_view Request::RawQuery() const {
  const size_t mark = target.find('?');
  return mark == std::string_view::npos ? std::string_view() : target.substr(mark + 1);
}

}  // namespace ipp::simulator
