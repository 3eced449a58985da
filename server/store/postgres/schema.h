#pragma once

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "server/store/postgres/connection.h"

namespace ipp::store {

// Step i takes the schema `ipp_gateway` from version i to i + 1. Steps are only ever added at the
// end, and must leave a schema that the release before can work with: replicas are replaced one by
// one.
absl::Span<const char* const> PostgresMigrations();

// Brings the schema to the last version in one transaction, under a lock: several replicas may
// start at once, the first does it. FAILED_PRECONDITION, and nothing changed, for a schema of a
// newer release or of another program. A schema that is up to date is only read, so that a role
// without the right to change it can run the gateway.
absl::Status MigratePostgres(PostgresConnection* connection,
                             absl::Span<const char* const> migrations);

}  // namespace ipp::store
