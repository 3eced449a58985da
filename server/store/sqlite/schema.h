#pragma once

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "server/store/sqlite/database.h"

namespace ipp::store {

// Step i takes the schema from version i to i + 1. Steps are only ever added at the end.
absl::Span<const char* const> SqliteMigrations();

// Brings the schema to the last version, each step in a transaction of its own together with the
// number (PRAGMA user_version). FAILED_PRECONDITION, and nothing changed, for a file of a newer
// version or of another program.
absl::Status MigrateSqlite(SqliteDatabase* database, absl::Span<const char* const> migrations);

// FAILED_PRECONDITION unless the file is a store of this gateway, of whatever version.
absl::Status CheckSqliteOwner(SqliteDatabase* database);

}  // namespace ipp::store
