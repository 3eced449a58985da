#pragma once

#include <chrono>
#include <cstdint>

#include "server/base/mutex.h"

namespace ipp::faults {

// Something to wait for: the observer calls when something has changed. Thread-safe.
class Changes {
 public:
  void Tell() {
    MutexLock lock(&mutex_);
    ++count_;
    changed_.SignalAll();
  }
  uint64_t count() const {
    MutexLock lock(&mutex_);
    return count_;
  }
  // Returns at the first news after `seen`, or when the time is over.
  void WaitBeyond(uint64_t seen, std::chrono::milliseconds limit) {
    const auto end = std::chrono::steady_clock::now() + limit;
    MutexLock lock(&mutex_);
    while (count_ == seen) {
      const auto left = end - std::chrono::steady_clock::now();
      if (left <= left.zero()) return;
      changed_.WaitFor(&mutex_, left);
    }
  }

 private:
  mutable Mutex mutex_;
  CondVar changed_;
  uint64_t count_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace ipp::faults
