#include "server/store/postgres/reader.h"

#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/store/postgres/rows.h"
#include "server/store/postgres/shared_tables.h"

namespace ipp::store {
namespace {

constexpr int64_t kPageBytes = 1 << 20;

// A page ends with the row that takes it over kPageBytes. The server sums the lengths, which it
// knows without decompressing the payloads.
constexpr char kPage[] =
    " FROM (SELECT *, sum(octet_length(payload)) OVER (ORDER BY position ROWS BETWEEN UNBOUNDED "
    "PRECEDING AND CURRENT ROW) - octet_length(payload) AS bytes_before FROM (SELECT * FROM "
    "ipp_gateway.events WHERE position > $1::bigint ORDER BY position LIMIT $2::bigint) AS page) "
    "AS counted WHERE bytes_before < $3::bigint ORDER BY position";

// Binary search over [first, beyond): all events before it are older than the time, none from its
// end on is. A missing event was trimmed, so it is old; the CASE treats its NULL as "older".
constexpr char kFindPosition[] =
    "WITH RECURSIVE search (first, beyond) AS ("
    "SELECT trimmed_through + 1, last_position + 1 FROM ipp_gateway.log, ipp_gateway.log_start "
    "UNION ALL "
    "SELECT CASE WHEN e.recorded_at >= $1::bigint THEN first ELSE middle + 1 END, "
    "CASE WHEN e.recorded_at >= $1::bigint THEN middle ELSE beyond END "
    "FROM search CROSS JOIN LATERAL (SELECT first + (beyond - first) / 2 AS middle) AS m "
    "LEFT JOIN ipp_gateway.events e ON e.position = middle WHERE first < beyond) "
    "SELECT first - 1 FROM search WHERE first >= beyond";

// Each merchant and state has its part of the index intents_listed, so no row is looked at that
// does not match. The ranges and the order are those of the index: by equality and `id` alone the
// planner may prefer the primary key, and read it backwards until enough rows match.
constexpr char kNewestIntents[] =
    " FROM ipp_gateway.intents i WHERE id IN (SELECT newest.id FROM unnest($1::bytea[]) AS m "
    "(merchant) CROSS JOIN unnest($2::bigint[]) AS s (state) CROSS JOIN LATERAL (SELECT id FROM "
    "ipp_gateway.intents WHERE merchant_id = m.merchant AND (state, id) > (s.state, 0) AND "
    "(state, id) < (s.state, $3::bigint) ORDER BY state DESC, id DESC LIMIT $4::bigint) AS newest) "
    "ORDER BY id DESC LIMIT $4::bigint";

// State 3: refused.
// Without EXISTS, for which PostgreSQL 18 reads both tables whole, into hashes, whatever the
// connection's settings are.
constexpr char kSettled[] =
    "SELECT (SELECT true FROM ipp_gateway.sessions WHERE merchant_id = k.merchant AND request_id = "
    "k.request LIMIT 1) IS NOT NULL OR (SELECT true FROM ipp_gateway.intents WHERE merchant_id = "
    "k.merchant AND request_id = k.request AND (state = 3 OR session_id <> '') LIMIT 1) IS NOT "
    "NULL FROM unnest($1::bytea[], $2::bytea[]) WITH ORDINALITY AS k (merchant, request, place) "
    "ORDER BY place";

}  // namespace

std::vector<PostgresStatement> PostgresReaderStatements() {
  std::vector<PostgresStatement> statements = {
      {"by_session", absl::StrCat("SELECT ", kPostgresSessionColumns,
                                  " FROM ipp_gateway.sessions s WHERE merchant_id = $1::bytea AND "
                                  "session_id = $2::bytea")},
      {"by_request", absl::StrCat("SELECT ", kPostgresSessionColumns,
                                  " FROM ipp_gateway.sessions s WHERE merchant_id = $1::bytea AND "
                                  "request_id = $2::bytea")},
      {"intent", absl::StrCat("SELECT ", kPostgresIntentColumns,
                              " FROM ipp_gateway.intents i WHERE merchant_id = $1::bytea AND "
                              "request_id = $2::bytea")},
      {"intents", absl::StrCat("SELECT ", kPostgresIntentColumns, kNewestIntents)},
      {"settled", kSettled},
      {"count_intents",
       "SELECT count(*) FILTER (WHERE state = 1), count(*) FILTER (WHERE state = 5), "
       "min(created_at) FILTER (WHERE state = 5) FROM ipp_gateway.intents WHERE state IN (1, 5) "
       "AND NOT trimmed"},
      {"count_open",
       "SELECT count(*), count(*) FILTER (WHERE created_at < $1::bigint), min(created_at) FROM "
       "ipp_gateway.sessions WHERE open"},
      {"events", absl::StrCat("SELECT ", kPostgresEventColumns, kPage)},
      {"find_position", kFindPosition},
      {"bounds", kPostgresReadBounds},
      {"size",
       "SELECT coalesce(sum(pg_catalog.pg_total_relation_size(c.oid)), 0)::bigint FROM "
       "pg_catalog.pg_class c WHERE c.relnamespace = 'ipp_gateway'::regnamespace AND c.relkind = "
       "'r'"},
  };
  for (PostgresStatement& statement : PostgresSharedReadStatements()) {
    statements.push_back(std::move(statement));
  }
  for (PostgresStatement& statement : PostgresSearchStatements()) {
    statements.push_back(std::move(statement));
  }
  return statements;
}

absl::StatusOr<PostgresRows> PostgresReader::Run(const char* name, PostgresArguments arguments) {
  const PostgresCall calls[] = {{name, std::move(arguments)}};
  for (bool first = true;; first = false) {
    IPP_ASSIGN_OR_RETURN(PostgresConnection* const connection,
                         connection_.Get(ReconnectingConnection::InPause::kFail));
    absl::StatusOr<std::vector<PostgresRows>> rows = connection->Run(calls, limits_.answer);
    if (rows.ok()) {
      connection_.Worked();
      return std::move(rows->front());
    }
    // An argument that the server cannot accept (a key that is too long) is not a fault of the
    // connection.
    if (absl::IsInvalidArgument(rows.status()) && !connection->dead()) return rows.status();
    const bool again = first && connection->dead() && absl::IsUnavailable(rows.status());
    connection_.Drop(rows.status());
    if (!again) return rows.status();
  }
}

absl::StatusOr<SessionRecord> PostgresReader::FindOne(const char* name,
                                                      const std::string& merchant_id,
                                                      const std::string& id) {
  IPP_ASSIGN_OR_RETURN(const PostgresRows rows,
                       Run(name, PostgresArguments().Bytes(merchant_id).Bytes(id)));
  if (rows.size() == 0) return absl::NotFoundError("the gateway does not know this session");
  return ReadSession(rows, 0);
}

absl::StatusOr<SessionRecord> PostgresReader::FindSession(const std::string& merchant_id,
                                                          const std::string& session_id) {
  return FindOne("by_session", merchant_id, session_id);
}

absl::StatusOr<SessionRecord> PostgresReader::FindSessionByRequest(const std::string& merchant_id,
                                                                   const std::string& request_id) {
  return FindOne("by_request", merchant_id, request_id);
}

absl::StatusOr<IntentRecord> PostgresReader::FindIntent(const std::string& merchant_id,
                                                        const std::string& request_id) {
  IPP_ASSIGN_OR_RETURN(const PostgresRows rows,
                       Run("intent", PostgresArguments().Bytes(merchant_id).Bytes(request_id)));
  if (rows.size() == 0) return absl::NotFoundError("the gateway does not know this request_id");
  return ReadIntent(rows, 0);
}

absl::StatusOr<std::vector<IntentRecord>> PostgresReader::ListIntents(const IntentQuery& query) {
  PostgresArray merchants(PostgresType::kBytea), states(PostgresType::kBigint);
  for (const std::string& merchant_id : query.merchant_ids) merchants.AddBytes(merchant_id);
  const auto add = [&states](IntentState state) { states.AddInt(static_cast<int64_t>(state)); };
  if (query.states.empty()) {
    for (const IntentState state : kIntentStates) add(state);
  } else {
    for (const IntentState state : query.states) add(state);
  }
  PostgresArguments arguments;
  arguments.Array(merchants).Array(states);
  arguments.Int(query.before_id > 0 ? query.before_id : std::numeric_limits<int64_t>::max());
  arguments.Int(query.limit);
  IPP_ASSIGN_OR_RETURN(const PostgresRows rows, Run("intents", std::move(arguments)));
  return ReadIntents(rows);
}

absl::StatusOr<std::vector<bool>> PostgresReader::AreSettled(
    const std::vector<IntentKey>& creates) {
  PostgresArray merchants(PostgresType::kBytea), requests(PostgresType::kBytea);
  for (const auto& [merchant_id, request_id] : creates) {
    merchants.AddBytes(merchant_id);
    requests.AddBytes(request_id);
  }
  IPP_ASSIGN_OR_RETURN(const PostgresRows rows,
                       Run("settled", PostgresArguments().Array(merchants).Array(requests)));
  if (rows.size() != static_cast<int>(creates.size())) {
    return absl::InternalError("the database answered for another number of creates");
  }
  std::vector<bool> settled;
  settled.reserve(creates.size());
  for (int row = 0; row < rows.size(); ++row) settled.push_back(rows.Bool(row, 0));
  return settled;
}

absl::StatusOr<IntentCounts> PostgresReader::CountIntents() {
  IPP_ASSIGN_OR_RETURN(const PostgresRows rows, Run("count_intents", PostgresArguments()));
  IntentCounts counts{.under_way = rows.Int(0, 0), .unknown = rows.Int(0, 1)};
  if (counts.unknown > 0) counts.oldest_unknown = FromPostgresNanos(rows.Int(0, 2));
  return counts;
}

absl::StatusOr<OpenSessions> PostgresReader::CountOpen(absl::Time overdue_before) {
  IPP_ASSIGN_OR_RETURN(const PostgresRows rows,
                       Run("count_open", PostgresArguments().Int(PostgresNanos(overdue_before))));
  OpenSessions open{.count = rows.Int(0, 0), .overdue = rows.Int(0, 1)};
  if (open.count > 0) open.oldest = FromPostgresNanos(rows.Int(0, 2));
  return open;
}

absl::StatusOr<std::vector<StoredEvent>> PostgresReader::ReadEvents(int64_t after, int limit) {
  IPP_ASSIGN_OR_RETURN(const PostgresRows rows,
                       Run("events", PostgresArguments().Int(after).Int(limit).Int(kPageBytes)));
  std::vector<StoredEvent> events;
  events.reserve(static_cast<size_t>(rows.size()));
  for (int row = 0; row < rows.size(); ++row) events.push_back(ReadEvent(rows, row));
  return events;
}

absl::StatusOr<int64_t> PostgresReader::FindPosition(absl::Time time) {
  IPP_ASSIGN_OR_RETURN(const PostgresRows rows,
                       Run("find_position", PostgresArguments().Int(PostgresNanos(time))));
  return rows.Int(0, 0);
}

absl::StatusOr<LogBounds> PostgresReader::ReadBounds() {
  IPP_ASSIGN_OR_RETURN(const PostgresRows rows, Run("bounds", PostgresArguments()));
  return store::ReadBounds(rows);
}

absl::StatusOr<int64_t> PostgresReader::SizeBytes() {
  IPP_ASSIGN_OR_RETURN(const PostgresRows rows, Run("size", PostgresArguments()));
  return rows.Int(0, 0);
}

}  // namespace ipp::store
