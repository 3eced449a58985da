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
#include "server/store/session_search.h"
#include "server/store/shared_tables.h"
#include "server/store/stored_event.h"

// Durable state behind one interface: sessions, the event log, creates (intents), and the ids of
// received webhooks. QueuedStore implements it over a backend (backend.h); there are two, sqlite/
// and postgres/. Both, and the fake of the tests, pass tests/store/store_contract.h.
//
// Tables
//
// * events: the log. `position` counts 1, 2, 3 … without gaps in commit order; `recorded_at` never
//   decreases along it, so a time is found by binary search, without an index. `payload` is the
//   serialized SessionEvent; the other columns are for filters.
// * sessions: the last known state of each session, by (merchant_id, session_id). A request_id
//   belongs to at most one session of a merchant.
// * intents: creates, by (merchant_id, request_id). See intent.h.
// * cancels: which cancels were asked for; for people.
// * seen: dedup keys of received webhooks.
// * shared_subscriptions, shared_heads, shared_parked: see shared_tables.h.
// * log: one row with the identity of the log and, in PostgreSQL, its last position, last
//   recorded_at and last intent id. Retention keeps the last removed position here (SQLite) or in
//   log_start (PostgreSQL, so that trimming and commits do not wait for each other).
// * log_epochs: the breaks in the history. See log_bounds.h.
//
// Commit: one writer thread, group commit
//
// 1. Batch. Calls wait in a bounded queue (inbox.h). The writer takes up to max_batch of them, in
//    order. Adjacent transactions become one SQL transaction. A lease, orphan or epoch call between
//    them ends the batch and is a SQL transaction of its own.
// 2. Read the keys of the whole batch, each once. SQLite: after BEGIN IMMEDIATE. PostgreSQL: in one
//    round trip that also begins and locks the row of `log` (SELECT … FOR UPDATE).
// 3. Decide, in memory (batch.h). `decide` maps each Snapshot to Writes, a pure function; each
//    transaction sees what those before it wrote. The store checks the limits (keepable.h), numbers
//    the events and stamps them with max(now, last recorded_at).
// 4. Make durable. SQLite: COMMIT with synchronous=FULL returns after the fsync of the write-ahead
//    log. PostgreSQL: a second round trip writes everything, sends a notification if there are
//    events, updates the row of `log` and commits. The row is updated even if nothing else changed,
//    because only a commit that writes waits for the synchronous standby.
// 5. Publish. bounds() moves, the listener runs if events were appended, then the `done` of each
//    transaction runs on a thread of its own (answers.h), while the writer takes the next batch.
//
// Changes of shared subscriptions (ChangeShared) wait in the same queue. Those that the writer
// takes with one batch are one SQL transaction of their own, after the batch's.
//
// Failures. If one transaction breaks a rule of its own (ALREADY_EXISTS, INVALID_ARGUMENT), the
// batch is rolled back and each of its transactions is committed alone, so that only the faulty one
// fails. Any other error fails the batch and shows in health(); the writer probes until a commit
// works again. When a connection to PostgreSQL is lost during COMMIT, the callers get UNAVAILABLE
// although the batch may be durable.
//
// Replicas (PostgreSQL). The lock of the log's row serializes the commits of all replicas.
// Therefore positions have no gaps, and a reader that has seen one position has seen all before it.
// Other replicas learn of a commit by LISTEN, and by polling in case a notification is lost.
//
// Epochs. A failover to a standby that lagged can lose commits. A PostgreSQL commit that finds the
// log ending before a position that its replica has seen adds a row to log_epochs in the same
// transaction. Restores, and losses found while reading, begin an epoch by BeginEpoch(). Cursors
// carry the label of their epoch, so a reader that has seen lost events is recognised
// (SharedThrough).
namespace ipp::store {

// What the gateway knows of a session.
struct SessionRecord {
  std::string merchant_id;
  kustom::ipp::v1::Session session;  // last known state; session_id is always set
  std::string request_id;            // of the create that made it; empty: not made by this gateway
  TraceContext trace;                // of that create
  bool complete = false;             // the upstream's whole session was seen, not only webhooks
  bool open = true;                  // its status is not final
  absl::Time created_at;             // when the gateway first learned of it
  absl::Time updated_at;             // never before the `recorded_at` of the commit that wrote it
  absl::Time next_check_at =
      absl::InfiniteFuture();  // when the reconciler is to read it; infinite: never
  int32_t checks = 0;          // leases since the last update
  // A serialized SessionEvent that was received but is not in the log yet
  // (sessions/session_state.h); empty: none.
  std::string held_event;
  // Reduced to a tombstone (store/retention.h): only the final state is left.
  bool trimmed = false;
  // Counts the DETAILS and CORRECTED events that the gateway has made for this session. It is part
  // of their ids.
  int32_t revision = 0;
  // Since when every read has answered that the session does not exist; infinite: the last read
  // found it.
  absl::Time missing_since = absl::InfiniteFuture();
  std::string location_id;  // that the create named; usually empty
};

// Which sessions Store::LeaseDue hands out.
struct Lease {
  absl::Time now;
  // The longest time that a session can be put off. A session whose `next_check_at` is later than
  // `now` + `longest` was put off by a clock that was wrong; it is due.
  absl::Duration longest = absl::InfiniteDuration();
  int limit = 1;
  // Sessions of these merchants are left out.
  std::vector<std::string> without_merchants = {};
  // If set, only sessions with a held event that were created by then; `without_merchants` does not
  // apply.
  std::optional<absl::Time> held_since = std::nullopt;
  // How long a leased session is put off. Runs on the store's thread, possibly more than once, so
  // it must be pure and quick.
  std::function<absl::Duration(const SessionRecord&)> pause;
};

// Statistics of the sessions that are not final.
struct OpenSessions {
  int64_t count = 0;
  int64_t overdue = 0;                         // created before `overdue_before`
  absl::Time oldest = absl::InfiniteFuture();  // creation time of the oldest
};

// An event that a transaction appends. `event.cursor` and `event.recorded_at` are set by the store.
struct NewEvent {
  kustom::ipp::v1::SessionEvent event;
};

// What a transaction has read.
struct Snapshot {
  bool already_seen = false;  // the dedup key was taken by an earlier transaction
  std::optional<SessionRecord> session;
  std::optional<IntentRecord> intent;
  bool creating = false;  // see Transaction::ask_creating
  // The session that was created under the request_id; see Transaction::ask_created.
  std::optional<SessionRecord> created;
};

// What a transaction writes.
struct Writes {
  std::optional<SessionRecord> session = {};
  std::vector<NewEvent> events = {};
  std::optional<IntentRecord> intent = {};  // of the transaction's merchant_id and request_id
  std::optional<AskedCancel> cancel = {};
  // A result of the decision for the caller of Commit. It is returned in `Committed`, also when
  // nothing is written.
  std::any decided = {};
};

// One transaction. Empty keys are not read. `decide` runs on the store's writer thread, possibly
// more than once (a failed batch is tried again), so it must be quick and pure. Its result is
// returned in `Committed` and must leave it by no other way.
struct Transaction {
  // Stored when the transaction commits, and kept for Retention::seen. Of any length.
  std::string dedup_key;
  std::string merchant_id;
  std::string session_id;
  std::string request_id;  // of an intent
  // Read whether the merchant has a CreateSession that is kUnderWay or kUnknown and whose
  // `settle_by` is in the future. If so, an unknown session may belong to that create.
  bool ask_creating = false;
  // Read the session that was created under `request_id`.
  bool ask_created = false;
  std::function<Writes(const Snapshot&)> decide;
};

struct Committed {
  bool already_seen = false;
  std::optional<SessionRecord> session;  // after the transaction
  std::optional<IntentRecord> intent;    // likewise
  std::vector<int64_t> positions;        // of the events appended
  std::any decided;                      // from the run of `decide` that was committed
};

// The callback of a call.
template <typename T>
using Done = absl::AnyInvocable<void(absl::StatusOr<T>) &&>;

// Thread-safe. Every callback runs exactly once, on a thread of the store, never inside the call
// that took it, and must not block. Callbacks of commits run in the order of the commits, on a
// thread that neither writes nor reads.
//
// Errors: UNAVAILABLE when the store cannot be written or read now (disk full, database down),
// RESOURCE_EXHAUSTED when its queue is full, CANCELLED when it is being destroyed, ALREADY_EXISTS
// for a transaction that writes a session under the request_id of another session, INVALID_ARGUMENT
// for a transaction that exceeds a limit (keepable.h). The last two concern that transaction only,
// not the others of its batch, and recur at every attempt.
//
// Times are kept in nanoseconds, from 1677 to 2262 (absl::ToUnixNanos); a time outside that range
// becomes its nearest end.
class Store {
 public:
  virtual ~Store() = default;

  // Commits `transaction`; `done` gets OK only when it is durable (fsync). Transactions with the
  // same key commit in the order of the calls.
  virtual void Commit(Transaction transaction, Done<Committed> done) = 0;

  // NOT_FOUND when the gateway has no record of the session.
  virtual void FindSession(std::string merchant_id, std::string session_id,
                           Done<SessionRecord> done) = 0;
  // The session that was created under a request_id; NOT_FOUND as above.
  virtual void FindSessionByRequest(std::string merchant_id, std::string request_id,
                                    Done<SessionRecord> done) = 0;

  // Leases sessions whose `next_check_at` has come, the longest due first. The same commit puts
  // each of them off: `checks` + 1, `next_check_at` = now + pause. So a session is handed out only
  // once, also among replicas, and becomes due again after its pause if the process that leased it
  // dies. Returns the records as they are after that. Waits in the queue of commits.
  virtual void LeaseDue(Lease lease, Done<std::vector<SessionRecord>> done) = 0;
  virtual void CountOpen(absl::Time overdue_before, Done<OpenSessions> done) = 0;
  // Searches along one index, for at most `query.limit` sessions that are looked at. The page may
  // be empty and yet have a `next`.
  virtual void SearchSessions(SessionQuery query, Done<SessionPage> done) = 0;
  // The cancels that were asked for, oldest first, at most `limit`.
  virtual void ListCancels(std::string merchant_id, std::string session_id, int limit,
                           Done<std::vector<AskedCancel>> done) = 0;

  // NOT_FOUND when there is no such create, or retention has removed it.
  virtual void FindIntent(std::string merchant_id, std::string request_id,
                          Done<IntentRecord> done) = 0;
  virtual void ListIntents(IntentQuery query, Done<std::vector<IntentRecord>> done) = 0;
  // For each of the creates, in their order, whether a caller that waits for its session should
  // look again: the session is known, or the create was refused.
  virtual void AreSettled(std::vector<IntentKey> creates, Done<std::vector<bool>> done) = 0;
  virtual void CountIntents(Done<IntentCounts> done) = 0;
  // Turns creates that are kUnderWay and whose `under_way_until` is before `under_way_before` into
  // kUnknown, at most `limit` of them; `done` gets the changed records. Waits in the queue of
  // commits.
  virtual void OrphanIntents(Orphans which, Done<std::vector<IntentRecord>> done) = 0;
  // Runs `change` in a transaction; `done` gets its result when that is durable.
  virtual void ChangeShared(SharedChange change, Done<std::any> done) = 0;
  virtual void ReadShared(SharedRead read, Done<std::any> done) = 0;

  // The time by which the store dates what it writes: the database's where it has a clock, so that
  // replicas whose clocks differ agree. A time that goes into a record comes from here.
  virtual absl::Time Now() const = 0;
  // Whether no other process can use this store.
  virtual bool exclusive() const = 0;

  // Events with position > `after`, in order: at most `limit` of them, and about 1 MiB.
  virtual void ReadEvents(int64_t after, int limit, Done<std::vector<StoredEvent>> done) = 0;
  // Likewise, only the events of one session.
  virtual void ReadSessionEvents(std::string merchant_id, std::string session_id, int64_t after,
                                 int limit, Done<std::vector<StoredEvent>> done) = 0;
  // The position just before the first event recorded at or after `time`.
  virtual void FindPosition(absl::Time time, Done<int64_t> done) = 0;

  // From memory. Where several replicas share a log this may lag a little: a position beyond
  // `latest` may already have been given out by another replica.
  virtual LogBounds bounds() const = 0;
  // Reads the bounds from the log; bounds() is at least as new afterwards.
  virtual void RefreshBounds(Done<LogBounds> done) = 0;
  // Begins a new epoch (log_bounds.h); `done` gets the bounds after it. Waits in the queue of
  // commits.
  virtual void BeginEpoch(NewEpoch epoch, Done<LogBounds> done) = 0;
  // The identity of this log, chosen when it was created; 16 hex digits. A cursor with another
  // identity is foreign.
  virtual const std::string& log_id() const = 0;

  // The listener runs on a thread of the store after each batch that appended events and after each
  // new epoch, of this or another replica. `latest` is the last position. `appended` are the rows
  // of the batch, if the log is only written by this process (exclusive()). Otherwise it is empty,
  // and the rows have to be read: only a read of the log shows that its history was replaced.
  //
  // It must not block or call the store. There is one listener; set it before the first Commit.
  // nullptr removes it and waits for a call that is running.
  using Listener = std::function<void(int64_t latest, std::vector<StoredEvent> appended)>;
  virtual void SetListener(Listener listener) = 0;

  // OK when a commit is expected to succeed, as far as is known without trying.
  virtual absl::Status health() const = 0;
};

}  // namespace ipp::store
