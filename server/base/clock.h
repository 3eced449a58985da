#pragma once

#include "absl/time/time.h"

namespace ipp {

// The time, injected so that tests can set it. Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual absl::Time Now() = 0;
  // Time passed since some moment before the process started. It never goes back and never jumps,
  // even when an operator changes the system time. Use it to measure intervals, ages and stalls.
  virtual absl::Duration Monotonic() = 0;

  // The host's wall clock, whether it is right or wrong (see GuardedClock). Use it to compare with
  // a timestamp that another system has just written, and for gRPC, whose deadlines are wall time.
  virtual absl::Time Wall() { return Now(); }
  // False while Now() may be far off. Nothing may be removed because of its age then.
  virtual bool plausible() { return true; }

  // The host's clock; lives forever.
  static Clock* Real();
};

}  // namespace ipp
