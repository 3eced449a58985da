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

// How many lines of a kind that a stranger can cause are written: some at once, then so many a
// second; the rest is counted. Thread-safe.
class LogRateLimiter {
 public:
  LogRateLimiter(double per_second, int at_once, Clock* clock = Clock::Real())
      : per_second_(per_second), at_once_(at_once), clock_(clock), left_(at_once) {}

  // A line may be written: how many were left out since the last one that was.
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
