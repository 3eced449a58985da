#pragma once

#include <string>
#include <vector>

#include "server/store/postgres/values.h"
#include "server/store/shared_tables.h"

namespace ipp::store {

// The columns that the functions below expect, from column 0; of SharedHeadArguments and
// SharedParkedArguments one array for each.
inline constexpr char kPostgresSharedRecordColumns[] =
    "id, caller, name, spec, read_position, due_floor, created_at, last_used_at";
SharedRecord ReadSharedRecord(const PostgresRows& rows, int row);
std::vector<SharedRecord> ReadSharedRecords(const PostgresRows& rows);

inline constexpr char kPostgresSharedHeadColumns[] =
    "merchant_id, session_id, position, redriven, settled_through, attempts, lease, out, "
    "leased_until, due_at, first_at, recorded_at, consumer, last_error, settled, settled_at";
std::vector<SharedHead> ReadSharedHeads(const PostgresRows& rows);
PostgresArguments SharedHeadArguments(const std::vector<SharedHead>& heads);

inline constexpr char kPostgresSharedParkedColumns[] =
    "position, event_id, recorded_at, merchant_id, session_id, attempts, first_at, parked_at, "
    "reason, consumer, redriving, payload";
std::vector<SharedParked> ReadSharedParked(const PostgresRows& rows);
PostgresArguments SharedParkedArguments(const std::vector<SharedParked>& parked);

// What follows the columns in statements that both halves of the backend run: the heads of sessions
// ($1, $2) of a subscription ($3), each by its whole key, however the statement was planned while
// the table was empty; and the subscriptions of a caller.
inline constexpr char kPostgresHeadsOfSessions[] =
    " FROM unnest($1::bytea[], $2::bytea[]) AS k (merchant, session) CROSS JOIN LATERAL (SELECT * "
    "FROM ipp_gateway.shared_heads WHERE subscription = $3::bigint AND merchant_id = k.merchant "
    "AND session_id = k.session OFFSET 0) AS h";
inline constexpr char kPostgresSharedOfCaller[] =
    " FROM ipp_gateway.shared_subscriptions WHERE caller = $1::bytea ORDER BY name";

// The arguments of statements that take sessions: two arrays.
PostgresArguments SessionKeyArguments(const std::vector<SessionKey>& sessions);

}  // namespace ipp::store
