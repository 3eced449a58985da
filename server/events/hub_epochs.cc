#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/base/log.h"
#include "server/events/event_hub.h"
#include "server/events/hub_reader.h"
#include "server/events/store_answer.h"

// How the hub handles a log that has lost events. See event_hub.h and store/log_bounds.h.
namespace ipp::events {

bool EventHub::Continues(const LogPlace& place, std::vector<store::StoredEvent>* rows,
                         bool* found) {
  const auto at = std::find_if(rows->begin(), rows->end(), [&place](const store::StoredEvent& row) {
    return row.position == place.position;
  });
  *found = at != rows->end();
  if (!*found) return true;  // retention may have taken it
  const bool same = ContentOf(*at) == place.content;
  rows->erase(at);
  return same;
}

void EventHub::BeginEpoch() {
  Answer<store::LogBounds> asked;
  store_->RefreshBounds(asked.Taker());
  const absl::StatusOr<store::LogBounds> bounds = asked.Wait();
  if (!bounds.ok()) return RetryLater(bounds.status());
  // The store already has a new epoch. The next read shows whether it covers the whole loss.
  if (IsNewEpoch(*bounds)) return Deliver(TakeEpoch(*bounds));

  const absl::StatusOr<int64_t> shared = FindShared();
  if (!shared.ok()) return RetryLater(shared.status());
  LogError(
      "the event log holds other events than were read from it: was a standby that lagged "
      "promoted, or a backup restored?",
      {{"same_through", absl::StrCat(*shared)}});
  Answer<store::LogBounds> begun;
  store_->BeginEpoch({.starts_after = *shared, .after_sequence = bounds->epoch().sequence},
                     begun.Taker());
  const absl::StatusOr<store::LogBounds> now = begun.Wait();
  if (!now.ok()) return RetryLater(now.status());
  Deliver(TakeEpoch(*now));
}

absl::StatusOr<int64_t> EventHub::FindShared() {
  std::vector<LogPlace> places;
  {
    MutexLock lock(&mutex_);
    for (const EventPtr& event : tail_) places.push_back(event->place);
  }
  // Histories that have diverged stay different: all events before `first` are the same, none from
  // `end` on is.
  size_t first = 0;
  size_t end = places.size();
  while (first < end) {
    const size_t middle = first + (end - first) / 2;
    Rows rows = ReadNow(places[middle].position - 1, 1);
    if (!rows.ok()) return rows.status();
    bool found = false;
    if (Continues(places[middle], &*rows, &found) && found) {
      first = middle + 1;
    } else {
      end = middle;
    }
  }
  return first == 0 ? 0 : places[first - 1].position;
}

bool EventHub::IsNewEpoch(const store::LogBounds& bounds) {
  MutexLock lock(&mutex_);
  return IsNew(bounds.epoch());
}

bool EventHub::IsNew(const store::LogEpoch& epoch) const {
  return epoch.sequence > epoch_.sequence ||
         (epoch.sequence == epoch_.sequence && epoch.label != epoch_.label);
}

std::vector<EventHub::Delivery> EventHub::TakeEpoch(const store::LogBounds& bounds) {
  std::vector<Delivery> deliveries;
  MutexLock lock(&mutex_);
  if (!IsNew(bounds.epoch())) return deliveries;
  const int64_t shared = std::max<int64_t>(0, store::SharedThrough(bounds, epoch_.label));
  epoch_ = bounds.epoch();
  ++epochs_taken_;
  verify_ = true;
  appended_.clear();
  while (!tail_.empty() && tail_.back()->row.position > shared) {
    tail_bytes_ -= tail_.back()->bytes;
    tail_.pop_back();
  }
  if (tail_last_ > shared) {
    // Events after `shared` are read again. If the whole tail is gone, readers read what they need.
    if (tail_.empty()) tail_after_ = bounds.latest;
    tail_last_ = tail_.empty() ? bounds.latest : shared;
  }
  for (Reader* reader : readers_) TakeEpochOf(reader, shared);
  for (auto it = waiting_.begin(); it != waiting_.end();) {
    Reader* reader = *it++;
    if (!reader->lost) continue;
    waiting_.erase(reader->at);
    reader->waits = false;
    deliveries.push_back({std::exchange(reader->later, nullptr), Lost()});
  }
  // The bounds may have moved since they were read; read them once more.
  known_latest_ = bounds.latest;
  bounds_moved_ = true;
  changed_.SignalAll();
  return deliveries;
}

void EventHub::TakeEpochOf(Reader* reader, int64_t shared) {
  reader->lost = reader->lost || reader->position > shared;
  if (reader->lost) {
    reader->page.clear();
    reader->page_next = 0;
    return;
  }
  reader->epoch = epoch_.label;
  while (reader->page.size() > reader->page_next && reader->page.back()->row.position > shared) {
    reader->page.pop_back();
  }
}

bool EventHub::HasAtHand(const LogPlace& place) {
  MutexLock lock(&mutex_);
  if (place.position <= tail_after_ || place.position > tail_last_) return false;
  const auto at = AfterInTail(place.position - 1);
  return at != tail_.end() && (*at)->row.position == place.position &&
         (*at)->place.content == place.content;
}

}  // namespace ipp::events
