#pragma once

#include <prometheus/metric_family.h>

#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/time/time.h"
#include "server/base/metrics.h"

namespace ipp {

// An observation whose trace can be looked up. No trace: none.
struct Exemplar {
  std::string trace_id;
  double value = 0;
  absl::Time at;
};

// The exemplars of one histogram, one for each bucket in the order of the buckets; or fewer.
using ExemplarsOf =
    absl::FunctionRef<std::vector<Exemplar>(const std::string& family, const Labels& labels)>;

// The families in the OpenMetrics text format, version 1.0.0 (openmetrics.io): the one that can
// carry exemplars, which prometheus-cpp does not write.
std::string WriteOpenMetrics(const std::vector<prometheus::MetricFamily>& families,
                             ExemplarsOf exemplars);

}  // namespace ipp
