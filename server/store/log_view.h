#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "server/base/mutex.h"
#include "server/store/listener_slot.h"
#include "server/store/store.h"

namespace ipp::store {

// What is known of a log that others append to as well, and who is to be told of it. Thread-safe.
class LogView {
 public:
  explicit LogView(LogBounds bounds) : bounds_(bounds) {}

  LogBounds bounds() const {
    MutexLock lock(&mutex_);
    return bounds_;
  }

  // Takes over what is newer, and then runs the listener if it has not been told of that yet.
  void Learn(const LogBounds& bounds) {
    int64_t latest = 0;
    {
      MutexLock lock(&mutex_);
      bounds_.oldest = std::max(bounds_.oldest, bounds.oldest);
      bounds_.latest = std::max(bounds_.latest, bounds.latest);
      latest = bounds_.latest;
    }
    listener_.Run(latest);
  }

  // Store::SetListener. Two threads may learn of one batch; whoever is first tells of it, and
  // `told`, under the slot's lock, keeps the other one quiet.
  void SetListener(std::function<void(int64_t latest)> listener) {
    if (!listener) return listener_.Set(nullptr);
    listener_.Set([listener = std::move(listener), told = bounds().latest](int64_t latest) mutable {
      if (latest <= told) return;
      told = latest;
      listener(latest);
    });
  }

 private:
  ListenerSlot listener_;
  mutable Mutex mutex_;
  LogBounds bounds_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace ipp::store
