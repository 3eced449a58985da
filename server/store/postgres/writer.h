#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/store/backend.h"
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
// row lock and cannot deadlock. Changes of shared subscriptions take the rows of the subscriptions
// only, in the order of their ids.
namespace ipp::store {

// The statements that PostgresWriter runs, for PostgresConnection::Prepare.
std::vector<PostgresStatement> PostgresWriterStatements();

// The writing half of the backend. A batch takes two round trips: Read() begins the transaction and
// locks the log's row, Write() also commits. A connection that failed in an unclear way is dropped
// and never reused.
class PostgresWriter final : public WriteBackend {
 public:
  struct Options {
    ReconnectingConnection::Options connection;
    // Whether ReadClock() answers with the database's clock.
    bool database_clock = false;
  };
  PostgresWriter(Options options, const PostgresLimits& limits)
      : connection_(std::move(options.connection)),
        database_clock_(options.database_clock),
        limits_(limits) {}

  absl::StatusOr<BatchReads> Read(const BatchKeys& keys, absl::Time now) override;
  // OK: also durable on the synchronous standby. If the connection is lost during COMMIT, the
  // outcome is unknown.
  absl::Status Write(const BatchWrites& writes) override;
  void Abandon(const absl::Status& why) override;
  absl::StatusOr<std::vector<SessionRecord>> LeaseDue(const Lease& lease) override;
  absl::StatusOr<std::vector<IntentRecord>> OrphanIntents(const Orphans& which) override;
  absl::StatusOr<LogBounds> BeginEpoch(const NewEpoch& epoch) override;
  absl::StatusOr<LogBounds> ReadBounds() override;
  absl::Status InShared(absl::Time now,
                        absl::FunctionRef<absl::Status(SharedTables&)> body) override;
  // Does nothing while another replica is trimming.
  absl::StatusOr<Trimmed> Trim(const Cutoffs& cutoffs, absl::Time now) override;
  absl::StatusOr<bool> IndexSessions() override;
  absl::StatusOr<std::optional<absl::Time>> ReadClock() override;
  absl::Status Probe() override;

 private:
  // Runs `body` on a connection; once more on another if the first was dead before COMMIT was sent.
  template <typename T>
  absl::StatusOr<T> Attempt(ReconnectingConnection::InPause in_pause,
                            absl::FunctionRef<absl::StatusOr<T>(PostgresConnection&)> body);
  // After an error of `body`: rolls back and keeps the connection if the error concerns the
  // transaction only; otherwise drops the connection.
  void Settle(PostgresConnection& connection, const absl::Status& status);
  absl::StatusOr<BatchReads> ReadKeys(PostgresConnection& connection, const BatchKeys& keys,
                                      absl::Time now);
  // Runs `calls` and COMMIT. OK only when the transaction is durable, also on the standby.
  absl::StatusOr<std::vector<PostgresRows>> Finish(PostgresConnection& connection,
                                                   std::vector<PostgresCall> calls);

  ReconnectingConnection connection_;
  const bool database_clock_;
  const PostgresLimits limits_;
  PostgresConnection* open_ = nullptr;  // in a transaction, between Read() and its end
  bool finishing_ = false;              // the current attempt may have sent its COMMIT
};

}  // namespace ipp::store
