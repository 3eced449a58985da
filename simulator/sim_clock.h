#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace ipp::simulator {

using Time = std::chrono::sys_time<std::chrono::nanoseconds>;

// Wall time plus what /_sim/clock/advance has added. One thread.
class SimClock {
 public:
  Time Now() const { return RealNow() + offset_; }
  static Time RealNow() { return std::chrono::system_clock::now(); }

  void Advance(std::chrono::seconds by) { offset_ += by; }
  std::chrono::seconds offset() const { return offset_; }

 private:
  std::chrono::seconds offset_{0};
};

std::string FormatSeconds(Time time);  // 2026-09-21T14:13:20Z
std::string FormatNanos(Time time);    // 2026-09-21T14:13:20.000000001Z

std::string FormatHttpDate(Time time);  // Mon, 21 Sep 2026 14:13:20 GMT

// Whether this is an RFC 3339 date-time with a zone.
bool IsDateTime(std::string_view text);

}  // namespace ipp::simulator
