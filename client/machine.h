#pragma once

#include "absl/time/time.h"
#include "server/base/mutex.h"

namespace ipp::client {

// What the library takes from the machine: time, waiting, chance. Tests bring their own.
// Thread-safe.
class Machine {
 public:
  virtual ~Machine() = default;

  // Monotonic, from some beginning.
  virtual absl::Duration Now() = 0;
  // Waits for `changed`, at most until that time; may wake without cause. Lets go of `mutex`
  // meanwhile, and of no other lock.
  virtual void Wait(absl::Duration until, CondVar* changed, Mutex* mutex)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) = 0;
  // Uniform in [0, 1).
  virtual double Random() = 0;

  static Machine& Real();
  static Machine& OrReal(Machine* machine) { return machine != nullptr ? *machine : Real(); }
};

}  // namespace ipp::client
