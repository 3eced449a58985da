#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/base/mutex.h"

namespace ipp {

// Limits how often a log line that strangers can cause is written: `at_once` lines in a burst, then
// `per_second`. The lines that are left out are counted. Thread-safe.
class LogRateLimiter {
 public:
  LogRateLimiter(double per_second, int at_once, Clock* clock = Clock::Real())
      : per_second_(per_second), at_once_(at_once), clock_(clock), left_(at_once) {}

  // Returns nothing if the line must be left out. Otherwise it may be written, and the result is
  // how many lines were left out since the last one.
  std::optional<int64_t> Take() {
    MutexLock lock(&mutex_);
    const absl::Duration now = clock_->Monotonic();
    left_ = std::min<double>(at_once_, left_ + absl::ToDoubleSeconds(now - last_) * per_second_);
    last_ = now;
    if (left_ < 1) {
      ++left_out_;
      return std::nullopt;
    }
    left_ -= 1;
    return std::exchange(left_out_, 0);
  }

 private:
  const double per_second_;
  const double at_once_;
  Clock* const clock_;
  Mutex mutex_;
  double left_ ABSL_GUARDED_BY(mutex_);
  absl::Duration last_ ABSL_GUARDED_BY(mutex_);
  int64_t left_out_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace ipp
