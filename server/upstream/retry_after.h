#pragma once

#include <optional>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

// How long an answer asks to wait (RFC 9110, 10.2.3). Pure.
namespace ipp::upstream {

// No answer makes anybody wait longer: one that is asked for by mistake, or in milliseconds, must
// not stop a shop for the day.
inline constexpr absl::Duration kLongestRetryAfter = absl::Hours(1);

// Retry-After as seconds or as a date, at most kLongestRetryAfter; a date that has passed is no
// wait. A date counts from `date`, the answer's Date header, or from `now` when that is none: so a
// clock that is wrong on either side does no harm. Nothing when `value` is neither.
std::optional<absl::Duration> ParseRetryAfter(absl::string_view value, absl::string_view date,
                                              absl::Time now);

// A date in one of the three forms of RFC 9110, 5.6.7. `now` tells the century of a year of two
// digits: it is not more than 50 years ahead.
std::optional<absl::Time> ParseHttpDate(absl::string_view text, absl::Time now);

}  // namespace ipp::upstream
