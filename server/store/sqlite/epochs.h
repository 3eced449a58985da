#pragma once

#include "absl/status/status.h"
#include "server/store/log_bounds.h"
#include "server/store/sqlite/database.h"

// The breaks in the history of a log that SQLite keeps. See log_bounds.h.
namespace ipp::store {

// Fills in `epochs` and `creates_held_until`.
absl::Status LoadEpochs(SqliteDatabase* database, LogBounds* bounds);

// Store::BeginEpoch: one transaction, after which `bounds` are those of the log.
absl::Status WriteEpoch(SqliteDatabase* database, const NewEpoch& epoch, LogBounds* bounds);

}  // namespace ipp::store
