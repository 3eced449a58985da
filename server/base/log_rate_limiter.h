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

// Limits how often a log line that strangers can cause is written: `at_once` lines in a burst, then
// `per_second`. The lines that are left out are counted. Thread-safe.
class LogRateLimiter {
 public:
  LogRateLimiter(double per_second, int at_once, Clock* clock = Clock::Real())
      : clock_(clock), lines_(per_second, at_once) {}

  // Returns nothing if the line must be left out. Otherwise it may be written, and the result is
  // how many lines were left out since the last one.
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
