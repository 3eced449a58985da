#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/store/batch.h"
#include "server/store/retention.h"
#include "server/store/store.h"

// What a database has to offer so that QueuedStore can make a Store of it: synchronous calls, each
// used by one thread. Everything that does not depend on the database (the queues, group commit,
// the rules of a batch, retention, health, the listener) is in QueuedStore and batch.h.
namespace ipp::store {

// The writing half; for the writer thread. Errors: ALREADY_EXISTS and INVALID_ARGUMENT concern one
// transaction of a batch; CANCELLED when the store is being closed; everything else concerns the
// database.
class WriteBackend {
 public:
  virtual ~WriteBackend() = default;

  // Begins a transaction of the database and reads `keys` in it. `now`: for `ask_creating`. After
  // an OK the next call is Write() or Abandon(); after an error no transaction is open.
  virtual absl::StatusOr<BatchReads> Read(const BatchKeys& keys, absl::Time now) = 0;
  // Writes everything and commits. OK: it is durable. Any other error than the two of one
  // transaction: nothing was written, or the outcome is unknown.
  virtual absl::Status Write(const BatchWrites& writes) = 0;
  // Ends the transaction without writing, because of `why`.
  virtual void Abandon(const absl::Status& why) = 0;

  // The calls of Store with these names. Each is a transaction of its own.
  virtual absl::StatusOr<std::vector<SessionRecord>> LeaseDue(const Lease& lease) = 0;
  virtual absl::StatusOr<std::vector<IntentRecord>> OrphanIntents(const Orphans& which) = 0;
  virtual absl::StatusOr<LogBounds> BeginEpoch(const NewEpoch& epoch) = 0;
  virtual absl::StatusOr<LogBounds> ReadBounds() = 0;

  // Runs `body` in a transaction and commits it; OK: what it wrote is durable. An error of `body`
  // ends the transaction without writing. `body` may run more than once. `now`: the time, unless
  // the database's own clock is used.
  virtual absl::Status InShared(absl::Time now,
                                absl::FunctionRef<absl::Status(SharedTables&)> body) = 0;

  struct Trimmed {
    bool more = false;   // there may be more to remove
    int64_t oldest = 0;  // the first position that is kept; 0: not known
  };
  // Removes at most a step's worth of rows from each table, which takes a few milliseconds. `now`
  // may be recorded as the time of the store's last use.
  virtual absl::StatusOr<Trimmed> Trim(const Cutoffs& cutoffs, absl::Time now) = 0;
  // Writes what a few sessions can be searched by, of those that an earlier release has written;
  // the newest first. Takes some milliseconds. Returns whether there may be more.
  virtual absl::StatusOr<bool> IndexSessions() = 0;

  // Reads the database's clock. nullopt: it has none, or the gateway's is to be used.
  virtual absl::StatusOr<std::optional<absl::Time>> ReadClock() = 0;
  // Commits a change without meaning, to find out whether a commit is possible.
  virtual absl::Status Probe() = 0;
};

// The reading half; for the reader thread. Each call sees what was committed when it begins, and
// does not wait for the writer. NOT_FOUND as in Store.
class ReadBackend {
 public:
  virtual ~ReadBackend() = default;

  virtual absl::StatusOr<SessionRecord> FindSession(const std::string& merchant_id,
                                                    const std::string& session_id) = 0;
  virtual absl::StatusOr<SessionRecord> FindSessionByRequest(const std::string& merchant_id,
                                                             const std::string& request_id) = 0;
  virtual absl::StatusOr<IntentRecord> FindIntent(const std::string& merchant_id,
                                                  const std::string& request_id) = 0;
  virtual absl::StatusOr<std::vector<IntentRecord>> ListIntents(const IntentQuery& query) = 0;
  virtual absl::StatusOr<std::vector<bool>> AreSettled(const std::vector<IntentKey>& creates) = 0;
  virtual absl::StatusOr<IntentCounts> CountIntents() = 0;
  virtual absl::StatusOr<OpenSessions> CountOpen(absl::Time overdue_before) = 0;
  // The first `query.limit` sessions along PathOf(query), whether or not they match otherwise.
  virtual absl::StatusOr<SessionScan> ScanSessions(const SessionQuery& query) = 0;
  virtual absl::StatusOr<std::vector<AskedCancel>> ListCancels(const std::string& merchant_id,
                                                               const std::string& session_id,
                                                               int limit) = 0;
  virtual absl::StatusOr<std::vector<StoredEvent>> ReadEvents(int64_t after, int limit) = 0;
  virtual absl::StatusOr<std::vector<StoredEvent>> ReadSessionEvents(const std::string& merchant_id,
                                                                     const std::string& session_id,
                                                                     int64_t after, int limit) = 0;
  virtual absl::StatusOr<int64_t> FindPosition(absl::Time time) = 0;
  virtual absl::StatusOr<LogBounds> ReadBounds() = 0;
  virtual SharedReads& shared() = 0;
  // The bytes that the store takes up, with its indexes and its write-ahead log where that is a
  // file beside it.
  virtual absl::StatusOr<int64_t> SizeBytes() = 0;
};

// An open database.
struct Backend {
  std::string log_id;
  LogBounds bounds;
  // The newest time that is recorded in the database; absent when it is new, or has a clock of its
  // own.
  std::optional<absl::Time> last_used = std::nullopt;
  // The time by the database's clock; absent as in ReadClock().
  std::optional<absl::Time> now = std::nullopt;
  bool exclusive = false;  // see Store::exclusive
  // Names the database in log lines: the key and the value of a field.
  std::pair<std::string, std::string> name;
  // What must outlive both halves, such as a lock.
  std::shared_ptr<void> held = nullptr;
  std::unique_ptr<WriteBackend> writer;
  std::unique_ptr<ReadBackend> reader;
};

}  // namespace ipp::store
