#pragma once

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "server/store/postgres/connection.h"
#include "server/store/postgres/connection_settings.h"
#include "server/store/postgres/target.h"

namespace ipp::store {

// Checks that `connection` has a session of its own at the server, as the store needs it: settings,
// prepared statements and LISTEN belong to the session. Behind a pool in transaction mode
// (PgBouncer and others) they would end up in whatever session the pool chooses, which may go
// unnoticed for as long as the pool has only one to choose from. Opens a second connection to
// `targets` for as long as it takes, and writes nothing.
//
// FAILED_PRECONDITION if the session is shared; otherwise the errors of PostgresConnection.
absl::Status CheckSession(PostgresConnection& connection, absl::Span<const PostgresTarget> targets,
                          const PostgresLimits& limits);

}  // namespace ipp::store
