#pragma once

#include <cstdint>
#include <vector>

#include "server/store/batch.h"
#include "server/store/log_bounds.h"
#include "server/store/postgres/connection.h"

// Epochs of a log in PostgreSQL. See log_bounds.h.
namespace ipp::store {

// For PostgresConnection::Prepare.
std::vector<PostgresStatement> PostgresEpochStatements();

// The calls of Store::BeginEpoch, to run after "begin" and "lock_log" and before "commit". The last
// one returns the bounds.
std::vector<PostgresCall> PostgresEpochCalls(const NewEpoch& epoch);

// Begins an epoch inside a transaction that appends, because events that this replica has seen are
// lost; unless another replica has begun it.
PostgresCall PostgresLossCall(const LogLoss& loss);

}  // namespace ipp::store
