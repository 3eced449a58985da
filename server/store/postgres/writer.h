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

// Why READ COMMITTED is right here, and requested by name: every statement of a batch sees what was
// committed when that statement began. The first one waits for the lock on the log's only row, so
// all later ones see everything that the last holder of the lock committed. Under REPEATABLE READ
// or SERIALIZABLE the batch would read the state before the wait, and fail.
//
// Locks are taken in one order: the log's row, then sessions, then intents. Calls that do not take
// the log's row (leases, orphans, trimming) take rows with SKIP LOCKED, so they never wait for a
// row lock and cannot deadlock.
namespace ipp::store {

// The statements that PostgresWriter runs, for PostgresConnection::Prepare.
std::vector<PostgresStatement> PostgresWriterStatements();

// The statements of the writer thread. For one thread. A connection that failed in an unclear way
// is dropped and never reused.
class PostgresWriter {
 public:
  PostgresWriter(ReconnectingConnection* link, const PostgresLimits& limits)
      : link_(link), limits_(limits) {}

  struct Done {
    std::vector<Committed> committed;
    int64_t before = 0;  // the last position of the log before the batch
    int64_t latest = 0;  // the last position after it
  };
  // Commits all of `batch` as one transaction of the database, in two round trips. `now` stamps the
  // events, unless the log's last `recorded_at` is later. `seen`: the last position that this
  // replica has seen. If the log ends before it, events are lost, and the transaction also begins
  // an epoch.
  //
  // OK: everything is durable, on the synchronous standby too. ALREADY_EXISTS and INVALID_ARGUMENT:
  // nothing was written, because one of the transactions broke a rule of its own. Any other error:
  // nothing was written, or the outcome is unknown (the connection was lost during COMMIT).
  absl::StatusOr<Done> Commit(absl::Span<const Transaction* const> batch, absl::Time now,
                              int64_t seen = 0);

  // Store::LeaseDue.
  absl::StatusOr<std::vector<SessionRecord>> LeaseDue(const Lease& lease);
  // Store::OrphanIntents.
  absl::StatusOr<std::vector<IntentRecord>> OrphanIntents(const Orphans& which);
  // Store::BeginEpoch.
  absl::StatusOr<LogBounds> BeginEpoch(const NewEpoch& epoch);
  absl::StatusOr<LogBounds> ReadBounds();

  // Removes at most a step's worth of rows from each table, unless another replica is trimming;
  // returns whether there may be more.
  absl::StatusOr<bool> Trim(const Cutoffs& cutoffs);

  // Reads the database's clock.
  absl::StatusOr<absl::Time> ReadClock();

  // Commits a change without meaning, to find out whether a commit is possible.
  absl::Status Probe();

 private:
  // Runs `body` on a connection; once more on another if the first was dead before COMMIT was sent.
  template <typename T>
  absl::StatusOr<T> Attempt(ReconnectingConnection::InPause in_pause,
                            absl::FunctionRef<absl::StatusOr<T>(PostgresConnection&)> body);
  // After an error of `body`: rolls back and keeps the connection if the error concerns the
  // transaction only; otherwise drops the connection.
  void Settle(PostgresConnection& connection, const absl::Status& status);
  absl::StatusOr<BatchReads> Read(PostgresConnection& connection, const BatchKeys& keys,
                                  absl::Time now);
  absl::Status Write(PostgresConnection& connection, const BatchWrites& writes,
                     std::vector<PostgresCall> calls);
  // Runs `calls` and COMMIT. OK only when the transaction is durable, also on the standby.
  absl::StatusOr<std::vector<PostgresRows>> Finish(PostgresConnection& connection,
                                                   std::vector<PostgresCall> calls);

  ReconnectingConnection* const link_;
  const PostgresLimits limits_;
  bool finishing_ = false;  // the current attempt may have sent its COMMIT
};

}  // namespace ipp::store
