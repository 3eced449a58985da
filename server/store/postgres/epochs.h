#pragma once

#include <cstdint>
#include <vector>

#include "server/store/log_bounds.h"
#include "server/store/postgres/connection.h"

// The breaks in the history of a log that PostgreSQL keeps. See log_bounds.h.
namespace ipp::store {

// For PostgresConnection::Prepare.
std::vector<PostgresStatement> PostgresEpochStatements();

// What Store::BeginEpoch runs after "begin" and "lock_log" and before "commit". The bounds are the
// rows of the last of them.
std::vector<PostgresCall> PostgresEpochCalls(const NewEpoch& epoch);

// The same inside a transaction that appends, `before` being the end of the log before it: events
// that this replica has seen are lost.
PostgresCall PostgresLossCall(int64_t before);

}  // namespace ipp::store
