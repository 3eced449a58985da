#pragma once

#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/base/mutex.h"
#include "server/base/token_bucket.h"

namespace ipp::auth {

// How much one caller may ask for; 0: no limit of its own.
struct CallerLimits {
  int requests_per_second = 0;  // calls and new streams; a second's worth may come at once
  int in_flight = 0;            // unary calls
  int subscribers = 0;          // streams
};

// What one caller uses now. Thread-safe.
class CallerUse {
 public:
  explicit CallerUse(CallerLimits limits)
      : limits_(limits), requests_(limits.requests_per_second, limits.requests_per_second) {}

  const CallerLimits& limits() const { return limits_; }

  // One more request at `now` (Clock::Monotonic()). RESOURCE_EXHAUSTED / CALLER_LIMIT with
  // RetryInfo and metadata `scope` (requests_per_second, in_flight) and `limit`; it is not counted
  // then.
  absl::Status BeginStream(absl::Duration now);
  absl::Status BeginCall(absl::Duration now);
  // Of a BeginCall that was OK.
  void EndCall();

 private:
  absl::Status TakeToken(absl::Duration now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const CallerLimits limits_;
  Mutex mutex_;
  int in_flight_ ABSL_GUARDED_BY(mutex_) = 0;
  TokenBucket requests_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace ipp::auth
