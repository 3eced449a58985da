#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/base/metrics.h"
#include "server/base/mutex.h"
#include "server/events/event_filter.h"
#include "server/events/log_event.h"
#include "server/store/store.h"

namespace ipp::events {

struct HubOptions {
  size_t tail_events = 4096;  // newest events kept in memory for all
  int page_events = 512;      // read at once by a subscriber that is behind the tail
};

class Subscription;

// Follows the store's log and hands each event to whoever waits for it. The newest events are in
// memory once, shared; a subscriber is a position in the log and at most one wish for its next
// event. One thread.
class EventHub {
 public:
  EventHub(store::Store* store, HubOptions options, Metrics* metrics);
  ~EventHub();  // every Subscription is gone by then

  // Events after `position` that match, in order, each once. Thread-safe.
  std::unique_ptr<Subscription> Subscribe(EventFilter filter, int64_t position);

 private:
  friend class Subscription;
  struct Reader;
  using Later = absl::AnyInvocable<void(absl::StatusOr<EventPtr>) &&>;
  struct Delivery {
    Later later;
    absl::StatusOr<EventPtr> event;
  };

  void Run();
  static void Deliver(std::vector<Delivery> deliveries);
  // The events up to `first` were removed before the hub read them: whoever waits for one is told.
  std::vector<Delivery> SkipTo(int64_t first) ABSL_LOCKS_EXCLUDED(mutex_);
  // Appends a batch to the tail and finds who gets what.
  std::vector<Delivery> Append(std::vector<EventPtr> batch) ABSL_LOCKS_EXCLUDED(mutex_);
  EventPtr FindInTail(Reader* reader) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  EventPtr FindInPage(Reader* reader) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  EventPtr FindOrWait(const std::shared_ptr<Reader>& reader) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ReadPage(std::shared_ptr<Reader> reader, int64_t after) ABSL_LOCKS_EXCLUDED(mutex_);
  void GotPage(const std::shared_ptr<Reader>& reader,
               absl::StatusOr<std::vector<store::StoredEvent>> rows) ABSL_LOCKS_EXCLUDED(mutex_);

  store::Store* const store_;
  const HubOptions options_;
  Counter& order_violations_;
  Counter& read_failures_;
  Gauge& subscribers_;

  Mutex mutex_;
  CondVar changed_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  int64_t known_latest_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t tail_last_ ABSL_GUARDED_BY(mutex_) = 0;  // position of the newest event handed out
  std::deque<EventPtr> tail_ ABSL_GUARDED_BY(mutex_);
  std::list<Reader*> waiting_ ABSL_GUARDED_BY(mutex_);  // at the end of the tail
  int pages_in_flight_ ABSL_GUARDED_BY(mutex_) = 0;
  std::thread thread_;
};

// One subscriber. Used by one caller at a time (any thread); not while a wish is pending, except
// for Withdraw.
class Subscription {
 public:
  using Later = absl::AnyInvocable<void(absl::StatusOr<EventPtr>) &&>;
  ~Subscription();  // no wish is pending by then

  // The next event when it is at hand: then `later` is dropped. Otherwise nullptr, and `later` runs
  // once, on the hub's or the store's thread, with the event, or with OUT_OF_RANGE / CURSOR_EXPIRED
  // when retention overtook this reader, or with the store's code (UNAVAILABLE) and
  // STORE_UNAVAILABLE.
  EventPtr Next(Later later);

  // Takes a pending wish back. True: `later` is dropped and will not run. False: none is pending,
  // or it is about to run.
  bool Withdraw();

  // Every matching event up to here was handed out. Right only while no wish is pending.
  int64_t position() const;

 private:
  friend class EventHub;
  Subscription(EventHub* hub, std::shared_ptr<EventHub::Reader> reader)
      : hub_(hub), reader_(std::move(reader)) {}
  EventHub* const hub_;
  const std::shared_ptr<EventHub::Reader> reader_;
};

}  // namespace ipp::events
