#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/base/metrics.h"
#include "server/store/retention.h"
#include "server/store/store.h"

namespace ipp::store {

struct PostgresOptions {
  // A libpq connection string, key=value or URI; several hosts are tried in order until the one
  // that can be written is found. Defaults that differ from libpq's, TLS among them:
  // postgres_target.h. Both files are read again for each connection.
  std::string dsn_file;
  std::string password_file = {};  // may be empty: then the DSN's, or none
  size_t max_batch = 256;          // transactions a commit
  size_t max_queue = 10000;        // more: RESOURCE_EXHAUSTED
  Retention retention = {};        // open sessions stay
  // What replicas agree on runs by the database's clock, measured at each commit. Off where a test
  // sets the time.
  bool database_clock = false;
  // How often the writer, between commits, removes what is too old, or tries whether it can write
  // again after it could not.
  absl::Duration maintenance_interval = absl::Seconds(1);
  // How often the log is looked at for what other replicas appended, should a notification get
  // lost.
  absl::Duration poll_interval = absl::Seconds(1);
  // How long the server may take for one answer. Then it counts as gone.
  absl::Duration answer_timeout = absl::Seconds(10);
};

// PostgreSQL 14 or newer, shared by any number of replicas; one log a database, in its schema
// `ipp_gateway`, which is made and migrated here, by whichever replica comes first. A schema of a
// newer release is refused.
//
// * Three connections: a writer with group commit, a reader, and one that listens for what other
//   replicas append. Each is made again when it is lost; the pauses between tries grow up to 2 s.
//   While the database is away, commits wait for the next try, reads fail at once.
// * Replicas commit one after another, under the lock of the log's row: positions have no gaps and
//   are in commit order, whoever reads one has read all before it.
// * A commit is acknowledged when it is on the disk of the server and of its synchronous standby
//   where it has one (synchronous_standby_names), whatever synchronous_commit says there. What was
//   lost on the way to or from the server while it committed is UNAVAILABLE to its callers though
//   it may have happened.
// * The connections keep prepared statements, LISTEN and settings: a pooler in between must not
//   change servers under them (PgBouncer: session pooling only).
// * Bytes are kept as they are; the database's encoding and locale do not matter.
//
// UNAVAILABLE or FAILED_PRECONDITION, naming dsn_file, when the database cannot be reached or used.
// Blocks for as long as that takes to find out, connect_timeout a host.
absl::StatusOr<std::unique_ptr<Store>> OpenPostgresStore(PostgresOptions options, Clock* clock,
                                                         Metrics* metrics);

}  // namespace ipp::store
