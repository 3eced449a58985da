#include <algorithm>
#include <utility>

#include "server/events/cursor.h"
#include "server/events/event_hub.h"
#include "server/events/hub_reader.h"
#include "server/store/store_error.h"

// The part of the hub that serves one subscriber.
namespace ipp::events {

// The first event after `position`, which must not be before the tail. The index follows from the
// position if the tail has no hole; otherwise the event is searched for.
std::deque<EventPtr>::const_iterator EventHub::AfterInTail(int64_t position) const {
  if (position >= tail_last_) return tail_.end();
  const auto place = static_cast<size_t>(position - tail_after_);
  if (place < tail_.size() && tail_[place]->row.position == position + 1) {
    return tail_.begin() + static_cast<std::ptrdiff_t>(place);
  }
  return std::upper_bound(tail_.begin(), tail_.end(), position,
                          [](int64_t p, const EventPtr& event) { return p < event->row.position; });
}

// Moves the reader through the tail to its next matching event, or to the end. The reader's
// position must not be before the tail; it may be ahead of it, if it came from the store.
EventPtr EventHub::FindInTail(Reader* reader) {
  for (auto it = AfterInTail(reader->position); it != tail_.end(); ++it) {
    if (!order_.Advances(reader->position, (*it)->row.position)) continue;
    reader->position = (*it)->row.position;
    reader->content = (*it)->place.content;
    if (reader->filter.Matches((*it)->row)) return *it;
  }
  return nullptr;
}

EventPtr EventHub::FindInPage(Reader* reader) {
  reader->page_read = true;
  while (reader->page_next < reader->page.size()) {
    EventPtr event = std::move(reader->page[reader->page_next++]);
    if (!order_.Advances(reader->position, event->row.position)) continue;
    reader->position = event->row.position;
    reader->content = event->place.content;
    if (reader->filter.Matches(event->row)) return event;
  }
  reader->page = {};  // with its capacity: the reader may be at the end for a long time
  reader->page_next = 0;
  return nullptr;
}

EventPtr EventHub::FindAtHand(Reader* reader) {
  if (reader->lost) return nullptr;
  if (EventPtr event = FindInPage(reader)) return event;
  return reader->position < tail_after_ ? nullptr : FindInTail(reader);
}

// Returns the next event, or nullptr: then the reader waits at the end of the tail, or needs a page
// (neither `waits` nor `reading` is set).
EventPtr EventHub::FindOrWait(Reader* reader) {
  if (EventPtr event = FindAtHand(reader)) return event;
  if (reader->lost || reader->position < tail_after_) return nullptr;
  reader->waits = true;
  reader->at = waiting_.insert(waiting_.end(), reader);
  return nullptr;
}

// Keeps the first event for the reader in memory. False: a page must be read for it.
bool EventHub::KeepFirstEvent(Reader* reader) {
  if (!reader->page.empty()) return true;
  if (reader->position < tail_after_) return false;
  const auto first = AfterInTail(reader->position);
  if (first == tail_.end()) {
    // Retention may be ahead of a hub that lags: then a page must be read.
    return store_->bounds().oldest <= reader->position + 1;
  }
  reader->page.push_back(*first);
  return true;
}

// Reads a page for the reader, including the last event that it has passed, if its content is
// known: that event must be unchanged.
void EventHub::ReadPage(std::shared_ptr<Reader> reader, const LogPlace& after) {
  const int before = after.content != 0 ? 1 : 0;
  store_->ReadEvents(after.position - before, options_.page_events + before,
                     [this, reader = std::move(reader), after](Rows rows) mutable {
                       GotPage(std::move(reader), after, std::move(rows));
                     });
}

void EventHub::GotPage(std::shared_ptr<Reader> reader, const LogPlace& place, Rows rows) {
  const int64_t after = place.position;
  if (!rows.ok()) return EndRead(reader, store::ForCallers(rows.status()), after);
  if (bool found = false; place.content != 0) {
    if (!Continues(place, &*rows, &found)) return EndRead(reader, Lost(), after);
    // The known event filled the page.
    if (found && rows->empty()) return ReadPage(std::move(reader), {after, place.epoch});
  }
  order_.Straighten(after, &*rows);
  if (!rows->empty() && rows->front().position == after + 1) {
    return EndRead(reader, MakePage(*std::move(rows)), after);
  }
  store_->RefreshBounds(
      [this, reader = std::move(reader), after, rows = std::move(rows)](auto bounds) mutable {
        GotPageElsewhere(reader, after, std::move(rows), std::move(bounds));
      });
}

void EventHub::GotPageElsewhere(const std::shared_ptr<Reader>& reader, int64_t after, Rows rows,
                                absl::StatusOr<store::LogBounds> bounds) {
  if (!bounds.ok()) return EndRead(reader, store::ForCallers(bounds.status()), after);
  bool starting = false;
  {
    MutexLock lock(&mutex_);
    starting = reader->started != nullptr;
  }
  const bool taken = bounds->oldest > after + 1;
  if (taken && !starting) {
    return EndRead(reader, CursorExpired(store_->log_id(), *bounds, "after_cursor"), after);
  }
  if (!taken && rows->empty()) {
    // The tail has passed this place, so there must be events. Return an error rather than skip
    // them.
    read_failures_.Add();
    return EndRead(reader, store::ForCallers(absl::UnavailableError("events do not show")), after);
  }
  const int64_t kept_after = rows->empty() ? bounds->oldest - 1 : rows->front().position - 1;
  if (!taken) order_.CountGap(after, kept_after + 1);
  EndRead(reader, MakePage(*std::move(rows)), kept_after);
}

void EventHub::EndRead(const std::shared_ptr<Reader>& reader,
                       absl::StatusOr<std::vector<EventPtr>> page, int64_t position) {
  Later later;
  Subscription::Started started;
  absl::StatusOr<EventPtr> result = EventPtr();
  bool again = false;
  bool read_now = false;
  LogPlace next;
  {
    MutexLock lock(&mutex_);
    reader->reading = false;
    --pages_in_flight_;
    if (reader->lost) {
      result = Lost();
    } else if (reader->read_in != epochs_taken_) {
      // The page may contain events that the log has lost.
      reader->page.clear();
      reader->page_next = 0;
    } else if (page.ok()) {
      if (position != reader->position) reader->content = 0;
      reader->position = position;
      reader->page = *std::move(page);
      reader->page_next = 0;
    } else {
      result = std::move(page).status();
    }
    if (reader->started != nullptr) {
      again = result.ok() && !KeepFirstEvent(reader.get());
      if (!again) started = std::exchange(reader->started, nullptr);
    } else if (reader->later == nullptr) {
      reader->failure = std::move(result).status();
    } else if (!result.ok()) {
      later = std::exchange(reader->later, nullptr);
    } else {
      result = FindOrWait(reader.get());
      if (*result != nullptr) {
        later = std::exchange(reader->later, nullptr);
      } else {
        again = !reader->waits;
      }
    }
    if (again) read_now = AdmitRead(reader, &next);
    if (again && !read_now) ++reads_in_flight_;  // this one is not over, beside the one that waits
  }
  if (later != nullptr) std::move(later)(std::move(result));
  if (started != nullptr) std::move(started)(std::move(result).status());
  if (read_now) return ReadPage(reader, next);
  ReadForThoseWhoWait();  // the page was smaller than what was set aside for it
  MutexLock lock(&mutex_);
  EndOneRead();
}

std::unique_ptr<Subscription> EventHub::Subscribe(EventFilter filter, const LogPlace& place) {
  auto reader = std::make_shared<Reader>(std::move(filter), place);
  subscribers_.Add(1);
  bool current = false;
  {
    MutexLock lock(&mutex_);
    current = place.epoch == epoch_.label;
  }
  // The place is of an older epoch, or of one that the store knows and the hub does not yet.
  store::LogBounds bounds;
  if (!current) {
    bounds = store_->bounds();
    Deliver(TakeEpoch(bounds));
  }
  MutexLock lock(&mutex_);
  if (place.epoch != epoch_.label) {
    TakeEpochOf(reader.get(), store::SharedThrough(bounds, place.epoch));
  }
  reader->place = readers_.size();
  readers_.push_back(reader.get());
  return std::unique_ptr<Subscription>(new Subscription(this, std::move(reader)));
}

std::unique_ptr<Subscription> EventHub::Subscribe(EventFilter filter, int64_t position) {
  const uint16_t epoch = store_->bounds().epoch().label;
  return Subscribe(std::move(filter), LogPlace{position, epoch});
}

bool Subscription::StartWithKept(Started started) {
  LogPlace after;
  {
    MutexLock lock(&hub_->mutex_);
    EventHub::Reader& reader = *reader_;
    if (hub_->KeepFirstEvent(&reader)) return true;
    reader.started = std::move(started);
    ++hub_->reads_in_flight_;
    if (!hub_->AdmitRead(reader_, &after)) return false;
  }
  hub_->ReadPage(reader_, after);
  return false;
}

EventPtr Subscription::Next(Later later) {
  EventPtr event;
  LogPlace after;
  EventHub::ReadAhead ahead;
  {
    MutexLock lock(&hub_->mutex_);
    EventHub::Reader& reader = *reader_;
    if (!reader.reading && reader.failure.ok()) event = hub_->FindOrWait(&reader);
    if (event != nullptr) {
      if (!hub_->BeginReadAhead(reader_, &ahead)) return event;
    } else {
      reader.later = std::move(later);
      if (reader.waits || reader.reading) return nullptr;
      // After a failure the read is tried again too; a further failure is reported through `later`.
      reader.failure = absl::OkStatus();
      ++hub_->reads_in_flight_;
      if (!hub_->AdmitRead(reader_, &after)) return nullptr;
    }
  }
  if (event != nullptr) {
    hub_->Continue(std::move(ahead));
  } else {
    hub_->ReadPage(reader_, after);
  }
  return event;
}

EventPtr Subscription::NextAtHand() {
  EventPtr event;
  EventHub::ReadAhead ahead;
  {
    MutexLock lock(&hub_->mutex_);
    if (reader_->reading || !reader_->failure.ok()) return nullptr;
    event = hub_->FindAtHand(reader_.get());
    if (!hub_->BeginReadAhead(reader_, &ahead)) return event;
  }
  hub_->Continue(std::move(ahead));
  return event;
}

bool Subscription::Withdraw() {
  // Destroyed outside the lock: a callback may own anything.
  EventHub::Later dropped;
  MutexLock lock(&hub_->mutex_);
  EventHub::Reader& reader = *reader_;
  if (reader.later == nullptr) return false;
  dropped = std::exchange(reader.later, nullptr);
  if (reader.waits) {
    hub_->waiting_.erase(reader.at);
    reader.waits = false;
  }
  return true;
}

LogPlace Subscription::place() const {
  MutexLock lock(&hub_->mutex_);
  EventHub::Reader& reader = *reader_;
  // A subscriber for new events begins at the end of the tail, whose last event is in memory.
  if (reader.content == 0 && !reader.lost && !hub_->tail_.empty() &&
      hub_->tail_.back()->row.position == reader.position) {
    reader.content = hub_->tail_.back()->place.content;
  }
  return {reader.position, reader.epoch, reader.content};
}

Subscription::~Subscription() {
  Withdraw();
  hub_->subscribers_.Add(-1);
  MutexLock lock(&hub_->mutex_);
  // The last reader takes the free index.
  EventHub::Reader* const last = hub_->readers_.back();
  hub_->readers_[reader_->place] = last;
  last->place = reader_->place;
  hub_->readers_.pop_back();
}

}  // namespace ipp::events
