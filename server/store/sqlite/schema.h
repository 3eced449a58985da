#pragma once

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "server/store/schema_version.h"
#include "server/store/sqlite/database.h"

namespace ipp::store {

// Step i migrates the schema from version i to i + 1. Add steps at the end only; never change one.
// What a step may do without an end to older releases: schema_version.h.
absl::Span<const char* const> SqliteMigrations();

inline constexpr Usable kSqliteUsable = {.said_from = 10, .usable_from = 10};

// Migrates the schema to the latest version. Each step is one transaction, together with the new
// version number (PRAGMA user_version). A file of a newer version is left as it is, if its release
// says that this one can use it. FAILED_PRECONDITION, with nothing changed, if not, and for a file
// of another program.
absl::Status MigrateSqlite(SqliteDatabase* database, absl::Span<const char* const> migrations,
                           const Usable& usable = kSqliteUsable);

// FAILED_PRECONDITION if the file has a newer version than this release's: for what must know all
// that is in it.
absl::Status CheckSqliteIsKnown(SqliteDatabase* database);

// FAILED_PRECONDITION unless the file is a store of this gateway, of any version.
absl::Status CheckSqliteOwner(SqliteDatabase* database);

}  // namespace ipp::store
