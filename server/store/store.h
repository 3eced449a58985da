#pragma once

#include <any>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "kustom/ipp/v1/session.pb.h"
#include "kustom/ipp/v1/session_event.pb.h"
#include "server/base/trace_context.h"
#include "server/store/intent.h"
#include "server/store/log_bounds.h"

// Durable state behind one interface: sessions, the event log, creates, the memory of webhooks
// taken. What a transaction decides is a pure function of what it read, so that any store can run
// many of them as one batch: read all keys at once, decide in memory, write all at once, commit
// once.
namespace ipp::store {

// What the gateway knows of a session.
struct SessionRecord {
  std::string merchant_id;
  kustom::ipp::v1::Session session;  // as last known; session_id is always set
  std::string request_id;            // of the create that made it; empty when not made here
  TraceContext trace;                // of that create
  bool complete = false;             // the upstream's whole answer was seen, not only a webhook
  bool open = true;                  // not in a final status
  absl::Time created_at;             // first heard of
  absl::Time updated_at;
  absl::Time next_check_at =
      absl::InfiniteFuture();  // when the reconciler shall read it; infinite: never
  int32_t checks = 0;          // how often it was leased to be read since the last news
  // An event that was heard and is not told yet, a serialized SessionEvent; empty: none.
  std::string held_event;
  // Only the end of a final session is left (store/retention.h).
  bool trimmed = false;
  // Events that the gateway has made for this session beside its steps (DETAILS, CORRECTED);
  // numbers their ids.
  int32_t revision = 0;
  // Since when every read was answered that there is no such session; infinite: the last one was
  // not.
  absl::Time missing_since = absl::InfiniteFuture();
};

// A wish for sessions that are due to be read.
struct Lease {
  absl::Time now;
  // The longest that a session may be put off. One that is to be read later than `now` and this was
  // put off by a clock that was wrong: it is due.
  absl::Duration longest = absl::InfiniteDuration();
  int limit = 1;
  // Sessions of these merchants are left out.
  std::vector<std::string> without_merchants = {};
  // Set: only sessions that hold an event and were first heard of by then, of any merchant, also of
  // those left out.
  std::optional<absl::Time> held_since = std::nullopt;
  // How long a session that is taken is left alone. Runs on the store's thread, possibly more than
  // once: pure and quick.
  std::function<absl::Duration(const SessionRecord&)> pause;
};

// The sessions that have not ended yet.
struct OpenSessions {
  int64_t count = 0;
  int64_t overdue = 0;                         // first heard of before the time asked for
  absl::Time oldest = absl::InfiniteFuture();  // when the oldest was first heard of
};

// An event that a transaction appends. `event.cursor` and `event.recorded_at` are set by the store.
struct NewEvent {
  kustom::ipp::v1::SessionEvent event;
};

// A row of the log. `payload` is the serialized SessionEvent with `recorded_at` and without
// `cursor`: bytes of the cursor field can be appended to it (protobuf merges concatenations).
struct StoredEvent {
  int64_t position = 0;  // 1, 2, 3 … without gaps, in commit order
  absl::Time recorded_at;
  std::string payload;
  // For filters.
  std::string merchant_id;
  std::string session_id;
  std::string device_id;
  kustom::ipp::v1::SessionEventType type = kustom::ipp::v1::SESSION_EVENT_TYPE_UNSPECIFIED;
  std::string merchant_reference1;
};

// What a transaction sees.
struct Snapshot {
  bool already_seen = false;  // the dedup key was taken by an earlier transaction
  std::optional<SessionRecord> session;
  std::optional<IntentRecord> intent;
  bool creating = false;  // only where the transaction asks
  // The session that was created under the request_id; only where the transaction asks.
  std::optional<SessionRecord> created;
};

// What a transaction writes.
struct Writes {
  std::optional<SessionRecord> session = {};
  std::vector<NewEvent> events = {};
  std::optional<IntentRecord> intent = {};  // of the transaction's merchant_id and request_id
  // What the transaction's owner wants to know of the decision: it comes back in `Committed`, also
  // when nothing is written.
  std::any decided = {};
};

// One transaction. Empty keys are not read. `decide` runs on the store's writer thread, possibly
// more than once (a batch that failed is tried again), so it must be quick and pure: what it
// decided comes back in `Committed`, and by no other way.
struct Transaction {
  // Remembered when the transaction commits, for at least `dedup_retention`. Of any length.
  std::string dedup_key;
  std::string merchant_id;
  std::string session_id;
  std::string request_id;  // of an intent
  // Asks whether a CreateSession of the merchant is kUnderWay or kUnknown with its `settle_by` to
  // come: then a session that nobody knows may be its.
  bool ask_creating = false;
  // Asks for the session that was created under `request_id`.
  bool ask_created = false;
  std::function<Writes(const Snapshot&)> decide;
};

struct Committed {
  bool already_seen = false;
  std::optional<SessionRecord> session;  // after the transaction
  std::optional<IntentRecord> intent;    // likewise
  std::vector<int64_t> positions;        // of the events appended
  std::any decided;                      // as `decide` gave it, in the run that was committed
};

// Thread-safe. Every callback runs exactly once, on a thread of the store, never inside the call
// that took it, and must not block. Errors: UNAVAILABLE when the store cannot be written or read
// now (disk full, database down), RESOURCE_EXHAUSTED when its queue is full, CANCELLED when it is
// being destroyed; ALREADY_EXISTS for a transaction that writes a session under the request_id of
// another one; INVALID_ARGUMENT for one that no store keeps (keepable.h). These two fail alone,
// whatever they shared a batch with, and at every try. Times are kept in nanoseconds from 1677 to
// 2262 (absl::ToUnixNanos); what is beyond becomes the nearest of these.
class Store {
 public:
  virtual ~Store() = default;

  // Commits `transaction`; `done` gets OK only when it is durable (fsync). Transactions of one key
  // commit in the order of the calls.
  virtual void Commit(Transaction transaction,
                      absl::AnyInvocable<void(absl::StatusOr<Committed>) &&> done) = 0;

  // NOT_FOUND when the gateway does not know it.
  virtual void FindSession(std::string merchant_id, std::string session_id,
                           absl::AnyInvocable<void(absl::StatusOr<SessionRecord>) &&> done) = 0;
  // The session that was created under a request_id.
  virtual void FindSessionByRequest(
      std::string merchant_id, std::string request_id,
      absl::AnyInvocable<void(absl::StatusOr<SessionRecord>) &&> done) = 0;

  // Takes sessions whose `next_check_at` has come, the longest due first, and in the same commit
  // puts each off: `checks` + 1, `next_check_at` = now + pause. So a session is handed out once,
  // also among replicas, and is due again after its pause when whoever took it died. The records
  // are as they are after that. Waits in the queue of commits.
  virtual void LeaseDue(
      Lease lease,
      absl::AnyInvocable<void(absl::StatusOr<std::vector<SessionRecord>>) &&> done) = 0;
  virtual void CountOpen(absl::Time overdue_before,
                         absl::AnyInvocable<void(absl::StatusOr<OpenSessions>) &&> done) = 0;

  // NOT_FOUND when there is none, or none any more.
  virtual void FindIntent(std::string merchant_id, std::string request_id,
                          absl::AnyInvocable<void(absl::StatusOr<IntentRecord>) &&> done) = 0;
  virtual void ListIntents(
      IntentQuery query,
      absl::AnyInvocable<void(absl::StatusOr<std::vector<IntentRecord>>) &&> done) = 0;
  virtual void CountIntents(absl::AnyInvocable<void(absl::StatusOr<IntentCounts>) &&> done) = 0;
  // Creates that are kUnderWay and whose `under_way_until` is before `under_way_before` become
  // kUnknown, at most `limit` of them; `done` gets them as they are then. Waits in the queue of
  // commits.
  virtual void OrphanIntents(
      Orphans which,
      absl::AnyInvocable<void(absl::StatusOr<std::vector<IntentRecord>>) &&> done) = 0;
  // No other process can be at this store.
  virtual bool exclusive() const = 0;

  // Events with position > `after`, in order, at most `limit` and about 1 MiB of them.
  virtual void ReadEvents(
      int64_t after, int limit,
      absl::AnyInvocable<void(absl::StatusOr<std::vector<StoredEvent>>) &&> done) = 0;
  // The position just before the first event recorded at or after `time`.
  virtual void FindPosition(absl::Time time,
                            absl::AnyInvocable<void(absl::StatusOr<int64_t>) &&> done) = 0;

  // From memory. Where several replicas share a log they may lag behind it a little: what is beyond
  // `latest` here may have been given out elsewhere.
  virtual LogBounds bounds() const = 0;
  // Asks the log itself; bounds() is at least as new afterwards.
  virtual void RefreshBounds(absl::AnyInvocable<void(absl::StatusOr<LogBounds>) &&> done) = 0;
  // Writes down a break in the history of the log (log_bounds.h); `done` gets the bounds after it.
  // Waits in the queue of commits.
  virtual void BeginEpoch(NewEpoch epoch,
                          absl::AnyInvocable<void(absl::StatusOr<LogBounds>) &&> done) = 0;
  // Identity of this log, made when it was; 16 hex digits. A cursor of another log is foreign.
  virtual const std::string& log_id() const = 0;

  // `listener(latest)` runs after each batch that appended events and after each new epoch, here or
  // on another replica, on a thread of the store; it must not block nor call back. One listener;
  // set before the first Commit, nullptr to end (waits for one that runs).
  virtual void SetListener(std::function<void(int64_t latest)> listener) = 0;

  // OK when a commit could be made now, as far as known without trying.
  virtual absl::Status health() const = 0;
};

}  // namespace ipp::store
