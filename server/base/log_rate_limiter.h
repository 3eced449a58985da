#pragma once

#include <cstdint>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/base/mutex.h"
#include "server/base/token_bucket.h"

namespace ipp {

// How many lines of a kind that a stranger can cause are written: some at once, then so many a
// second; the rest is counted. Thread-safe.
class LogRateLimiter {
 public:
  LogRateLimiter(double per_second, int at_once, Clock* clock = Clock::Real())
      : clock_(clock), lines_(per_second, at_once) {}

  // A line may be written: how many were left out since the last one that was.
  std::optional<int64_t> Take() {
    MutexLock lock(&mutex_);
    if (!lines_.Take(clock_->Monotonic())) {
      ++left_out_;
      return std::nullopt;
    }
    return std::exchange(left_out_, 0);
  }

 private:
  Clock* const clock_;
  Mutex mutex_;
  TokenBucket lines_ ABSL_GUARDED_BY(mutex_);
  int64_t left_out_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace ipp
