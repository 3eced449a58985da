#pragma once

#include "absl/time/time.h"
#include "server/base/mutex.h"

namespace ipp::client {

// The library's source of time, waiting and random numbers. Tests supply their own. Thread-safe.
class ClockAndRandom {
 public:
  virtual ~ClockAndRandom() = default;

  // Monotonic time since an arbitrary origin.
  virtual absl::Duration Now() = 0;
  // Waits for `changed`, at most until that time; may wake without cause. Releases `mutex`
  // meanwhile, and no other lock.
  virtual void Wait(absl::Duration until, CondVar* changed, Mutex* mutex)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) = 0;
  // Uniform in [0, 1).
  virtual double Random() = 0;

  static ClockAndRandom& Real();
  static ClockAndRandom& OrReal(ClockAndRandom* clock) {
    return clock != nullptr ? *clock : Real();
  }
};

}  // namespace ipp::client
