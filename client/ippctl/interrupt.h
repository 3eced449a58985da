#pragma once

#include <functional>

#include "server/base/mutex.h"

namespace ipp::ippctl {

// Delivers Ctrl-C to the command that runs. Thread-safe.
class Interrupt {
 public:
  // Runs the action of the open scope. False when none is open: the process may just end.
  bool Trigger();
  bool triggered() const;

 private:
  friend class OnInterrupt;
  mutable Mutex mutex_;
  bool triggered_ ABSL_GUARDED_BY(mutex_) = false;
  std::function<void()> action_ ABSL_GUARDED_BY(mutex_);
};

// While it exists, an interrupt runs `action`: on another thread, or at once if the interrupt came
// before. The action must not block and must not use the Interrupt. Scopes may be nested: the
// innermost one gets the interrupt.
class OnInterrupt {
 public:
  OnInterrupt(Interrupt* interrupt, std::function<void()> action);
  ~OnInterrupt();
  OnInterrupt(const OnInterrupt&) = delete;
  OnInterrupt& operator=(const OnInterrupt&) = delete;

 private:
  Interrupt* const interrupt_;
  std::function<void()> outer_;
};

}  // namespace ipp::ippctl
