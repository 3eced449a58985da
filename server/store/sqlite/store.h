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

struct SqliteOptions {
  std::string path;          // created when missing; its directory must exist
  size_t max_batch = 256;    // calls that the writer takes at once
  size_t max_queue = 10000;  // a longer queue refuses calls: RESOURCE_EXHAUSTED
  Retention retention = {};  // open sessions are never removed
  // How often the writer, between commits, removes what is too old, or probes whether it can write
  // again after an error.
  absl::Duration maintenance_interval = absl::Seconds(1);
};

// A store in one SQLite file (WAL mode, synchronous=FULL): a writer thread with group commit, and a
// reader thread with its own connection. See store.h for the algorithm. Only one process can use
// the file: it is locked, and a second gateway fails to open it (FAILED_PRECONDITION). The schema
// has a version and is migrated here (sqlite/schema.h); a file of a newer version is refused.
//
// Blocks until the file is open. Errors name the path. `clock` and `metrics` must outlive the
// store.
absl::StatusOr<std::unique_ptr<Store>> OpenSqliteStore(SqliteOptions options, Clock* clock,
                                                       Metrics* metrics);

}  // namespace ipp::store
