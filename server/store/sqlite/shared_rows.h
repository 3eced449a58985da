#pragma once

#include "server/store/shared_tables.h"
#include "server/store/sqlite/database.h"

namespace ipp::store {

// The columns that the functions below expect, from column 0, and that the Bind functions bind.
inline constexpr char kSharedRecordColumns[] =
    "id, caller, name, spec, read_position, due_floor, created_at, last_used_at";
SharedRecord ReadSharedRecord(const SqliteQuery& row);

inline constexpr char kSharedHeadColumns[] =
    "merchant_id, session_id, position, redriven, settled_through, attempts, lease, out, "
    "leased_until, due_at, first_at, recorded_at, consumer, last_error, settled, settled_at";
SharedHead ReadSharedHead(const SqliteQuery& row);
// `settled` (PackLeases) must outlive the query.
void BindSharedHead(SqliteQuery& query, const SharedHead& head, const std::string& settled);

inline constexpr char kSharedParkedColumns[] =
    "position, event_id, recorded_at, merchant_id, session_id, attempts, first_at, parked_at, "
    "reason, consumer, redriving, payload";
SharedParked ReadSharedParked(const SqliteQuery& row);
void BindSharedParked(SqliteQuery& query, const SharedParked& parked);

// Reads the rows that are left.
template <typename Row>
absl::StatusOr<std::vector<Row>> ReadRows(SqliteQuery& query, Row (*read)(const SqliteQuery&)) {
  std::vector<Row> rows;
  while (true) {
    const absl::StatusOr<bool> found = query.Step();
    if (!found.ok()) return found.status();
    if (!*found) return rows;
    rows.push_back(read(query));
  }
}

}  // namespace ipp::store
