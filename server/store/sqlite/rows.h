#pragma once

#include <cstdint>

#include "absl/time/time.h"
#include "server/store/sqlite/database.h"
#include "server/store/store.h"

namespace ipp::store {

// Times are stored as nanoseconds since 1970; NULL is the infinite future.
inline int64_t ToNanos(absl::Time time) { return absl::ToUnixNanos(time); }
inline absl::Time FromNanos(int64_t nanos) { return absl::FromUnixNanos(nanos); }

// The columns that ReadSession() expects, from column 0.
inline constexpr char kSessionColumns[] =
    "merchant_id, coalesce(request_id, ''), complete, open, created_at, updated_at, next_check_at, "
    "checks, session, held_event, traceparent, tracestate, trimmed, revision, "
    "missing_since, coalesce(location_id, '')";
absl::StatusOr<SessionRecord> ReadSession(const SqliteQuery& row);

// Binds merchant_id, session_id, request_id, complete, open, created_at, updated_at, next_check_at,
// checks, session, held_event, traceparent, tracestate, trimmed, revision, missing_since, then
// location_id, status, device_id, merchant_reference1, merchant_reference2, order_id, searched_at,
// in this order. `bytes` (the serialized session) and `index` must outlive the query.
struct SessionIndex {
  explicit SessionIndex(const SessionRecord& record);
  std::string device_id, merchant_reference1, merchant_reference2, order_id;
};
void BindSession(SqliteQuery& query, const SessionRecord& record, const std::string& bytes,
                 const SessionIndex& index);
// Binds those from status on.
void BindIndex(SqliteQuery& query, const SessionRecord& record, const SessionIndex& index);

// The columns that ReadIntent() expects, from column 0.
inline constexpr char kIntentColumns[] =
    "id, merchant_id, request_id, rpc, caller, request, state, owner, under_way_until, settle_by, "
    "answer, session_id, created_at, updated_at, traceparent, tracestate, trimmed";
IntentRecord ReadIntent(const SqliteQuery& row);

// Binds all of these columns except the id.
void BindIntent(SqliteQuery& query, const IntentRecord& intent);

// The columns that ReadEvent() expects and BindEvent() binds, from column 0.
inline constexpr char kEventColumns[] =
    "position, recorded_at, merchant_id, session_id, device_id, type, merchant_reference1, payload";
StoredEvent ReadEvent(const SqliteQuery& row);
void BindEvent(SqliteQuery& query, const StoredEvent& event);

}  // namespace ipp::store
