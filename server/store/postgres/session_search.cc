#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/store/postgres/reader.h"
#include "server/store/postgres/rows.h"
#include "server/store/session_search.h"

// The search of PostgresReader, and the events of one session.
namespace ipp::store {
namespace {

constexpr int64_t kPageBytes = 1 << 20;

struct Path {
  SearchPath path;
  const char* statement;
  const char* value;  // the column whose value is looked for; empty: none
  const char* time;
};

// In the order of SearchPath.
constexpr Path kPaths[] = {
    {SearchPath::kRequest, "search_request", "request_id", "created_at"},
    {SearchPath::kOrder, "search_order", "order_id", "created_at"},
    {SearchPath::kReference1, "search_reference1", "merchant_reference1", "created_at"},
    {SearchPath::kReference2, "search_reference2", "merchant_reference2", "created_at"},
    {SearchPath::kUpdated, "search_update", "", "updated_at"},
    {SearchPath::kDevice, "search_device", "device_id", "created_at"},
    {SearchPath::kLocation, "search_location", "location_id", "created_at"},
    {SearchPath::kStatus, "search_status", "status", "created_at"},
};
static_assert(std::size(kPaths) == kSearchPaths);

// What one merchant, and one value, of an index holds. The ranges and the order are those of the
// index: by equality and the time alone the planner may prefer another one, and read it until
// enough rows match. A request_id has one row, found by equality.
std::string Part(const Path& path) {
  const std::string time = path.time;
  const std::string value = path.value;
  if (path.path == SearchPath::kUpdated) {
    return absl::StrCat(
        "(updated_at, session_id) < (m.before, m.session) AND updated_at >= $3::bigint ",
        "ORDER BY updated_at DESC, session_id DESC");
  }
  if (path.path == SearchPath::kRequest) {
    return "request_id = v.value AND (created_at, session_id) < (m.before, m.session) AND "
           "created_at >= $3::bigint";
  }
  return absl::StrCat(value, " IS NOT NULL AND (", value, ", created_at, session_id) < (v.value, ",
                      "m.before, m.session) AND (", value,
                      ", created_at) >= (v.value, $3::bigint) ORDER ", "BY ", value,
                      " DESC, created_at DESC, session_id DESC");
}

// $1: merchants; $2, $5: where to begin with each of them; $3: the first time; $4: the most rows;
// $6: the values.
std::string Sql(const Path& path) {
  std::string values;
  if (path.value[0] != '\0') {
    values = absl::StrCat(
        "CROSS JOIN unnest($6::", path.path == SearchPath::kStatus ? "bigint" : "bytea",
        "[]) AS v (value) ");
  }
  std::string part = Part(path);
  return absl::StrCat(
      "SELECT ", kPostgresSessionColumns, " FROM (SELECT newest.* FROM ",
      "unnest($1::bytea[], $2::bigint[], $5::bytea[]) AS m (merchant, before, session) ", values,
      "CROSS JOIN LATERAL (SELECT merchant_id, session_id, ", path.time,
      " AS at FROM ipp_gateway.sessions WHERE merchant_id = m.merchant AND ", part,
      " LIMIT $4::bigint) AS newest ORDER BY at DESC, merchant_id DESC, session_id DESC LIMIT ",
      // Not a join: the planner takes the limit for a large part of the table, and would read it
      // all.
      "$4::bigint) AS k CROSS JOIN LATERAL (SELECT * FROM ipp_gateway.sessions t WHERE ",
      "t.merchant_id = k.merchant_id AND t.session_id = k.session_id LIMIT 1) AS s ",
      "ORDER BY k.at DESC, k.merchant_id DESC, k.session_id DESC");
}

}  // namespace

std::vector<PostgresStatement> PostgresSearchStatements() {
  std::vector<PostgresStatement> statements = {
      // Without the order the planner, which takes most rows for such, would read the whole table.
      {"indexing",
       "SELECT count(*) FROM (SELECT FROM ipp_gateway.sessions WHERE searched_at IS DISTINCT FROM "
       "updated_at ORDER BY updated_at LIMIT 1) AS one"},
      {"cancels",
       "SELECT asked_at, caller, traceparent FROM ipp_gateway.cancels WHERE merchant_id = "
       "$1::bytea AND session_id = $2::bytea ORDER BY asked_at LIMIT $3::bigint"},
      // The order is that of the index: see Part().
      {"session_events",
       absl::StrCat(
           "SELECT ", kPostgresEventColumns,
           " FROM (SELECT *, sum(octet_length(payload)) OVER (ORDER BY position ROWS BETWEEN "
           "UNBOUNDED PRECEDING AND CURRENT ROW) - octet_length(payload) AS bytes_before FROM "
           "(SELECT * FROM ipp_gateway.events WHERE merchant_id = $1::bytea AND (session_id, "
           "position) > ($2::bytea, $3::bigint) AND (session_id, position) <= ($2::bytea, "
           "$6::bigint) ORDER BY session_id, position LIMIT $4::bigint) AS page) AS counted WHERE "
           "bytes_before < $5::bigint ORDER BY position")},
  };
  for (const Path& path : kPaths) statements.push_back({path.statement, Sql(path)});
  return statements;
}

absl::StatusOr<SessionScan> PostgresReader::ScanSessions(const SessionQuery& query) {
  const SearchPath path = PathOf(query);
  PostgresArray merchants(PostgresType::kBytea), sessions(PostgresType::kBytea);
  PostgresArray before(PostgresType::kBigint);
  // A merchant that was named twice would be found twice.
  for (const std::string& merchant_id :
       std::set<std::string>(query.merchant_ids.begin(), query.merchant_ids.end())) {
    const SearchStart start = StartOf(query, path, merchant_id);
    merchants.AddBytes(merchant_id);
    before.AddInt(PostgresNanos(start.time));
    sessions.AddBytes(start.session_id);
  }
  PostgresArguments arguments;
  arguments.Array(merchants).Array(before).Int(PostgresNanos(SpanOf(query, path).from));
  arguments.Int(query.limit).Array(sessions);
  if (path != SearchPath::kUpdated) {
    PostgresArray values(path == SearchPath::kStatus ? PostgresType::kBigint
                                                     : PostgresType::kBytea);
    for (const std::string& value : ValuesOf(query, path)) {
      int64_t number = 0;
      if (path == SearchPath::kStatus && absl::SimpleAtoi(value, &number)) {
        values.AddInt(number);
      } else {
        values.AddBytes(value);
      }
    }
    arguments.Array(values);
  }
  IPP_ASSIGN_OR_RETURN(const PostgresRows rows,
                       Run(kPaths[static_cast<int>(path)].statement, std::move(arguments)));
  SessionScan scan;
  IPP_ASSIGN_OR_RETURN(scan.sessions, ReadSessions(rows));
  if (!NeedsIndexed(query)) return scan;
  IPP_ASSIGN_OR_RETURN(const PostgresRows left, Run("indexing", PostgresArguments()));
  scan.indexing = left.Int(0, 0) > 0;
  return scan;
}

absl::StatusOr<std::vector<AskedCancel>> PostgresReader::ListCancels(const std::string& merchant_id,
                                                                     const std::string& session_id,
                                                                     int limit) {
  IPP_ASSIGN_OR_RETURN(
      const PostgresRows rows,
      Run("cancels", PostgresArguments().Bytes(merchant_id).Bytes(session_id).Int(limit)));
  std::vector<AskedCancel> cancels;
  for (int row = 0; row < rows.size(); ++row) {
    cancels.push_back({.merchant_id = merchant_id,
                       .session_id = session_id,
                       .caller = rows.String(row, 1),
                       .traceparent = rows.String(row, 2),
                       .asked_at = FromPostgresNanos(rows.Int(row, 0))});
  }
  return cancels;
}

absl::StatusOr<std::vector<StoredEvent>> PostgresReader::ReadSessionEvents(
    const std::string& merchant_id, const std::string& session_id, int64_t after, int limit) {
  PostgresArguments arguments;
  arguments.Bytes(merchant_id).Bytes(session_id).Int(after).Int(limit).Int(kPageBytes);
  arguments.Int(std::numeric_limits<int64_t>::max());
  IPP_ASSIGN_OR_RETURN(const PostgresRows rows, Run("session_events", std::move(arguments)));
  std::vector<StoredEvent> events;
  for (int row = 0; row < rows.size(); ++row) events.push_back(ReadEvent(rows, row));
  return events;
}

}  // namespace ipp::store
