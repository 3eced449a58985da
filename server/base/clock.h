#pragma once

#include "absl/time/time.h"

namespace ipp {

// The time, injected so that tests can set it. Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual absl::Time Now() = 0;

  // The machine's clock; lives for ever.
  static Clock* Real();
};

}  // namespace ipp
