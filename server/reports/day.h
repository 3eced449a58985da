#pragma once

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace ipp::reports {

// A calendar day: from `starts_at`, before `ends_at`. It has 23 or 25 hours where the clocks
// change.
struct Day {
  absl::Time starts_at;
  absl::Time ends_at;

  bool Holds(absl::Time time) const { return time >= starts_at && time < ends_at; }
};

// The day `day` ("2026-11-29") in the IANA time zone `time_zone` ("Europe/Stockholm").
// INVALID_ARGUMENT, naming the field `day` or `time_zone`, for one that does not exist; also for a
// day that the zone skipped. Reads the zone's file (tzdata) when it is first asked for. The library
// keeps every zone that was asked for, also one that does not exist, until the process ends; names
// are limited, and only callers with a permission get here.
absl::StatusOr<Day> DayOf(absl::string_view day, absl::string_view time_zone);

}  // namespace ipp::reports
