#pragma once

#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "server/store/postgres/batch.h"
#include "server/store/postgres/connection_settings.h"
#include "server/store/postgres/reconnecting_connection.h"
#include "server/store/retention.h"
#include "server/store/store.h"

// Why READ COMMITTED is right here, and asked for by name: every statement of a batch sees what was
// committed when that statement began. The first one waits for the lock on the log's only row, so
// all later ones see everything that the last holder of the lock committed. Under REPEATABLE READ
// or SERIALIZABLE the batch would read as of before the wait, and fail.
//
// Locks are taken in one order: the log's row, then sessions, then intents. Whoever does not take
// the log's row (leases, orphans, trimming) takes rows by SKIP LOCKED and so waits for nobody: no
// deadlock.
namespace ipp::store {

// The statements that LeaseDue, Commit and the others run, for PostgresConnection::Prepare.
std::vector<PostgresStatement> PostgresWriterStatements();

// What the writer thread does. A connection that failed in an unclear way is dropped, never used
// on.
class PostgresWriter {
 public:
  PostgresWriter(ReconnectingConnection* link, const PostgresLimits& limits)
      : link_(link), limits_(limits) {}

  struct Done {
    std::vector<Committed> committed;
    int64_t before = 0;  // the last position of the log before it
    int64_t latest = 0;  // and after
  };
  // `seen`: the last position that this replica has seen. Where the log ends before it, events are
  // lost, and the transaction begins an epoch.
  // All of `batch` as one transaction of the database, in two round trips. When it returns OK, all
  // is durable, on the synchronous standby too. ALREADY_EXISTS and INVALID_ARGUMENT: nothing was
  // written, because one of them broke a rule of its own. Any other error: nothing was written, or
  // nobody knows (the connection was lost while it committed).
  absl::StatusOr<Done> Commit(absl::Span<const Transaction* const> batch, absl::Time now,
                              int64_t seen = 0);

  // Store::LeaseDue.
  absl::StatusOr<std::vector<SessionRecord>> LeaseDue(const Lease& lease);
  // Store::OrphanIntents.
  absl::StatusOr<std::vector<IntentRecord>> OrphanIntents(const Orphans& which);
  // Store::BeginEpoch.
  absl::StatusOr<LogBounds> BeginEpoch(const NewEpoch& epoch);
  absl::StatusOr<LogBounds> ReadBounds();

  // One small step, unless another replica is at it; true when there may be more to remove.
  absl::StatusOr<bool> Trim(const Cutoffs& cutoffs);

  // The database's clock.
  absl::StatusOr<absl::Time> ReadClock();

  // Commits a change that nobody sees, to find out whether a commit can be made.
  absl::Status Probe();

 private:
  // Runs `body` on a connection; once more on another when the first was dead before it was asked
  // to commit.
  template <typename T>
  absl::StatusOr<T> Attempt(ReconnectingConnection::InPause in_pause,
                            absl::FunctionRef<absl::StatusOr<T>(PostgresConnection&)> body);
  // Keeps the connection when the error is only that of what was tried.
  void Settle(PostgresConnection& connection, const absl::Status& status);
  absl::StatusOr<BatchReads> Read(PostgresConnection& connection, const BatchKeys& keys,
                                  absl::Time now);
  absl::Status Write(PostgresConnection& connection, const BatchWrites& writes,
                     std::vector<PostgresCall> calls);
  // Runs `calls` and COMMIT; OK only when that means what it says.
  absl::StatusOr<std::vector<PostgresRows>> Finish(PostgresConnection& connection,
                                                   std::vector<PostgresCall> calls);

  ReconnectingConnection* const link_;
  const PostgresLimits limits_;
  bool finishing_ = false;  // the attempt under way may have sent its COMMIT
};

}  // namespace ipp::store
