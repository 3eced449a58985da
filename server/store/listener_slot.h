#pragma once

#include <cstdint>
#include <functional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "server/base/mutex.h"

namespace ipp::store {

// Holds the one listener of a store. Thread-safe. The lock is held while the listener runs, so
// Set() waits for a listener that is running, and a listener must not call Set() or Run().
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
