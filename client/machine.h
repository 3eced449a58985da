#pragma once

#include "absl/time/time.h"
#include "server/base/mutex.h"

namespace ipp::client {

// The library's source of time, waiting and random numbers. Tests supply their own. Thread-safe.
class Machine {
 public:
  virtual ~Machine() = default;

  // Monotonic time since an arbitrary origin.
  virtual absl::Duration Now() = 0;
  // Waits for `changed`, at most until that time; may wake without cause. Releases `mutex`
  // meanwhile, and no other lock.
  virtual void Wait(absl::Duration until, CondVar* changed, Mutex* mutex)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) = 0;
  // Uniform in [0, 1).
  virtual double Random() = 0;

  static Machine& Real();
  static Machine& OrReal(Machine* machine) { return machine != nullptr ? *machine : Real(); }
};

}  // namespace ipp::client
