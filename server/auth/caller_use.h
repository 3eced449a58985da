#pragma once

#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/base/mutex.h"
#include "server/base/token_bucket.h"

namespace ipp::auth {

// Limits for one caller. 0: no limit for this caller.
struct CallerLimits {
  int requests_per_second = 0;  // calls and new streams; the burst is one second's worth
  int in_flight = 0;            // unary calls
  int subscribers = 0;          // streams
};

// The current use by one caller. Thread-safe.
class CallerUse {
 public:
  explicit CallerUse(CallerLimits limits)
      : limits_(limits), requests_(limits.requests_per_second, limits.requests_per_second) {}

  const CallerLimits& limits() const { return limits_; }

  // Registers one more request at `now` (Clock::Monotonic()). RESOURCE_EXHAUSTED / CALLER_LIMIT
  // with RetryInfo and metadata `scope` (requests_per_second, in_flight) and `limit`; the request
  // is then not counted.
  absl::Status BeginStream(absl::Duration now);
  absl::Status BeginCall(absl::Duration now);
  // Must be called once after each BeginCall that returned OK.
  void EndCall();

 private:
  absl::Status TakeToken(absl::Duration now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const CallerLimits limits_;
  Mutex mutex_;
  int in_flight_ ABSL_GUARDED_BY(mutex_) = 0;
  TokenBucket requests_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace ipp::auth
