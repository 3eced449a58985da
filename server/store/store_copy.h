#pragma once

#include <string>

#include "absl/status/status.h"
#include "server/store/postgres/target.h"

namespace ipp::store {

// Copies the SQLite store in the file `source` into an empty PostgreSQL database: the log's
// identity, epochs, events with their positions, sessions, creates, ids of webhooks. Every cursor,
// page token and request_id keeps its meaning.
//
// All or nothing: one transaction of the target, which counts the rows of each table before it
// commits. The source stays locked meanwhile, so that no gateway runs on it, and is migrated to the
// schema of this release. FAILED_PRECONDITION when the source is in use or is not a store, or when
// the target is not empty. A gateway that runs on the target waits until the copy ends.
//
// Tables and columns are those of the target's schema, by name: a table that a later release adds
// to both schemas is copied too. A table that only the source has is refused.
absl::Status CopySqliteToPostgres(const std::string& source, const PostgresFiles& target);

}  // namespace ipp::store
