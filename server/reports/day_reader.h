#pragma once

#include <cstddef>
#include <functional>
#include <string>

#include "absl/container/flat_hash_set.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "kustom/ipp/v1/report.pb.h"
#include "server/reports/day.h"
#include "server/store/store.h"

namespace ipp::reports {

// The most sessions of one day.
inline constexpr size_t kMaxDaySessions = 500'000;

struct DayQuestion {
  std::string merchant_id;
  Day day;
  absl::flat_hash_set<std::string> devices = {};  // empty: all
  size_t max_sessions = kMaxDaySessions;
  // Asked before each page, on the store's threads: whether the report is no longer wanted.
  std::function<bool()> cancelled = [] { return false; };
};

// Reads everything that was recorded since the day began, up to the end that the log has at the
// start, and fills `report`, which must live until `done`. One page of the log at a time, each a
// read of its own, so other reads of the store wait for one page at most. `done` runs once, on a
// thread of the store.
//
// Errors: those of the store as it gives them; CANCELLED; OUT_OF_RANGE / DAY_NOT_KEPT when
// retention has removed the whole day; RESOURCE_EXHAUSTED / REPORT_TOO_LARGE.
void ReadDay(store::Store* store, DayQuestion question,
             kustom::ipp::v1::GetDayReportResponse* report,
             absl::AnyInvocable<void(absl::Status) &&> done);

}  // namespace ipp::reports
