#pragma once

#include "absl/status/status.h"
#include "server/store/log_bounds.h"
#include "server/store/sqlite/database.h"

// Epochs of a log in SQLite. See log_bounds.h.
namespace ipp::store {

// Reads `epochs` and `creates_held_until` into `bounds`.
absl::Status LoadEpochs(SqliteDatabase* database, LogBounds* bounds);

// Store::BeginEpoch, as one transaction. Afterwards `bounds` has the new epoch.
absl::Status WriteEpoch(SqliteDatabase* database, const NewEpoch& epoch, LogBounds* bounds);

}  // namespace ipp::store
