#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "server/base/mutex.h"
#include "server/store/store.h"

namespace ipp::store {

// Holds the one listener of a store. Thread-safe. The lock is held while the listener runs, so
// Set() waits for a listener that is running, and a listener must not call Set() or Run().
class ListenerSlot {
 public:
  void Set(Store::Listener listener) {
    MutexLock lock(&mutex_);
    listener_ = std::move(listener);
  }
  void Run(int64_t latest, std::vector<StoredEvent> appended) {
    MutexLock lock(&mutex_);
    if (listener_) listener_(latest, std::move(appended));
  }

 private:
  Mutex mutex_;
  Store::Listener listener_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace ipp::store
