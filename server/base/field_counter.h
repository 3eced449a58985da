#pragma once

#include <functional>
#include <set>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "server/base/log.h"
#include "server/base/metrics.h"
#include "server/base/mutex.h"

namespace ipp {

// Counts fields that a peer sends and the gateway does not use, in a counter with the label
// `field`, and logs the first occurrence of each field. Thread-safe.
class FieldCounter {
 public:
  // `metric` is the counter's name. Borrows `metrics`.
  FieldCounter(Metrics* metrics, std::string metric, std::string help, LogLevel level,
               std::string line)
      : metrics_(metrics),
        metric_(std::move(metric)),
        help_(std::move(help)),
        level_(level),
        line_(std::move(line)) {}

  // `path` must not be secret, and must be short enough for a metric label. `trace_id` may be
  // empty.
  void Count(absl::string_view path, absl::string_view trace_id);

 private:
  // The peer chooses the names. Once so many different ones were seen, further ones are counted as
  // `other`, to bound the number of series.
  static constexpr size_t kMaxFields = 200;

  Metrics* const metrics_;
  const std::string metric_;
  const std::string help_;
  const LogLevel level_;
  const std::string line_;
  Mutex mutex_;
  std::set<std::string, std::less<>> fields_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace ipp
