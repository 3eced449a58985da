#pragma once

#include <algorithm>

#include "absl/random/random.h"
#include "absl/time/time.h"

namespace ipp {

// The pauses between the tries of one thing: they double from `first` up to `longest`. Each is
// drawn evenly from the upper half of its step, so that many that failed at the same moment do not
// come back together. Not thread-safe.
class Backoff {
 public:
  Backoff(absl::Duration first, absl::Duration longest)
      : first_(first), longest_(longest), step_(first) {}

  // The pause before the next try.
  absl::Duration Next() {
    thread_local absl::BitGen random;
    const absl::Duration pause = step_ * absl::Uniform<double>(random, 0.5, 1.0);
    step_ = std::min(step_ * 2, longest_);
    return pause;
  }
  // It worked: the next pause is the first again.
  void Reset() { step_ = first_; }

 private:
  absl::Duration first_;
  absl::Duration longest_;
  absl::Duration step_;
};

}  // namespace ipp
