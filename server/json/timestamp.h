#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"

// RFC 3339 as google.protobuf.Timestamp has it: years 1 to 9999, nanoseconds, no leap seconds.
namespace ipp::json {

enum class TimeForm {
  kRfc3339,  // up to nine digits of a second, any offset
  // What means the same in ISO 8601 as well: a space for the T, a comma before the digits of a
  // second, more than nine of them (the rest is cut off), no seconds, offsets +hhmm and +hh. Never
  // a time without an offset: whose local time would it be.
  kIso8601
};

// False for anything that is not a real time of the calendar, a leap second included.
bool ParseTimestamp(absl::string_view text, int64_t* seconds, int32_t* nanos,
                    TimeForm form = TimeForm::kRfc3339);

inline constexpr size_t kTimestampSize = 30;  // 2026-09-21T14:13:20.000000001Z

// Writes the time in UTC with 0, 3, 6 or 9 digits of a second and returns its length, at most
// kTimestampSize; 0 when it is out of range.
size_t FormatTimestamp(int64_t seconds, int32_t nanos, char* out);

}  // namespace ipp::json
