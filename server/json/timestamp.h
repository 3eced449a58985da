#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"

// RFC 3339 times within the range of google.protobuf.Timestamp: years 1 to 9999, nanoseconds, no
// leap seconds.
namespace ipp::json {

enum class TimeForm {
  kRfc3339,  // up to nine fractional digits, any offset
  // Also the equivalents in ISO 8601: a space instead of the T, a comma before the fraction of a
  // second, more than nine fractional digits (the rest is cut off), no seconds, offsets +hhmm and
  // +hh. Never a time without an offset, since it is not known whose local time it would be.
  kIso8601
};

// False if the text is not an existing calendar time. A leap second is rejected as well.
bool ParseTimestamp(absl::string_view text, int64_t* seconds, int32_t* nanos,
                    TimeForm form = TimeForm::kRfc3339);

inline constexpr size_t kTimestampSize = 30;  // 2026-09-21T14:13:20.000000001Z

// Writes the time in UTC with 0, 3, 6 or 9 fractional digits and returns its length, at most
// kTimestampSize; 0 if the time is out of range.
size_t FormatTimestamp(int64_t seconds, int32_t nanos, char* out);

}  // namespace ipp::json
