#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/base/metrics.h"
#include "server/base/mutex.h"
#include "server/events/cursor.h"
#include "server/events/event_filter.h"
#include "server/events/event_memory.h"
#include "server/events/event_source.h"
#include "server/events/log_event.h"
#include "server/events/log_order.h"
#include "server/store/store.h"

namespace ipp::events {

struct HubOptions {
  size_t tail_events = 4096;                 // newest events in memory, shared by all subscribers
  int page_events = 512;                     // rows in one read for a subscriber behind the tail
  int64_t memory_bytes = 128 * 1024 * 1024;  // of events in memory; see "Memory" below
  absl::Duration lag_interval = absl::Seconds(5);  // how often the lag is measured
  Clock* clock = Clock::Real();                    // for the lag in seconds
};

class Subscription;

// Distributes the event log of the store to subscribers.
//
// Log. The store appends events at positions 1, 2, 3 … without gaps (store/store.h). The store's
// listener wakes the hub's one thread. If the listener got the rows themselves, and they follow the
// last known position, the hub takes them; otherwise it reads the rows after that position, 1,024
// at a time. Each row becomes a LogEvent: the bytes of the outgoing message, with its cursor, made
// once for all subscribers.
//
// Tail. The newest `tail_events` events stay in memory, or fewer if they need more than half of
// `memory_bytes`: all events with tail_after_ < position <= tail_last_. All subscribers share them.
//
// Subscribers. A subscriber is a filter, a position and at most one pending Next(). It is a cursor,
// not a queue: the hub buffers nothing for it, so a slow subscriber costs no memory beyond two
// pages, and delays no other one. If its next event is in the tail, Next() returns it at once. At
// the end of the tail it waits, and the hub's thread delivers the next matching event. Behind the
// tail it reads pages of `page_events` rows of its own through the store, until it has caught up;
// the next page is read while one is delivered (hub_read_ahead.cc).
// Its position may also be ahead of the tail, because another replica may have given it out; it
// then waits for the hub to reach it. If retention removes events that a subscriber has not passed,
// it gets CURSOR_EXPIRED. Events are delivered in the order of the log, each once, and none that is
// kept is left out.
//
// Cursors. A cursor names a place in a log: base64url(version, log id, epoch, position, content,
// checksum). cursor.h has the byte offsets. `content` is a hash of the event at the position: it
// detects a log that was replaced by another history, even if no epoch says so.
//
// Epochs. A log may lose events in a failover, or by a restore behind a running gateway
// (store/log_bounds.h). The store reports a new epoch through its bounds (TakeEpoch). What the
// store cannot see the hub detects itself: each read of the log also reads the last event that is
// already known, and compares its content. If it differs, the hub searches the tail for the last
// event that is unchanged, and begins an epoch after it. When an epoch is adopted, the tail drops
// the events that the log has lost. Subscribers that have passed some of them get CURSOR_FOREIGN
// and nothing more; the others continue. Reads that began before it are discarded (epochs_taken_).
//
// Holes. If a row is missing after the last known position, the hub reads again for a second, since
// a store that commits out of order would show it later. Then it passes over the hole, and counts
// it (LogOrder).
//
// Memory. An event counts from when it is made until nothing refers to it any more: the tail, a
// page, or a message that gRPC has not sent. A subscriber behind the tail reads its next page when
// there is room for one; until then it waits in a queue. While some wait, a page that its
// subscriber has left unread for a second is dropped and read again later. The bound is not strict:
// what a caller leaves unread is held until its stream is cut off (events.max_write_stall), and
// whatever is held, one page a second is read for those who wait.
//
// Locking. mutex_ guards the tail and all readers. It is never held while a callback runs or the
// store reads (only Store::bounds(), which answers from memory, is called under it). Callbacks run
// on the hub's thread or on a thread of the store.
//
// Metrics: those of LogOrder, which must stay 0; ipp_events_subscribers; ipp_events_memory_bytes;
// ipp_events_waiting_for_memory;
// ipp_events_read_failures_total; ipp_events_slowest_lag_positions and _seconds: how many events
// the slowest subscriber has yet to pass, whether they match its filter or not, and the age of the
// first of them.
class EventHub {
 public:
  EventHub(store::Store* store, HubOptions options, Metrics* metrics);
  ~EventHub();  // every Subscription must be destroyed before

  // Subscribes to the matching events after `place`. Thread-safe. The hub must outlive the
  // Subscription.
  std::unique_ptr<Subscription> Subscribe(EventFilter filter, const LogPlace& place);
  // Subscribes after a position of the current epoch.
  std::unique_ptr<Subscription> Subscribe(EventFilter filter, int64_t position);

  // Whether the tail contains the event of `place`, with the same content. False also if the place
  // is outside the tail. Thread-safe.
  bool HasAtHand(const LogPlace& place);

 private:
  friend class Subscription;
  struct Reader;
  using Later = absl::AnyInvocable<void(absl::StatusOr<EventPtr>) &&>;
  using Rows = absl::StatusOr<std::vector<store::StoredEvent>>;
  struct Delivery {
    Later later;
    absl::StatusOr<EventPtr> event;
  };
  using Instant = std::chrono::steady_clock::time_point;

  // The end of the tail, and the epoch count to which a read from there belongs.
  struct TailEnd {
    LogPlace place;
    bool continues = false;                    // the log is known to continue
    std::vector<store::StoredEvent> appended;  // the rows after `place`, if the store gave them
    int64_t epochs_taken = 0;
  };

  // The hub's thread.
  void Run();
  void Heard(int64_t latest, std::vector<store::StoredEvent> appended) ABSL_LOCKS_EXCLUDED(mutex_);
  // The rows after `position` that the store gave, if they follow it directly.
  std::vector<store::StoredEvent> TakeAppended(int64_t position)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Waits until the log continues or the tail must be verified; measures the lag meanwhile. False:
  // the hub is being destroyed.
  bool AwaitMore(TailEnd* end) ABSL_LOCKS_EXCLUDED(mutex_);
  Rows ReadNow(int64_t after, int limit);
  // Removes the event at `place` from `rows`, which were read from before it; `found` is whether it
  // was there. False: the event differs from what the place says.
  static bool Continues(const LogPlace& place, std::vector<store::StoredEvent>* rows, bool* found);
  // The log has lost events: begins an epoch, unless the store already has a new one.
  void BeginEpoch() ABSL_LOCKS_EXCLUDED(mutex_);
  // The last position of the tail at which the log still has the same event; 0 if there is none.
  absl::StatusOr<int64_t> FindShared() ABSL_LOCKS_EXCLUDED(mutex_);
  bool IsNew(const store::LogEpoch& epoch) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool IsNewEpoch(const store::LogBounds& bounds) ABSL_LOCKS_EXCLUDED(mutex_);
  // Adopts the epoch of `bounds` if it is newer; returns the errors for subscribers whose place is
  // lost. Any thread.
  std::vector<Delivery> TakeEpoch(const store::LogBounds& bounds) ABSL_LOCKS_EXCLUDED(mutex_);
  void TakeEpochOf(Reader* reader, int64_t shared) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Handles rows that do not begin right after `after`. True: hand the rows out.
  bool HandleHole(int64_t after, const std::vector<store::StoredEvent>& rows);
  void RetryLater(const absl::Status& why) ABSL_LOCKS_EXCLUDED(mutex_);
  static void Deliver(std::vector<Delivery> deliveries);
  // Retention has overtaken the hub: moves the tail, and returns the errors for subscribers that
  // wait for a removed event.
  std::vector<Delivery> SkipTo(const store::LogBounds& bounds) ABSL_LOCKS_EXCLUDED(mutex_);
  // Appends a batch to the tail; returns the deliveries that follow from it.
  std::vector<Delivery> Append(std::vector<EventPtr> batch, int64_t epochs_taken)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void MeasureLag() ABSL_LOCKS_EXCLUDED(mutex_);
  void SetLag(int64_t positions, absl::Time recorded_at);

  // Memory: hub_memory.cc.
  void TrimTail() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool HasRoomForPage() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Marks the reader as reading. True: its page may be read now, after `after`. False: it waits,
  // for memory or for the page that is already being read ahead.
  bool AdmitRead(const std::shared_ptr<Reader>& reader, LogPlace* after)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ReadForThoseWhoWait(bool in_any_case = false) ABSL_LOCKS_EXCLUDED(mutex_);
  // On the hub's thread. Returns when to call it again; Instant::max(): nobody waits for memory.
  Instant ServeThoseWhoWait() ABSL_LOCKS_EXCLUDED(mutex_);
  void DropUnreadPages() ABSL_LOCKS_EXCLUDED(mutex_);

  // For one reader.
  std::deque<EventPtr>::const_iterator AfterInTail(int64_t position) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  EventPtr FindInTail(Reader* reader) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  EventPtr FindInPage(Reader* reader) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  EventPtr FindAtHand(Reader* reader) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  EventPtr FindOrWait(Reader* reader) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool KeepFirstEvent(Reader* reader) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Returns the place from which a read for the reader begins; the page counts as in flight.
  LogPlace BeginRead(Reader* reader) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ReadPage(std::shared_ptr<Reader> reader, const LogPlace& after) ABSL_LOCKS_EXCLUDED(mutex_);
  void GotPage(std::shared_ptr<Reader> reader, const LogPlace& after, Rows rows)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Handles a page that does not begin right after `after`; `bounds` show why.
  void GotPageElsewhere(const std::shared_ptr<Reader>& reader, int64_t after, Rows rows,
                        absl::StatusOr<store::LogBounds> bounds) ABSL_LOCKS_EXCLUDED(mutex_);
  // Ends a read for the reader, with a page and a position or with an error, and answers what is
  // pending.
  void EndRead(const std::shared_ptr<Reader>& reader, absl::StatusOr<std::vector<EventPtr>> page,
               int64_t position) ABSL_LOCKS_EXCLUDED(mutex_);
  // Only the destructor waits for reads.
  void EndOneRead() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    --reads_in_flight_;
    if (stopping_) changed_.SignalAll();
  }
  std::vector<EventPtr> MakePage(std::vector<store::StoredEvent> rows) ABSL_LOCKS_EXCLUDED(mutex_);

  // Reading ahead: hub_read_ahead.cc.
  struct ReadAhead;
  // True: the reader's page shall be continued; pass `ahead` to Continue(), without the lock.
  bool BeginReadAhead(const std::shared_ptr<Reader>& reader, ReadAhead* ahead)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Continue(ReadAhead ahead) ABSL_LOCKS_EXCLUDED(mutex_);
  void GotAhead(ReadAhead ahead, Rows rows) ABSL_LOCKS_EXCLUDED(mutex_);
  bool FitsAfter(const ReadAhead& ahead) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The error of a reader whose place the log has lost.
  static absl::Status Lost() { return CursorForeign("after_cursor"); }

  store::Store* const store_;
  const HubOptions options_;
  LogOrder order_;
  Counter& read_failures_;
  Gauge& subscribers_;
  Gauge& lag_positions_;
  Gauge& lag_seconds_;
  Gauge& memory_used_;
  Gauge& readers_without_page_;
  const std::shared_ptr<EventMemory> memory_ = std::make_shared<EventMemory>();

  // The hub's thread only.
  Instant measure_at_;
  bool failing_ = false;    // the last read failed or returned nothing usable
  int64_t hole_after_ = 0;  // the last hole, and how often it was read again
  int hole_reads_ = 0;
  Instant sweep_at_;  // when pages that are left unread are next dropped

  Mutex mutex_;
  CondVar changed_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  int64_t known_latest_ ABSL_GUARDED_BY(mutex_) = 0;
  bool bounds_moved_ ABSL_GUARDED_BY(mutex_) = false;  // since the hub last read them
  // Consecutive rows that the store gave and the hub has not taken yet.
  std::vector<store::StoredEvent> appended_ ABSL_GUARDED_BY(mutex_);
  int64_t appended_bytes_ ABSL_GUARDED_BY(mutex_) = 0;  // of their payloads, or more
  store::LogEpoch epoch_ ABSL_GUARDED_BY(mutex_);
  int64_t epochs_taken_ ABSL_GUARDED_BY(mutex_) = 0;
  bool verify_ ABSL_GUARDED_BY(mutex_) = false;  // compare the tail's last event with the log
  // The tail contains every event after the first of these positions, up to the second.
  int64_t tail_after_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t tail_last_ ABSL_GUARDED_BY(mutex_) = 0;
  std::deque<EventPtr> tail_ ABSL_GUARDED_BY(mutex_);
  int64_t tail_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  std::deque<std::shared_ptr<Reader>> wanting_page_ ABSL_GUARDED_BY(mutex_);  // longest first
  int pages_in_flight_ ABSL_GUARDED_BY(mutex_) = 0;       // being read, or about to be
  std::vector<Reader*> readers_ ABSL_GUARDED_BY(mutex_);  // each knows its index
  std::list<Reader*> waiting_ ABSL_GUARDED_BY(mutex_);    // those that wait at the end of the tail
  // Reads of the store, and pages that are waited for; they may outlive their subscription.
  int reads_in_flight_ ABSL_GUARDED_BY(mutex_) = 0;
  bool measuring_ ABSL_GUARDED_BY(mutex_) = false;  // one of them measures the lag
  std::thread thread_;
};

// One subscriber. Used by one caller at a time, on any thread. While a Next or a StartWithKept is
// pending, only Withdraw may be called.
class Subscription final : public EventSource {
 public:
  using Started = absl::AnyInvocable<void(absl::Status) &&>;
  ~Subscription() override;  // nothing may be pending

  // Makes sure that the subscriber begins with an event that is kept. Call it at most once, before
  // the first Next. If retention has removed events after the position, moves the position to just
  // before the first event that is still there; and keeps that event in memory, so that it is
  // delivered whatever retention removes next. True: done, `started` is dropped. False: `started`
  // runs once, on the store's thread; on an error (STORE_UNAVAILABLE) the position is unchanged.
  bool StartWithKept(Started started);

  // `later` runs on the hub's or the store's thread, also with OUT_OF_RANGE / CURSOR_EXPIRED if
  // retention has removed events that this subscriber has not passed, with INVALID_ARGUMENT /
  // CURSOR_FOREIGN if the log has lost events that it has passed, or with the store's code
  // (UNAVAILABLE) and STORE_UNAVAILABLE.
  EventPtr Next(Later later) override;
  EventPtr NextAtHand() override;
  bool Withdraw() override;
  LogPlace place() const override;

 private:
  friend class EventHub;
  Subscription(EventHub* hub, std::shared_ptr<EventHub::Reader> reader)
      : hub_(hub), reader_(std::move(reader)) {}
  EventHub* const hub_;
  const std::shared_ptr<EventHub::Reader> reader_;
};

}  // namespace ipp::events
