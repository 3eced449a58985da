#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/store/postgres/reader.h"
#include "server/store/postgres/rows.h"
#include "server/store/postgres/shared_rows.h"
#include "server/store/postgres/shared_tables.h"

// The reads of shared subscriptions of PostgresReader.
namespace ipp::store {
namespace {

constexpr char kCount[] =
    "SELECT s.read_position, s.last_used_at, count(h.position) FILTER (WHERE h.out AND "
    "h.leased_until > $2::bigint), count(h.position), min(h.recorded_at), (SELECT recorded_at FROM "
    "ipp_gateway.events WHERE position > s.read_position ORDER BY position LIMIT 1), "
    "min(h.position) FILTER (WHERE NOT h.redriven), (SELECT count(*) FROM "
    "ipp_gateway.shared_parked WHERE subscription = $1::bigint AND NOT redriving) FROM "
    "ipp_gateway.shared_subscriptions s LEFT JOIN ipp_gateway.shared_heads h ON h.subscription = "
    "s.id AND h.position > 0 WHERE s.id = $1::bigint GROUP BY s.id";

std::string Select(const char* columns, const char* rest) {
  return absl::StrCat("SELECT ", columns, rest);
}

}  // namespace

std::vector<PostgresStatement> PostgresSharedReadStatements() {
  return {
      {"shared_list", Select(kPostgresSharedRecordColumns, kPostgresSharedOfCaller)},
      {"shared_list_all", Select(kPostgresSharedRecordColumns,
                                 " FROM ipp_gateway.shared_subscriptions ORDER BY caller, name")},
      {"shared_count", kCount},
      {"shared_list_parked",
       Select(kPostgresSharedParkedColumns,
              " FROM ipp_gateway.shared_parked WHERE subscription = $1::bigint AND NOT redriving "
              "AND position > $2::bigint ORDER BY position LIMIT $3::bigint")},
      {"shared_heads", Select(kPostgresSharedHeadColumns, kPostgresHeadsOfSessions)},
  };
}

absl::StatusOr<std::vector<SharedRecord>> PostgresReader::List(const std::string* caller) {
  IPP_ASSIGN_OR_RETURN(const PostgresRows rows,
                       caller == nullptr ? Run("shared_list_all", {})
                                         : Run("shared_list", PostgresArguments().Bytes(*caller)));
  return ReadSharedRecords(rows);
}

absl::StatusOr<std::optional<SharedCounts>> PostgresReader::Count(int64_t id, absl::Time now) {
  IPP_ASSIGN_OR_RETURN(const PostgresRows rows,
                       Run("shared_count", PostgresArguments().Int(id).Int(PostgresNanos(now))));
  if (rows.size() == 0) return std::nullopt;
  SharedCounts counts;
  counts.read_position = rows.Int(0, 0);
  counts.last_used_at = FromPostgresNanos(rows.Int(0, 1));
  counts.out = rows.Int(0, 2);
  counts.held = rows.Int(0, 3) - counts.out;
  if (!rows.IsNull(0, 4)) counts.oldest = FromPostgresNanos(rows.Int(0, 4));
  if (!rows.IsNull(0, 5)) counts.unread_at = FromPostgresNanos(rows.Int(0, 5));
  if (!rows.IsNull(0, 6)) counts.oldest_position = rows.Int(0, 6);
  counts.parked = rows.Int(0, 7);
  return counts;
}

absl::StatusOr<std::vector<SharedParked>> PostgresReader::ListParked(int64_t id, int64_t after,
                                                                     int limit) {
  IPP_ASSIGN_OR_RETURN(
      const PostgresRows rows,
      Run("shared_list_parked", PostgresArguments().Int(id).Int(after).Int(limit)));
  return ReadSharedParked(rows);
}

absl::StatusOr<std::vector<SharedHead>> PostgresReader::Heads(
    int64_t id, const std::vector<SessionKey>& sessions) {
  IPP_ASSIGN_OR_RETURN(const PostgresRows rows,
                       Run("shared_heads", std::move(SessionKeyArguments(sessions).Int(id))));
  return ReadSharedHeads(rows);
}

}  // namespace ipp::store
