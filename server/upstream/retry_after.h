#pragma once

#include <optional>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

// The wait that an answer asks for (RFC 9110, 10.2.3). Pure functions.
namespace ipp::upstream {

// The upper limit of a wait: a value that is wrong, or meant as milliseconds, must not stop a shop
// for a day.
inline constexpr absl::Duration kLongestRetryAfter = absl::Hours(1);

// Parses Retry-After, as seconds or as a date; at most kLongestRetryAfter. A date that has passed
// means no wait. A date counts from `date`, the answer's Date header, or from `now` if that header
// is not valid, so that a wrong clock on either side does no harm. Nothing if `value` is neither
// form.
std::optional<absl::Duration> ParseRetryAfter(absl::string_view value, absl::string_view date,
                                              absl::Time now);

// Parses a date in one of the three forms of RFC 9110, 5.6.7. `now` decides the century of a
// two-digit year: the date is at most 50 years ahead.
std::optional<absl::Time> ParseHttpDate(absl::string_view text, absl::Time now);

}  // namespace ipp::upstream
