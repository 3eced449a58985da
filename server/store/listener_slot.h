#pragma once

#include <cstdint>
#include <functional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "server/base/mutex.h"

namespace ipp::store {

// Where a store keeps its one listener. Thread-safe. The lock is held while the listener runs: that
// is what makes Set() wait for one that runs, and why a listener must not call back.
class ListenerSlot {
 public:
  void Set(std::function<void(int64_t latest)> listener) {
    MutexLock lock(&mutex_);
    listener_ = std::move(listener);
  }
  void Run(int64_t latest) {
    MutexLock lock(&mutex_);
    if (listener_) listener_(latest);
  }

 private:
  Mutex mutex_;
  std::function<void(int64_t latest)> listener_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace ipp::store
