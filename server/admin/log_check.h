#pragma once

#include <string>

#include "server/base/log_queue.h"
#include "server/base/metrics.h"

namespace ipp::admin {

// Says whether the log is read. It never makes the gateway unready: without its log it serves as
// well as with it, and a pod elsewhere may write to the same collector. Thread-safe.
//
// Metrics: ipp_log_lines_lost_total by kind (audit, other); ipp_log_waiting_seconds.
class LogCheck {
 public:
  explicit LogCheck(Metrics* metrics);

  // Sets the metrics. Empty when all is well.
  std::string Note(const LogQueue::State& state);

 private:
  Gauge& waiting_;
  Counter& lost_;
  Counter& lost_audit_;
};

}  // namespace ipp::admin
