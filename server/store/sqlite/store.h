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
  std::string path;          // made when missing; its directory must exist
  size_t max_batch = 256;    // transactions a commit
  size_t max_queue = 10000;  // more: RESOURCE_EXHAUSTED
  Retention retention = {};  // open sessions stay
  // How often the writer, between commits, removes what is too old, or tries whether it can write
  // again after it could not.
  absl::Duration maintenance_interval = absl::Seconds(1);
};

// SQLite in WAL mode with synchronous=FULL: one writer thread with group commit, one reader thread
// with its own connection. One process at a time: the file is locked, a second gateway on it fails
// to open. The schema has a version and is migrated forward in one transaction; a file of a newer
// version is refused.
absl::StatusOr<std::unique_ptr<Store>> OpenSqliteStore(SqliteOptions options, Clock* clock,
                                                       Metrics* metrics);

}  // namespace ipp::store
