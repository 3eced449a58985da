#include <utility>

#include "absl/strings/str_cat.h"
#include "server/store/postgres/epochs.h"
#include "server/store/postgres/rows.h"
#include "server/store/postgres/shared_tables.h"
#include "server/store/postgres/writer.h"

// The SQL of PostgresWriter.
namespace ipp::store {
namespace {

constexpr char kReadSessions[] =
    " FROM unnest($1::bytea[], $2::bytea[]) AS k (merchant_id, session_id) "
    "JOIN ipp_gateway.sessions s USING (merchant_id, session_id) FOR UPDATE OF s";
constexpr char kPutSessions[] =
    "INSERT INTO ipp_gateway.sessions (merchant_id, session_id, request_id, complete, open, "
    "created_at, updated_at, next_check_at, checks, session, held_event, traceparent, tracestate, "
    "trimmed, revision, missing_since, location_id, status, device_id, merchant_reference1, "
    "merchant_reference2, order_id, searched_at) SELECT * FROM unnest($1::bytea[], $2::bytea[], "
    "$3::bytea[], "
    "$4::boolean[], $5::boolean[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], "
    "$10::bytea[], $11::bytea[], $12::bytea[], $13::bytea[], $14::boolean[], $15::bigint[], "
    "$16::bigint[], $17::bytea[], $18::bigint[], $19::bytea[], $20::bytea[], $21::bytea[], "
    "$22::bytea[], $23::bigint[]) "
    "ON CONFLICT (merchant_id, session_id) DO UPDATE SET "
    "request_id = excluded.request_id, complete = excluded.complete, open = excluded.open, "
    "created_at = excluded.created_at, updated_at = excluded.updated_at, "
    "next_check_at = excluded.next_check_at, checks = excluded.checks, session = excluded.session, "
    "held_event = excluded.held_event, traceparent = excluded.traceparent, "
    "tracestate = excluded.tracestate, trimmed = excluded.trimmed, "
    "revision = excluded.revision, missing_since = excluded.missing_since, "
    "location_id = excluded.location_id, status = excluded.status, "
    "device_id = excluded.device_id, merchant_reference1 = excluded.merchant_reference1, "
    "merchant_reference2 = excluded.merchant_reference2, order_id = excluded.order_id, "
    "searched_at = excluded.searched_at";
constexpr char kToIndex[] =
    " FROM ipp_gateway.sessions s WHERE searched_at IS DISTINCT FROM updated_at ORDER BY "
    "updated_at DESC LIMIT $1::bigint FOR UPDATE SKIP LOCKED";
constexpr char kTrimCancels[] =
    "WITH gone AS (DELETE FROM ipp_gateway.cancels WHERE ctid = ANY (ARRAY(SELECT ctid FROM "
    "ipp_gateway.cancels WHERE asked_at < $1::bigint ORDER BY asked_at LIMIT $2::bigint)) "
    "RETURNING 1) SELECT count(*) FROM gone";
constexpr char kReadCreated[] =
    " FROM unnest($1::bytea[], $2::bytea[]) AS k (merchant_id, request_id) "
    "JOIN ipp_gateway.sessions s USING (merchant_id, request_id)";
constexpr char kReadIntents[] =
    " FROM unnest($1::bytea[], $2::bytea[]) AS k (merchant_id, request_id) "
    "JOIN ipp_gateway.intents i USING (merchant_id, request_id) FOR UPDATE OF i";
// The merchants of $3 that have a create which may be under way at $4 (or at the log's last
// recorded_at, if that is later) and is not one of ($1, $2).
constexpr char kReadCreating[] =
    "SELECT k.merchant_id FROM unnest($3::bytea[]) AS k (merchant_id) CROSS JOIN LATERAL ("
    "SELECT FROM ipp_gateway.intents i WHERE i.merchant_id = k.merchant_id AND i.state IN (1, 5) "
    "AND i.settle_by > greatest($4::bigint, (SELECT last_recorded_at FROM ipp_gateway.log)) "
    "AND i.rpc = 'CreateSession' AND (i.merchant_id, i.request_id) NOT IN "
    "(SELECT * FROM unnest($1::bytea[], $2::bytea[])) LIMIT 1) AS one";
constexpr char kPutIntents[] =
    "INSERT INTO ipp_gateway.intents SELECT * FROM unnest($1::bigint[], $2::bytea[], $3::bytea[], "
    "$4::bytea[], $5::bytea[], $6::bytea[], $7::bigint[], $8::bytea[], $9::bigint[], "
    "$10::bigint[], $11::bytea[], $12::bytea[], $13::bigint[], $14::bigint[], "
    "$15::bytea[], $16::bytea[], $17::boolean[]) "
    "ON CONFLICT (merchant_id, request_id) DO UPDATE SET rpc = excluded.rpc, "
    "caller = excluded.caller, request = excluded.request, state = excluded.state, "
    "owner = excluded.owner, under_way_until = excluded.under_way_until, "
    "settle_by = excluded.settle_by, answer = excluded.answer, session_id = excluded.session_id, "
    "created_at = excluded.created_at, updated_at = excluded.updated_at, "
    "traceparent = excluded.traceparent, tracestate = excluded.tracestate, "
    "trimmed = excluded.trimmed";
// ARRAY(...) so that the rows are chosen and locked once, however the update is planned.
constexpr char kOrphans[] =
    "UPDATE ipp_gateway.intents i SET state = 5, updated_at = greatest(updated_at, $1::bigint) "
    "WHERE id = ANY (ARRAY(SELECT id FROM ipp_gateway.intents WHERE state = 1 AND under_way_until "
    "< $2::bigint ORDER BY under_way_until LIMIT $3::bigint FOR UPDATE SKIP LOCKED)) RETURNING ";
constexpr char kPutOff[] =
    "UPDATE ipp_gateway.sessions s SET next_check_at = k.next_check_at, checks = k.checks "
    "FROM unnest($1::bytea[], $2::bytea[], $3::bigint[], $4::bigint[]) "
    "AS k (merchant_id, session_id, next_check_at, checks) "
    "WHERE s.merchant_id = k.merchant_id AND s.session_id = k.session_id";
constexpr char kTrimEvents[] =
    "WITH old AS (SELECT max(position) AS through FROM (SELECT position, recorded_at FROM "
    "ipp_gateway.events WHERE position > (SELECT trimmed_through FROM ipp_gateway.log_start) ORDER "
    "BY position LIMIT $2::bigint) AS first WHERE recorded_at < $1::bigint), "
    "gone AS (DELETE FROM ipp_gateway.events WHERE position > (SELECT trimmed_through FROM "
    "ipp_gateway.log_start) AND position <= (SELECT through FROM old) RETURNING 1), "
    "moved AS (UPDATE ipp_gateway.log_start SET trimmed_through = old.through FROM old WHERE "
    "old.through IS NOT NULL) "
    "SELECT count(*) FROM gone";
// $1: the cutoff; $2: the most rows.
constexpr char kOldSessions[] =
    " FROM ipp_gateway.sessions s WHERE NOT open AND NOT trimmed AND updated_at < $1::bigint ORDER "
    "BY updated_at LIMIT $2::bigint FOR UPDATE SKIP LOCKED";
constexpr char kOldIntents[] =
    " FROM ipp_gateway.intents i WHERE NOT trimmed AND updated_at < $1::bigint ORDER BY updated_at "
    "LIMIT $2::bigint FOR UPDATE SKIP LOCKED";
constexpr char kTrimSessions[] =
    "WITH gone AS (DELETE FROM ipp_gateway.sessions WHERE ctid = ANY (ARRAY(SELECT ctid FROM "
    "ipp_gateway.sessions WHERE NOT open AND trimmed AND updated_at < $1::bigint ORDER BY "
    "updated_at LIMIT $2::bigint FOR UPDATE SKIP LOCKED)) RETURNING 1) SELECT count(*) FROM gone";
constexpr char kTrimSeen[] =
    "WITH gone AS (DELETE FROM ipp_gateway.seen WHERE ctid = ANY (ARRAY(SELECT ctid FROM "
    "ipp_gateway.seen WHERE seen_at < $1::bigint ORDER BY seen_at LIMIT $2::bigint)) RETURNING 1) "
    "SELECT count(*) FROM gone";
constexpr char kTrimIntents[] =
    "WITH gone AS (DELETE FROM ipp_gateway.intents WHERE ctid = ANY (ARRAY(SELECT ctid FROM "
    "ipp_gateway.intents WHERE trimmed AND updated_at < $1::bigint ORDER BY updated_at LIMIT "
    "$2::bigint FOR UPDATE SKIP LOCKED)) RETURNING 1) SELECT count(*) FROM gone";

}  // namespace

std::vector<PostgresStatement> PostgresWriterStatements() {
  std::vector<PostgresStatement> statements = {
      {"begin", "BEGIN ISOLATION LEVEL READ COMMITTED"},
      {"commit", "COMMIT"},
      {"rollback", "ROLLBACK"},
      {"lock_log",
       "SELECT last_position, last_recorded_at, last_intent FROM ipp_gateway.log FOR UPDATE"},
      {"read_seen", "SELECT key FROM ipp_gateway.seen WHERE key = ANY ($1::bytea[])"},
      {"read_sessions", absl::StrCat("SELECT ", kPostgresSessionColumns, kReadSessions)},
      {"read_intents", absl::StrCat("SELECT ", kPostgresIntentColumns, kReadIntents)},
      {"read_creating", kReadCreating},
      {"read_created", absl::StrCat("SELECT ", kPostgresSessionColumns, kReadCreated)},
      {"clock", kPostgresReadClock},
      {"put_seen",
       "INSERT INTO ipp_gateway.seen SELECT key, $2::bigint FROM unnest($1::bytea[]) AS k (key)"},
      {"put_sessions", kPutSessions},
      {"put_intents", kPutIntents},
      {"put_cancels",
       "INSERT INTO ipp_gateway.cancels (merchant_id, session_id, asked_at, caller, traceparent) "
       "SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::bigint[], $4::bytea[], $5::bytea[]) ON "
       "CONFLICT DO NOTHING"},
      {"to_index", absl::StrCat("SELECT ", kPostgresSessionColumns, kToIndex)},
      {"trim_cancels", kTrimCancels},
      {"put_events",
       "INSERT INTO ipp_gateway.events SELECT * FROM unnest($1::bigint[], $2::bigint[], "
       "$3::bytea[], $4::bytea[], $5::bytea[], $6::bigint[], $7::bytea[], $8::bytea[])"},
      {"move_log",
       "UPDATE ipp_gateway.log SET last_position = $1::bigint, last_recorded_at = $2::bigint, "
       "last_intent = $3::bigint, commits = commits + 1"},
      {"notify", "SELECT pg_notify('ipp_gateway_events', ($1::bigint)::text)"},
      {"probe", "UPDATE ipp_gateway.log SET commits = commits + 1"},
      {"due",
       absl::StrCat("SELECT ", kPostgresSessionColumns,
                    " FROM ipp_gateway.sessions s WHERE (next_check_at <= $1::bigint OR "
                    "next_check_at > $4::bigint) AND merchant_id <> ALL ($3::bytea[]) ORDER BY "
                    "next_check_at LIMIT $2::bigint FOR UPDATE SKIP LOCKED")},
      {"held", absl::StrCat("SELECT ", kPostgresSessionColumns,
                            " FROM ipp_gateway.sessions s WHERE held_event <> '' AND created_at <= "
                            "$3::bigint AND next_check_at <= $1::bigint ORDER BY created_at LIMIT "
                            "$2::bigint FOR UPDATE SKIP LOCKED")},
      {"put_off", kPutOff},
      {"orphans", absl::StrCat(kOrphans, kPostgresIntentColumns)},
      {"try_trim", "SELECT pg_try_advisory_xact_lock($1::bigint)"},
      {"trim_events", kTrimEvents},
      {"old_sessions", absl::StrCat("SELECT ", kPostgresSessionColumns, kOldSessions)},
      {"old_intents", absl::StrCat("SELECT ", kPostgresIntentColumns, kOldIntents)},
      {"trim_sessions", kTrimSessions},
      {"trim_seen", kTrimSeen},
      {"trim_intents", kTrimIntents},
  };
  for (auto* more : {&PostgresEpochStatements, &PostgresSharedStatements}) {
    for (PostgresStatement& statement : (*more)()) statements.push_back(std::move(statement));
  }
  return statements;
}

}  // namespace ipp::store
