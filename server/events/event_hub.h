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
#include "server/events/log_event.h"
#include "server/events/log_order.h"
#include "server/store/store.h"

namespace ipp::events {

struct HubOptions {
  size_t tail_events = 4096;  // newest events kept in memory for all
  int page_events = 512;      // read at once by a subscriber that is behind the tail
  absl::Duration lag_interval = absl::Seconds(5);  // how often the slowest subscriber is looked for
  Clock* clock = Clock::Real();                    // tells the age of what it has not been handed
};

class Subscription;

// Follows the store's log and hands each event to whoever waits for it. The newest events are in
// memory once, shared; a subscriber is a position in the log and at most one wish for its next
// event. One thread.
//
// A subscriber gets what follows its position in the order of the log, each event once, and nothing
// is left out that is kept. Its position may be ahead of what the hub has read: another replica may
// have given it out.
//
// A log may lose events (store/log_bounds.h): in a failover, or by a restore behind a gateway that
// runs. The store tells of the new epoch; what it cannot see, the hub finds: each read of the log
// begins with the last event that is known, and compares. Then the hub itself begins the epoch. It
// forgets what the log has lost; subscribers that have passed some of it get CURSOR_FOREIGN and
// nothing more; the others go on.
//
// Metrics: those of LogOrder, which must stay 0; ipp_events_slowest_lag_positions and _seconds: how
// far behind the log the slowest subscriber is, whether what it has to pass matches its filter or
// not, and how long ago the first event that it has not passed was recorded.
class EventHub {
 public:
  EventHub(store::Store* store, HubOptions options, Metrics* metrics);
  ~EventHub();  // every Subscription is gone by then

  // Events after `place` that match, in order, each once. Thread-safe.
  std::unique_ptr<Subscription> Subscribe(EventFilter filter, const LogPlace& place);
  // After a position of the epoch of now.
  std::unique_ptr<Subscription> Subscribe(EventFilter filter, int64_t position);

  // Whether the log holds, at the place, what the place says, as far as the tail in memory shows.
  // False also when it is not in the tail. Thread-safe.
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

  // Where the tail ends, and the state that a read from there belongs to.
  struct TailEnd {
    LogPlace place;
    bool news = false;  // the log is known to go on
    int64_t epochs_taken = 0;
  };

  // The hub's thread.
  void Run();
  // Waits for news, and measures the lag meanwhile. False: the hub ends.
  bool AwaitNews(TailEnd* end) ABSL_LOCKS_EXCLUDED(mutex_);
  Rows ReadNow(int64_t after, int limit);
  // Takes the event at `place` out of `rows`, which were read from before it. False: it is another
  // one than the place says.
  static bool Continues(const LogPlace& place, std::vector<store::StoredEvent>* rows, bool* found);
  // The log has lost events: begins an epoch, unless that was done.
  void BeginEpoch() ABSL_LOCKS_EXCLUDED(mutex_);
  // The last position of the tail where the log still holds the same event; 0 when there is none.
  absl::StatusOr<int64_t> FindShared() ABSL_LOCKS_EXCLUDED(mutex_);
  bool IsNew(const store::LogEpoch& epoch) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool IsNewEpoch(const store::LogBounds& bounds) ABSL_LOCKS_EXCLUDED(mutex_);
  // Any thread. Adopts the epoch of `bounds`, if it is newer, and finds who is lost by it.
  std::vector<Delivery> TakeEpoch(const store::LogBounds& bounds) ABSL_LOCKS_EXCLUDED(mutex_);
  void TakeEpochOf(Reader* reader, int64_t shared) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // What to do when the event after `after` is not the first row. True: hand out the rows.
  bool PassOver(int64_t after, const std::vector<store::StoredEvent>& rows);
  void RetryLater(const absl::Status& why) ABSL_LOCKS_EXCLUDED(mutex_);
  static void Deliver(std::vector<Delivery> deliveries);
  // Retention was faster than the hub: whoever waits for an event that is gone is told.
  std::vector<Delivery> SkipTo(const store::LogBounds& bounds) ABSL_LOCKS_EXCLUDED(mutex_);
  // Appends a batch to the tail and finds who gets what.
  std::vector<Delivery> Append(std::vector<EventPtr> batch, int64_t epochs_taken)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void MeasureLag() ABSL_LOCKS_EXCLUDED(mutex_);
  void SetLag(int64_t positions, absl::Time recorded_at);

  // Of one reader.
  std::deque<EventPtr>::const_iterator AfterInTail(int64_t position) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  EventPtr FindInTail(Reader* reader) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  EventPtr FindInPage(Reader* reader) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  EventPtr FindAtHand(Reader* reader) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  EventPtr FindOrWait(Reader* reader) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool SecureStart(Reader* reader) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // What a read for the reader begins with; marks it as reading.
  LogPlace BeginRead(Reader* reader) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ReadPage(std::shared_ptr<Reader> reader, const LogPlace& after) ABSL_LOCKS_EXCLUDED(mutex_);
  void GotPage(std::shared_ptr<Reader> reader, const LogPlace& after, Rows rows)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // The event after `after` was not the first row; `bounds` say why.
  void GotPageElsewhere(const std::shared_ptr<Reader>& reader, int64_t after, Rows rows,
                        absl::StatusOr<store::LogBounds> bounds) ABSL_LOCKS_EXCLUDED(mutex_);
  // The reader has its page and place, or will not.
  void Turn(const std::shared_ptr<Reader>& reader, absl::StatusOr<std::vector<EventPtr>> page,
            int64_t position) ABSL_LOCKS_EXCLUDED(mutex_);
  std::vector<EventPtr> MakePage(std::vector<store::StoredEvent> rows) ABSL_LOCKS_EXCLUDED(mutex_);
  // What became of one delivery when the reader's place was lost.
  static absl::Status Lost() { return CursorForeign("after_cursor"); }

  store::Store* const store_;
  const HubOptions options_;
  LogOrder order_;
  Counter& read_failures_;
  Gauge& subscribers_;
  Gauge& lag_positions_;
  Gauge& lag_seconds_;

  // The hub's thread only.
  Instant measure_at_;
  bool failing_ = false;    // the last read brought nothing to go on with
  int64_t hole_after_ = 0;  // where the log has a hole, and how often it was looked for again
  int hole_reads_ = 0;

  Mutex mutex_;
  CondVar changed_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  int64_t known_latest_ ABSL_GUARDED_BY(mutex_) = 0;
  bool bounds_moved_ ABSL_GUARDED_BY(mutex_) = false;  // since they were last looked at
  store::LogEpoch epoch_ ABSL_GUARDED_BY(mutex_);
  int64_t epochs_taken_ ABSL_GUARDED_BY(mutex_) = 0;
  bool verify_ ABSL_GUARDED_BY(mutex_) = false;  // that the tail is still what the log holds
  // What is in memory: every event after the first of these positions, up to the second.
  int64_t tail_after_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t tail_last_ ABSL_GUARDED_BY(mutex_) = 0;
  std::deque<EventPtr> tail_ ABSL_GUARDED_BY(mutex_);
  std::vector<Reader*> readers_ ABSL_GUARDED_BY(mutex_);  // each knows its place
  std::list<Reader*> waiting_ ABSL_GUARDED_BY(mutex_);    // at the end of the tail
  int reads_in_flight_ ABSL_GUARDED_BY(mutex_) = 0;       // that may outlive who asked for them
  bool measuring_ ABSL_GUARDED_BY(mutex_) = false;        // one of them is the lag's
  std::thread thread_;
};

// One subscriber. Used by one caller at a time (any thread); not while a wish or a start is
// pending, except for Withdraw.
class Subscription {
 public:
  using Later = absl::AnyInvocable<void(absl::StatusOr<EventPtr>) &&>;
  using Started = absl::AnyInvocable<void(absl::Status) &&>;
  ~Subscription();  // no wish and no start is pending by then

  // Once, before the first Next: begins with what is kept. Where retention has taken what followed
  // the position, moves it to just before the first event that is still there; and takes hold of
  // that event, so that it is handed out whatever retention does next. True: done at once, and
  // `started` is dropped. Otherwise `started` runs once, on the store's thread; not OK
  // (STORE_UNAVAILABLE): the position is as it was.
  bool StartWithKept(Started started);

  // The next event when it is at hand: then `later` is dropped. Otherwise nullptr, and `later` runs
  // once, on the hub's or the store's thread, with the event, or with OUT_OF_RANGE / CURSOR_EXPIRED
  // when retention overtook this reader, or with the store's code (UNAVAILABLE) and
  // STORE_UNAVAILABLE.
  EventPtr Next(Later later);

  // The same when it is at hand, and no wish otherwise. nullptr also when it would have to be read.
  EventPtr NextAtHand();

  // Takes a pending wish back. True: `later` is dropped and will not run. False: none is pending,
  // or it is about to run.
  bool Withdraw();

  // Every matching event up to here was handed out. Right only while no wish is pending.
  int64_t position() const { return place().position; }
  LogPlace place() const;

 private:
  friend class EventHub;
  Subscription(EventHub* hub, std::shared_ptr<EventHub::Reader> reader)
      : hub_(hub), reader_(std::move(reader)) {}
  EventHub* const hub_;
  const std::shared_ptr<EventHub::Reader> reader_;
};

}  // namespace ipp::events
