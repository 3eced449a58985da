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

// What in a gateway's /metrics contradicts the promise or what was seen: counters that must be 0,
// refused webhooks, and, where this gateway alone writes the log (`alone`), a count of events other
// than the log's since it started.
std::vector<std::string> FindInMetrics(const std::string& metrics, const History& history,
                                       absl::Time started_at, bool alone);

}  // namespace ipp::faults
