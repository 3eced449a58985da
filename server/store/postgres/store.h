#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/base/metrics.h"
#include "server/store/queued_store.h"
#include "server/store/store.h"

namespace ipp::store {

struct PostgresOptions {
  // The file holds a libpq connection string, key=value or URI; several hosts are tried in order
  // until one that accepts writes is found. Defaults that differ from libpq's, TLS among them:
  // postgres/target.h. Both files are read again for each connection.
  std::string dsn_file;
  std::string password_file = {};  // empty: the password in the DSN, or none
  QueueOptions queue = {};
  // Use the database's clock, read at each maintenance step, for what replicas must agree on. Off
  // in tests that set the time.
  bool database_clock = false;
  // How often the bounds of the log are read to find what other replicas appended, in case a
  // notification was lost.
  absl::Duration poll_interval = absl::Seconds(1);
  // How long the server may take for one answer. After that the connection counts as lost.
  absl::Duration answer_timeout = absl::Seconds(10);
};

// A store in PostgreSQL 14 or newer, shared by any number of replicas. A database holds one log, in
// the schema `ipp_gateway`, which the first replica creates and migrates. A schema of a newer
// release is used as it is, or refused if that says so. See ../store.h for the algorithm.
//
// * Three connections: a writer with group commit, a reader, and one that listens for what other
//   replicas append. Each is opened again when it is lost; the pauses between attempts grow up to 2
//   s. While the database is away, commits wait for the next attempt, and reads fail at once.
// * Replicas commit one after another, under the lock of the log's row: positions have no gaps and
//   are in commit order, so a reader that has seen one position has seen all before it.
// * A commit is acknowledged when it is on the disk of the server and, if there is one
//   (synchronous_standby_names), of its synchronous standby, whatever synchronous_commit is set to
//   there. If the connection is lost during COMMIT, the callers get UNAVAILABLE although the batch
//   may have been committed.
// * The connections keep prepared statements, LISTEN and settings, so a pooler in between must not
//   change servers under them (PgBouncer: session pooling only; OpenLog() checks it).
// * Bytes are stored unchanged; the encoding and locale of the database do not matter.
//
// UNAVAILABLE or FAILED_PRECONDITION, naming dsn_file, when the database cannot be reached or used.
// Blocks until that is known, at most connect_timeout for each host.
absl::StatusOr<std::unique_ptr<Store>> OpenPostgresStore(PostgresOptions options, Clock* clock,
                                                         Metrics* metrics);

}  // namespace ipp::store
