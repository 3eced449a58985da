#pragma once

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "server/store/sqlite/database.h"

namespace ipp::store {

// Step i migrates the schema from version i to i + 1. Add steps at the end only; never change one.
absl::Span<const char* const> SqliteMigrations();

// Migrates the schema to the latest version. Each step is one transaction, together with the new
// version number (PRAGMA user_version). FAILED_PRECONDITION, with nothing changed, for a file of a
// newer version or of another program.
absl::Status MigrateSqlite(SqliteDatabase* database, absl::Span<const char* const> migrations);

// FAILED_PRECONDITION unless the file is a store of this gateway, of any version.
absl::Status CheckSqliteOwner(SqliteDatabase* database);

}  // namespace ipp::store
