#pragma once

#include <grpcpp/support/status.h>

#include "absl/time/time.h"

namespace ipp::client {

// Pauses between attempts. The limit doubles each time, up to the longest; a pause is half of the
// limit plus a random part of the other half. So a retry is never immediate, and callers do not
// retry all at once.
class Backoff {
 public:
  Backoff(absl::Duration first, absl::Duration longest) : first_(first), longest_(longest) {}

  // `chance`: uniform in [0, 1).
  absl::Duration Next(double chance);
  void Reset() { failures_ = 0; }

 private:
  const absl::Duration first_;
  const absl::Duration longest_;
  int failures_ = 0;
};

// Whether a call that ended with `code` may succeed when it is made again. That includes
// OUT_OF_RANGE (retention has removed events after a cursor); a caller that must not lose events
// checks for it first.
bool RetryHeals(grpc::StatusCode code);

}  // namespace ipp::client
