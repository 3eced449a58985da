#pragma once

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "server/store/postgres/connection.h"

namespace ipp::store {

// Step i migrates the schema `ipp_gateway` from version i to i + 1. Add steps at the end only. Each
// must leave a schema that the previous release can work with, because replicas are replaced one by
// one.
absl::Span<const char* const> PostgresMigrations();

// Migrates the schema to the latest version in one transaction, under a lock: when several replicas
// start at once, the first one does it. FAILED_PRECONDITION, with nothing changed, for a schema of
// a newer release or of another program. A schema that is up to date is only read, so that a role
// without the right to change it can run the gateway.
absl::Status MigratePostgres(PostgresConnection* connection,
                             absl::Span<const char* const> migrations);

}  // namespace ipp::store
