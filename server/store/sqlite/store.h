#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "server/base/clock.h"
#include "server/base/metrics.h"
#include "server/store/queued_store.h"
#include "server/store/store.h"

namespace ipp::store {

struct SqliteOptions {
  std::string path;  // created when missing; its directory must exist
  QueueOptions queue = {};
};

// A store in one SQLite file (WAL mode, synchronous=FULL), with one connection for writing and one
// for reading. Only one process can use the file: it is locked, and a second gateway fails to open
// it (FAILED_PRECONDITION). The schema has a version and is migrated here (sqlite/schema.h); a file
// of a newer version is used as it is, or refused if that says so.
//
// Blocks until the file is open. Errors name the path. `clock` and `metrics` must outlive the
// store.
absl::StatusOr<std::unique_ptr<Store>> OpenSqliteStore(SqliteOptions options, Clock* clock,
                                                       Metrics* metrics);

}  // namespace ipp::store
