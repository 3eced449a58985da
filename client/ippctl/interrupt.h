#pragma once

#include <functional>

#include "server/base/mutex.h"

namespace ipp::ippctl {

// Ctrl-C, told to whoever is at work. Thread-safe.
class Interrupt {
 public:
  // Runs the action of the scope that is open. False when none is: the process may just end.
  bool Trigger();
  bool triggered() const;

 private:
  friend class OnInterrupt;
  mutable Mutex mutex_;
  bool triggered_ ABSL_GUARDED_BY(mutex_) = false;
  std::function<void()> action_ ABSL_GUARDED_BY(mutex_);
};

// While it lives, an interrupt runs `action`: on another thread, or at once when it came before.
// The action must not block and must not touch the Interrupt. Scopes may be nested: the innermost
// is told.
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
