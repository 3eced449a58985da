#pragma once

#include "absl/time/time.h"
#include "server/base/metrics.h"

namespace ipp::admin {

// What the process takes of its machine, under the names that Prometheus' client libraries use:
// process_resident_memory_bytes, process_virtual_memory_bytes, process_open_fds, process_max_fds,
// process_cpu_seconds_total, process_start_time_seconds. A value that cannot be read stays as it
// was. For one thread.
// Source: https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics
class ProcessMetrics {
 public:
  // `started`: when the gateway started.
  ProcessMetrics(Metrics* metrics, absl::Time started);

  // Reads the values; tens of microseconds, and more with thousands of open descriptors.
  void Update();

 private:
  Gauge& resident_;
  Gauge& virtual_;
  Gauge& open_fds_;
  Gauge& max_fds_;
  Counter& cpu_;
};

}  // namespace ipp::admin
