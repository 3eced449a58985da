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

  // The machine's wall clock as it stands, right or wrong (GuardedClock): for what comes with a
  // time that somebody outside has just written, and for gRPC, whose deadlines are wall time.
  virtual absl::Time Wall() { return Now(); }
  // False while Now() may be far off: then nothing is removed for its age.
  virtual bool plausible() { return true; }

  // The machine's clock; lives for ever.
  static Clock* Real();
};

}  // namespace ipp
