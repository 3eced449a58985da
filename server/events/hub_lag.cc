#include <algorithm>
#include <utility>

#include "server/events/event_hub.h"
#include "server/events/hub_reader.h"

// Measures how far the slowest subscriber is behind the log.
namespace ipp::events {
namespace {

// Readers checked under one hold of the lock: a few microseconds.
constexpr size_t kReadersAtOnce = 512;

}  // namespace

void EventHub::MeasureLag() {
  int64_t latest = 0;
  int64_t slowest = 0;
  size_t end = 0;
  {
    MutexLock lock(&mutex_);
    if (measuring_) return;
    slowest = latest = known_latest_;
    end = readers_.size();
  }
  // From the end: a subscriber that leaves is replaced by the last one, which was already checked.
  // Subscribers that join meanwhile are counted the next time.
  while (end > 0) {
    MutexLock lock(&mutex_);
    end = std::min(end, readers_.size());
    for (size_t i = 0; i < kReadersAtOnce && end > 0; ++i) {
      slowest = std::min(slowest, readers_[--end]->position);
    }
  }
  if (slowest >= latest) return SetLag(0, absl::InfiniteFuture());
  {
    MutexLock lock(&mutex_);
    if (slowest >= tail_after_ && slowest < tail_last_) {
      return SetLag(latest - slowest, (*AfterInTail(slowest))->row.recorded_at);
    }
    measuring_ = true;
    ++reads_in_flight_;
  }
  store_->ReadEvents(slowest, 1, [this, lag = latest - slowest](Rows rows) {
    if (rows.ok() && !rows->empty()) SetLag(lag, rows->front().recorded_at);
    MutexLock lock(&mutex_);
    measuring_ = false;
    EndOneRead();
  });
}

void EventHub::SetLag(int64_t positions, absl::Time recorded_at) {
  lag_positions_.Set(static_cast<double>(positions));
  const absl::Duration age = std::max(options_.clock->Now() - recorded_at, absl::ZeroDuration());
  lag_seconds_.Set(absl::ToDoubleSeconds(age));
}

}  // namespace ipp::events
