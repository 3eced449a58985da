#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/store/postgres/values.h"
#include "server/store/store.h"

namespace ipp::store {

// Times are stored as nanoseconds since 1970; NULL is the infinite future.
inline int64_t PostgresNanos(absl::Time time) { return absl::ToUnixNanos(time); }
inline absl::Time FromPostgresNanos(int64_t nanos) { return absl::FromUnixNanos(nanos); }

inline constexpr char kPostgresReadClock[] =
    "SELECT (extract(epoch FROM clock_timestamp()) * 1000000000)::bigint";

// The columns of table `s` that ReadSession() expects, from column 0.
inline constexpr char kPostgresSessionColumns[] =
    "s.merchant_id, s.request_id, s.complete, s.open, s.created_at, s.updated_at, "
    "s.next_check_at, s.checks, s.session, s.held_event, s.traceparent, s.tracestate, s.trimmed, "
    "s.revision, s.missing_since, s.location_id";
absl::StatusOr<SessionRecord> ReadSession(const PostgresRows& rows, int row);
absl::StatusOr<std::vector<SessionRecord>> ReadSessions(const PostgresRows& rows);

// The columns of table `i` that ReadIntent() expects, from column 0.
inline constexpr char kPostgresIntentColumns[] =
    "i.id, i.merchant_id, i.request_id, i.rpc, i.caller, i.request, i.state, i.owner, "
    "i.under_way_until, i.settle_by, i.answer, i.session_id, i.created_at, i.updated_at, "
    "i.traceparent, i.tracestate, i.trimmed";
IntentRecord ReadIntent(const PostgresRows& rows, int row);
std::vector<IntentRecord> ReadIntents(const PostgresRows& rows);

inline constexpr char kPostgresEventColumns[] =
    "position, recorded_at, merchant_id, session_id, device_id, type, merchant_reference1, payload";
StoredEvent ReadEvent(const PostgresRows& rows, int row);

// The statement whose rows ReadBounds() expects.
inline constexpr char kPostgresReadBounds[] =
    "SELECT trimmed_through + 1, last_position, creates_held_until, (SELECT string_agg(concat_ws("
    "':', sequence, label, starts_after), ',' ORDER BY sequence) FROM ipp_gateway.log_epochs) "
    "FROM ipp_gateway.log, ipp_gateway.log_start";
absl::StatusOr<LogBounds> ReadBounds(const PostgresRows& rows);

// The arguments of the statements that write rows: one array for each column, in the order of the
// table's columns.
PostgresArguments SessionArguments(const std::vector<const SessionRecord*>& records);
PostgresArguments IntentArguments(const std::vector<const IntentRecord*>& intents);
PostgresArguments CancelArguments(const std::vector<AskedCancel>& cancels);
PostgresArguments EventArguments(const std::vector<StoredEvent>& events);

}  // namespace ipp::store
