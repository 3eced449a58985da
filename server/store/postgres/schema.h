#pragma once

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "server/store/postgres/connection.h"
#include "server/store/schema_version.h"

namespace ipp::store {

// Step i migrates the schema `ipp_gateway` from version i to i + 1. Add steps at the end only. Each
// must leave a schema that the previous release can work with, because replicas are replaced one by
// one: schema_version.h.
absl::Span<const char* const> PostgresMigrations();

inline constexpr Usable kPostgresUsable = {.said_from = 9, .usable_from = 9};

// Migrates the schema to the latest version in one transaction, under a lock: when several replicas
// start at once, the first one does it. A schema of a newer version is left as it is, if its
// release says that this one can use it. FAILED_PRECONDITION, with nothing changed, if not, and for
// a schema of another program. A schema that is up to date is only read, so that a role without the
// right to change it can run the gateway.
absl::Status MigratePostgres(PostgresConnection* connection,
                             absl::Span<const char* const> migrations,
                             const Usable& usable = kPostgresUsable);

}  // namespace ipp::store
