#pragma once

#include "absl/time/time.h"

namespace ipp {

// The time, injected so that tests can set it. Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual absl::Time Now() = 0;
  // Time passed since some moment before the process' work began. Never goes back and never jumps,
  // whatever an operator sets the time to: what intervals, ages and stalls are measured with.
  virtual absl::Duration Monotonic() = 0;

  // The machine's clock; lives for ever.
  static Clock* Real();
};

}  // namespace ipp
