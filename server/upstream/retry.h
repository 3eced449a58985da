#pragma once

#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "server/base/mutex.h"

namespace ipp::upstream {

// How reads are retried.
struct RetryPolicy {
  int attempts = 3;  // including the first
  absl::Duration first_pause = absl::Milliseconds(50);
  absl::Duration longest_pause = absl::Seconds(2);
};

// The pause before attempt `next` (2, 3 …), drawn evenly from zero to the exponential limit ("full
// jitter"), but at least `retry_after`. Nothing if no attempt is left or the pause would pass the
// deadline. `dice` is a random number in [0, 1).
std::optional<absl::Duration> PauseBefore(int next, const RetryPolicy& policy,
                                          std::optional<absl::Duration> retry_after,
                                          absl::Duration time_left, double dice);

// Prevents retries from multiplying the load of an upstream that is down: each retry takes a token,
// each success returns a tenth of one, and if half of the tokens are gone there are no retries
// (gRPC's retry throttling, gRFC A6). Thread-safe.
class RetryBudget {
 public:
  explicit RetryBudget(double tokens = 100) : limit_(tokens), tokens_(tokens) {}
  // False: do not retry.
  bool Take();
  void Succeeded();

 private:
  const double limit_;
  Mutex mutex_;
  double tokens_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace ipp::upstream
