#include "server/events/event_hub.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "server/base/log.h"
#include "server/events/cursor.h"
#include "server/store/store_error.h"

namespace ipp::events {
namespace {

constexpr int kFeedEvents = 1024;
constexpr std::chrono::milliseconds kReadRetryPause{50};

}  // namespace

// Guarded by the hub's mutex.
struct EventHub::Reader {
  Reader(EventFilter f, int64_t p) : filter(std::move(f)), position(p) {}

  const EventFilter filter;
  int64_t position;  // events up to here were handed out or did not match
  Later later;       // the wish; empty when there is none
  bool waits = false;
  std::list<Reader*>::iterator place;  // in waiting_, when it waits there
  // A reader behind the tail has a page of the log, or a read of one under way.
  std::vector<EventPtr> page;
  size_t page_next = 0;
  bool reading = false;
  absl::Status failure;  // of a read whose wish had been taken back
};

EventHub::EventHub(store::Store* store, HubOptions options, Metrics* metrics)
    : store_(store),
      options_(options),
      order_violations_(metrics->counter("ipp_events_order_violations_total",
                                         "Events that came out of order; must be 0.")),
      read_failures_(metrics->counter("ipp_events_read_failures_total",
                                      "Reads of the event log that failed and were tried again.")),
      subscribers_(metrics->gauge("ipp_events_subscribers", "Open subscriptions.")) {
  {
    MutexLock lock(&mutex_);
    known_latest_ = tail_last_ = store_->bounds().latest;
  }
  store_->SetListener([this](int64_t latest) {
    MutexLock lock(&mutex_);
    known_latest_ = std::max(known_latest_, latest);
    changed_.SignalAll();
  });
  thread_ = std::thread([this] { Run(); });
}

EventHub::~EventHub() {
  store_->SetListener(nullptr);
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
    changed_.SignalAll();
  }
  thread_.join();
  // A page may still be on its way to a subscription that is gone.
  MutexLock lock(&mutex_);
  while (pages_in_flight_ > 0) changed_.Wait(&mutex_);
}

void EventHub::Run() {
  struct Read {
    Mutex mutex;
    CondVar done;
    std::optional<absl::StatusOr<std::vector<store::StoredEvent>>> rows ABSL_GUARDED_BY(mutex);
  };
  while (true) {
    int64_t after = 0;
    {
      MutexLock lock(&mutex_);
      while (!stopping_ && known_latest_ <= tail_last_) changed_.Wait(&mutex_);
      if (stopping_) return;
      after = tail_last_;
    }
    // The store answers every read, also when it is being destroyed.
    Read read;
    store_->ReadEvents(after, kFeedEvents,
                       [&read](absl::StatusOr<std::vector<store::StoredEvent>> r) {
                         MutexLock lock(&read.mutex);
                         read.rows = std::move(r);
                         read.done.Signal();
                       });
    absl::StatusOr<std::vector<store::StoredEvent>> rows;
    {
      MutexLock lock(&read.mutex);
      while (!read.rows) read.done.Wait(&read.mutex);
      rows = *std::move(read.rows);
    }
    if (rows.ok()) {
      // Retention was faster than the hub when the next event is gone.
      const int64_t first = rows->empty() ? store_->bounds().oldest : rows->front().position;
      if (first > after + 1) {
        Deliver(SkipTo(first));
        if (rows->empty()) continue;
      }
    }
    if (!rows.ok() || rows->empty()) {
      read_failures_.Add();
      LogWarning("cannot read the event log", {{"status", rows.status().ToString()}});
      MutexLock lock(&mutex_);
      if (!stopping_) changed_.WaitFor(&mutex_, kReadRetryPause);
      continue;
    }
    std::vector<EventPtr> batch;
    batch.reserve(rows->size());
    for (store::StoredEvent& row : *rows) {
      batch.push_back(LogEvent::Make(std::move(row), store_->log_id()));
    }
    Deliver(Append(std::move(batch)));
  }
}

void EventHub::Deliver(std::vector<Delivery> deliveries) {
  for (Delivery& delivery : deliveries) std::move(delivery.later)(std::move(delivery.event));
}

std::vector<EventHub::Delivery> EventHub::SkipTo(int64_t first) {
  const absl::Status expired = CursorExpired(store_->log_id(), store_->bounds(), "after_cursor");
  std::vector<Delivery> deliveries;
  MutexLock lock(&mutex_);
  tail_.clear();
  tail_last_ = first - 1;
  for (auto it = waiting_.begin(); it != waiting_.end();) {
    Reader* reader = *it++;
    if (reader->position >= tail_last_) continue;
    waiting_.erase(reader->place);
    reader->waits = false;
    deliveries.push_back({std::exchange(reader->later, nullptr), expired});
  }
  return deliveries;
}

std::vector<EventHub::Delivery> EventHub::Append(std::vector<EventPtr> batch) {
  std::vector<Delivery> deliveries;
  MutexLock lock(&mutex_);
  for (EventPtr& event : batch) {
    if (event->row.position != tail_last_ + 1) order_violations_.Add();
    tail_last_ = event->row.position;
    tail_.push_back(std::move(event));
  }
  for (auto it = waiting_.begin(); it != waiting_.end();) {
    Reader* reader = *it++;
    EventPtr event = FindInTail(reader);
    if (event == nullptr) continue;
    waiting_.erase(reader->place);
    reader->waits = false;
    deliveries.push_back({std::exchange(reader->later, nullptr), std::move(event)});
  }
  while (tail_.size() > options_.tail_events) tail_.pop_front();
  return deliveries;
}

// Moves the reader over the tail to its next event, or to the end. The reader's position is not
// before the tail; it may be ahead of it, having come from the store.
EventPtr EventHub::FindInTail(Reader* reader) {
  if (reader->position >= tail_last_) return nullptr;
  const int64_t first = tail_last_ + 1 - static_cast<int64_t>(tail_.size());
  for (auto it = tail_.begin() + (reader->position + 1 - first); it != tail_.end(); ++it) {
    reader->position = (*it)->row.position;
    if (reader->filter.Matches((*it)->row)) return *it;
  }
  return nullptr;
}

EventPtr EventHub::FindInPage(Reader* reader) {
  while (reader->page_next < reader->page.size()) {
    EventPtr event = std::move(reader->page[reader->page_next++]);
    reader->position = event->row.position;
    if (reader->filter.Matches(event->row)) return event;
  }
  reader->page.clear();
  reader->page_next = 0;
  return nullptr;
}

// The next event, or nullptr: then the reader waits at the end of the tail, or needs a page
// (neither `waits` nor `reading`).
EventPtr EventHub::FindOrWait(const std::shared_ptr<Reader>& reader) {
  if (EventPtr event = FindInPage(reader.get())) return event;
  const int64_t first = tail_last_ + 1 - static_cast<int64_t>(tail_.size());
  if (reader->position + 1 < first) return nullptr;
  if (EventPtr event = FindInTail(reader.get())) return event;
  reader->waits = true;
  reader->place = waiting_.insert(waiting_.end(), reader.get());
  return nullptr;
}

void EventHub::ReadPage(std::shared_ptr<Reader> reader, int64_t after) {
  store_->ReadEvents(
      after, options_.page_events,
      [this, reader = std::move(reader)](absl::StatusOr<std::vector<store::StoredEvent>> rows) {
        GotPage(reader, std::move(rows));
      });
}

void EventHub::GotPage(const std::shared_ptr<Reader>& reader,
                       absl::StatusOr<std::vector<store::StoredEvent>> rows) {
  std::vector<EventPtr> page;
  if (rows.ok()) {
    page.reserve(rows->size());
    for (store::StoredEvent& row : *rows) {
      page.push_back(LogEvent::Make(std::move(row), store_->log_id()));
    }
  }
  Later later;
  absl::StatusOr<EventPtr> result = EventPtr();
  int64_t after = 0;
  bool again = false;
  {
    MutexLock lock(&mutex_);
    reader->reading = false;
    if (!rows.ok()) {
      result = store::ForCallers(rows.status());
    } else if (page.empty() || page.front()->row.position != reader->position + 1) {
      result = CursorExpired(store_->log_id(), store_->bounds(), "after_cursor");
    } else {
      reader->page = std::move(page);
      reader->page_next = 0;
    }
    if (!result.ok()) {
      if (reader->later == nullptr) {
        reader->failure = result.status();
      } else {
        later = std::exchange(reader->later, nullptr);
      }
    } else if (reader->later != nullptr) {
      result = FindOrWait(reader);
      if (*result != nullptr) {
        later = std::exchange(reader->later, nullptr);
      } else if (!reader->waits) {
        again = reader->reading = true;
        after = reader->position;
      }
    }
  }
  if (later != nullptr) std::move(later)(std::move(result));
  if (again) return ReadPage(reader, after);
  MutexLock lock(&mutex_);
  --pages_in_flight_;
  changed_.SignalAll();
}

std::unique_ptr<Subscription> EventHub::Subscribe(EventFilter filter, int64_t position) {
  subscribers_.Add(1);
  return std::unique_ptr<Subscription>(
      new Subscription(this, std::make_shared<Reader>(std::move(filter), position)));
}

EventPtr Subscription::Next(Later later) {
  int64_t after = 0;
  {
    MutexLock lock(&hub_->mutex_);
    EventHub::Reader& reader = *reader_;
    if (!reader.reading && reader.failure.ok()) {
      if (EventPtr event = hub_->FindOrWait(reader_)) return event;
    }
    reader.later = std::move(later);
    if (reader.waits || reader.reading) return nullptr;
    // Also after a failure: the read is tried again, and fails later, not here.
    reader.failure = absl::OkStatus();
    reader.reading = true;
    ++hub_->pages_in_flight_;
    after = reader.position;
  }
  hub_->ReadPage(reader_, after);
  return nullptr;
}

bool Subscription::Withdraw() {
  // Dropped outside the lock: what a wish owns may be anything.
  EventHub::Later dropped;
  MutexLock lock(&hub_->mutex_);
  EventHub::Reader& reader = *reader_;
  if (reader.later == nullptr) return false;
  dropped = std::exchange(reader.later, nullptr);
  if (reader.waits) {
    hub_->waiting_.erase(reader.place);
    reader.waits = false;
  }
  return true;
}

int64_t Subscription::position() const {
  MutexLock lock(&hub_->mutex_);
  return reader_->position;
}

Subscription::~Subscription() {
  Withdraw();
  hub_->subscribers_.Add(-1);
}

}  // namespace ipp::events
