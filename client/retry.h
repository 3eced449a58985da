#pragma once

#include <grpcpp/support/status.h>

#include "absl/time/time.h"

namespace ipp::client {

// Pauses between tries: each limit is twice the one before, up to the longest; half of it for
// certain, half by chance: never at once, never all callers together.
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

// Whether a call that ended so may end otherwise when it is made again. OUT_OF_RANGE, retention
// that overtook a stream, is one of those; whoever must know of the loss looks for it before.
bool RetryHeals(grpc::StatusCode code);

}  // namespace ipp::client
