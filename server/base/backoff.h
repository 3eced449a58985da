#pragma once

#include <algorithm>

#include "absl/random/random.h"
#include "absl/time/time.h"

namespace ipp {

// The pauses between the attempts of one operation: they double from `first` up to `longest`. Each
// pause is drawn evenly from the upper half of its step, so that many clients that failed at the
// same moment do not all come back at the same moment. Not thread-safe.
class Backoff {
 public:
  Backoff(absl::Duration first, absl::Duration longest)
      : first_(first), longest_(longest), step_(first) {}

  // The pause before the next attempt.
  absl::Duration Next() {
    thread_local absl::BitGen random;
    const absl::Duration pause = step_ * absl::Uniform<double>(random, 0.5, 1.0);
    step_ = std::min(step_ * 2, longest_);
    return pause;
  }
  // Call this after a success: the next pause is `first` again.
  void Reset() { step_ = first_; }

 private:
  absl::Duration first_;
  absl::Duration longest_;
  absl::Duration step_;
};

}  // namespace ipp
