#pragma once

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "tests/faults/history.h"

namespace ipp::faults {

// The sum over the series of a metric whose labels hold all of `labels` (each `key="value"`); minus
// one when there is none.
double SumOf(const std::string& metrics, const std::string& name,
             const std::vector<std::string>& labels = {});

struct MetricsExpected {
  absl::Time started_at;  // of this gateway
  // It alone writes the log, and nothing else was killed: it counts every event.
  bool counts_all = true;
  bool store_may_fail = false;
  // Its clock was wrong for a while: it may have found webhooks too old, and events may be dated
  // before its start.
  bool clock_stepped = false;
};

// What in a gateway's /metrics contradicts the promise or what was seen: counters that must be 0,
// refused webhooks, more events than were seen since it started, or fewer where it counts all.
std::vector<std::string> FindInMetrics(const std::string& metrics, const History& history,
                                       const MetricsExpected& expected);

}  // namespace ipp::faults
