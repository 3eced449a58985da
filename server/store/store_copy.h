#pragma once

#include <string>

#include "absl/status/status.h"
#include "server/store/postgres/target.h"

namespace ipp::store {

// Copies the SQLite store in the file `source` into an empty PostgreSQL database: log identity,
// epochs, events with their positions, sessions, creates, the memory of webhooks; so that every
// cursor, page token and request_id goes on to mean what it did.
//
// All or nothing: one transaction of the target, at whose end the rows of each table are counted.
// The source is locked meanwhile, so that no gateway runs on it, and brought to the schema of this
// release. FAILED_PRECONDITION when it is in use or no store, or when the target holds anything; a
// gateway that runs on the target waits.
//
// Tables and columns are those of the target's schema, by name: a table that a later release adds
// to both schemas is copied too, one that is in the source alone is refused.
absl::Status CopySqliteToPostgres(const std::string& source, const PostgresFiles& target);

}  // namespace ipp::store
