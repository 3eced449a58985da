#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "server/base/mutex.h"
#include "server/store/listener_slot.h"
#include "server/store/store.h"

namespace ipp::store {

// The bounds of a log to which other replicas append too, and the listener for its changes.
// Thread-safe.
class LogView {
 public:
  explicit LogView(LogBounds bounds) : bounds_(bounds) {}

  LogBounds bounds() const {
    MutexLock lock(&mutex_);
    return bounds_;
  }

  // Merges `bounds` into what is known, then runs the listener if something is new to it. Bounds of
  // a newer epoch replace the old ones entirely, also when the log is now shorter. Bounds without
  // epochs come from a caller that did not read the epochs; they only move `oldest` and `latest`.
  // `appended`: the rows of a batch that ends at `bounds.latest`, for the listener.
  void Learn(const LogBounds& bounds, std::vector<StoredEvent> appended = {}) {
    int64_t latest = 0;
    {
      MutexLock lock(&mutex_);
      const bool with_epochs = !bounds.epochs.empty();
      if (with_epochs && IsNewer(bounds.epoch(), bounds_.epoch())) {
        bounds_ = bounds;
      } else {
        bounds_.oldest = std::max(bounds_.oldest, bounds.oldest);
        bounds_.latest = std::max(bounds_.latest, bounds.latest);
        if (with_epochs) bounds_.creates_held_until = bounds.creates_held_until;
      }
      latest = bounds_.latest;
    }
    listener_.Run(latest, std::move(appended));
  }

  // See Store::SetListener. Two threads may learn of the same batch. The first one notifies;
  // `notified`, guarded by the slot's lock, suppresses the second notification.
  void SetListener(Store::Listener listener) {
    if (!listener) return listener_.Set(nullptr);
    listener_.Set([this, listener = std::move(listener), notified = bounds()](
                      int64_t latest, std::vector<StoredEvent> appended) mutable {
      const LogEpoch epoch = this->epoch();
      if (latest <= notified.latest && epoch == notified.epoch()) return;
      notified.latest = latest;
      notified.epochs = {epoch};
      listener(latest, std::move(appended));
    });
  }

 private:
  static bool IsNewer(const LogEpoch& a, const LogEpoch& b) {
    return a.sequence > b.sequence || (a.sequence == b.sequence && a.label != b.label);
  }
  LogEpoch epoch() const {
    MutexLock lock(&mutex_);
    return bounds_.epoch();
  }

  ListenerSlot listener_;
  mutable Mutex mutex_;
  LogBounds bounds_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace ipp::store
