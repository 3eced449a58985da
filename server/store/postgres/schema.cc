#include "server/store/postgres/schema.h"

#include <chrono>
#include <cstdint>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "server/base/log.h"
#include "server/base/status_macros.h"

namespace ipp::store {
namespace {

// Includes waiting for another replica that migrates; a step may build an index.
constexpr std::chrono::minutes kLimit{10};

// "ippg" in ASCII. Advisory locks of different programs in one database differ by such a number
// only, as is customary.
constexpr int64_t kMigrationLock = 0x69707067'00000001;

// Text is stored as bytea: input from outside may hold any byte, including 0, and the order of
// bytes does not depend on the server's locale, whose change corrupts an index of text. To read it:
// convert_from(session_id, 'UTF8'). Times are nanoseconds since 1970: a timestamptz would truncate
// them to microseconds.
//
// An identifier as text; whether it is a UUID with a capital letter; its lower-case form. Releases
// before 0.2 stored identifiers as they were received.
#define IPP_TEXT(column) "encode(" column ", 'escape')"
#define IPP_ODD(column) \
  IPP_TEXT(column)      \
  " ~ '^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$' AND " IPP_TEXT(column) " ~ '[A-F]'"
#define IPP_LOWER(column) "decode(lower(" IPP_TEXT(column) "), 'escape')"
#define IPP_ODD_IDS(table, column) \
  "SELECT merchant_id, " IPP_LOWER(column) " FROM ipp_gateway." table " WHERE " IPP_ODD(column)
#define IPP_ONE_SPELLING(table, column) \
  "UPDATE ipp_gateway." table " SET " column " = " IPP_LOWER(column) " WHERE " IPP_ODD(column)

constexpr const char* kMigrations[] = {
    R"sql(
-- One row. Who commits holds its lock, so that positions have no gaps and are in commit order.
CREATE TABLE ipp_gateway.log (
  id text NOT NULL,                   -- the log's identity
  last_position bigint NOT NULL,
  last_recorded_at bigint NOT NULL,   -- never falls
  commits bigint NOT NULL             -- counts up: a commit that changed nothing would wait for no standby
);
-- 16 hexadecimal digits of a random UUID.
INSERT INTO ipp_gateway.log VALUES (replace(left(gen_random_uuid()::text, 18), '-', ''), 0, 0, 0);

-- One row, apart from the log's so that trimming does not wait for commits, nor they for it.
CREATE TABLE ipp_gateway.log_start (
  trimmed_through bigint NOT NULL     -- last position that was removed
);
INSERT INTO ipp_gateway.log_start VALUES (0);

-- `recorded_at` never falls along the positions, so a time is found by halving and needs no index.
CREATE TABLE ipp_gateway.events (
  position bigint PRIMARY KEY,
  recorded_at bigint NOT NULL,
  merchant_id bytea NOT NULL,
  session_id bytea NOT NULL,
  device_id bytea NOT NULL,
  type bigint NOT NULL,
  merchant_reference1 bytea NOT NULL,
  payload bytea NOT NULL
);

CREATE TABLE ipp_gateway.seen (
  key bytea PRIMARY KEY,
  seen_at bigint NOT NULL
);
CREATE INDEX seen_by_age ON ipp_gateway.seen (seen_at);

CREATE TABLE ipp_gateway.sessions (
  merchant_id bytea NOT NULL,
  session_id bytea NOT NULL,
  request_id bytea,                   -- NULL: not made here
  complete boolean NOT NULL,
  open boolean NOT NULL,
  created_at bigint NOT NULL,
  updated_at bigint NOT NULL,
  next_check_at bigint,               -- NULL: never
  checks bigint NOT NULL,
  session bytea NOT NULL,
  PRIMARY KEY (merchant_id, session_id)
);
CREATE UNIQUE INDEX sessions_by_request ON ipp_gateway.sessions (merchant_id, request_id)
  WHERE request_id IS NOT NULL;
CREATE INDEX sessions_due ON ipp_gateway.sessions (next_check_at) WHERE next_check_at IS NOT NULL;
CREATE INDEX sessions_final ON ipp_gateway.sessions (updated_at) WHERE NOT open;
CREATE INDEX sessions_open ON ipp_gateway.sessions (created_at) WHERE open;
)sql",
    R"sql(
-- At the end and with a default: the release before inserts rows without it.
ALTER TABLE ipp_gateway.sessions ADD COLUMN held_event bytea NOT NULL DEFAULT '';

-- Not a sequence: the transaction that commits holds the row anyway, and knows each id before it writes.
ALTER TABLE ipp_gateway.log ADD COLUMN last_intent bigint NOT NULL DEFAULT 0;

CREATE TABLE ipp_gateway.intents (
  id bigint PRIMARY KEY,
  merchant_id bytea NOT NULL,
  request_id bytea NOT NULL,
  rpc bytea NOT NULL,
  caller bytea NOT NULL,
  request bytea NOT NULL,
  state bigint NOT NULL,              -- 1 under way, 2 not sent, 3 rejected, 4 executed, 5 unknown
  owner bytea NOT NULL,
  under_way_until bigint NOT NULL,
  settle_by bigint NOT NULL,
  answer bytea NOT NULL,
  session_id bytea NOT NULL,          -- empty: none
  created_at bigint NOT NULL,
  updated_at bigint NOT NULL,
  UNIQUE (merchant_id, request_id)
);
CREATE INDEX intents_under_way ON ipp_gateway.intents (under_way_until) WHERE state = 1;
CREATE INDEX intents_open ON ipp_gateway.intents (merchant_id, settle_by) WHERE state IN (1, 5);
CREATE INDEX intents_old ON ipp_gateway.intents (updated_at);
)sql",
    R"sql(
-- W3C Trace Context of the call; empty: none.
ALTER TABLE ipp_gateway.sessions ADD COLUMN traceparent bytea NOT NULL DEFAULT '',
  ADD COLUMN tracestate bytea NOT NULL DEFAULT '';
ALTER TABLE ipp_gateway.intents ADD COLUMN traceparent bytea NOT NULL DEFAULT '',
  ADD COLUMN tracestate bytea NOT NULL DEFAULT '';
)sql",
    R"sql(
-- Tombstones.
ALTER TABLE ipp_gateway.sessions ADD COLUMN trimmed boolean NOT NULL DEFAULT false;
ALTER TABLE ipp_gateway.intents ADD COLUMN trimmed boolean NOT NULL DEFAULT false;
DROP INDEX ipp_gateway.sessions_final;
CREATE INDEX sessions_final ON ipp_gateway.sessions (trimmed, updated_at) WHERE NOT open;
DROP INDEX ipp_gateway.intents_old;
CREATE INDEX intents_old ON ipp_gateway.intents (trimmed, updated_at);
)sql",
    // One spelling for each identifier. Of two rows that are the same session the one that has
    // ended is kept; of two creates the one about which more is known.
    "DELETE FROM ipp_gateway.sessions WHERE ctid IN (SELECT row FROM (SELECT ctid AS row, "
    "row_number() OVER (PARTITION BY merchant_id, " IPP_LOWER("session_id") " ORDER BY open, "
    "complete DESC, updated_at DESC) AS place FROM ipp_gateway.sessions WHERE "
    "(merchant_id, " IPP_LOWER("session_id") ") IN (" IPP_ODD_IDS("sessions", "session_id") ")) "
    "AS twins WHERE place > 1);"
    IPP_ONE_SPELLING("sessions", "session_id") ";"
    "UPDATE ipp_gateway.sessions SET request_id = NULL WHERE ctid IN (SELECT row FROM (SELECT ctid "
    "AS row, row_number() OVER (PARTITION BY merchant_id, " IPP_LOWER("request_id") " ORDER BY "
    "created_at) AS place FROM ipp_gateway.sessions WHERE "
    "(merchant_id, " IPP_LOWER("request_id") ") IN (" IPP_ODD_IDS("sessions", "request_id") ")) "
    "AS twins WHERE place > 1);"
    IPP_ONE_SPELLING("sessions", "request_id") ";"
    "DELETE FROM ipp_gateway.intents WHERE id IN (SELECT id FROM (SELECT id, row_number() OVER "
    "(PARTITION BY merchant_id, " IPP_LOWER("request_id") " ORDER BY CASE state WHEN 4 THEN 0 WHEN "
    "1 THEN 1 WHEN 5 THEN 2 WHEN 3 THEN 3 ELSE 4 END, created_at, id) AS place FROM "
    "ipp_gateway.intents WHERE (merchant_id, " IPP_LOWER("request_id") ") IN ("
    IPP_ODD_IDS("intents", "request_id") ")) AS twins WHERE place > 1);"
    IPP_ONE_SPELLING("intents", "request_id") ";"
    IPP_ONE_SPELLING("intents", "session_id") ";"
    IPP_ONE_SPELLING("events", "session_id") ";"
    IPP_ONE_SPELLING("events", "device_id"),
    R"sql(
ALTER TABLE ipp_gateway.sessions ADD COLUMN revision bigint NOT NULL DEFAULT 0,
  ADD COLUMN missing_since bigint;    -- NULL: the upstream knows it
CREATE INDEX sessions_held ON ipp_gateway.sessions (created_at) WHERE held_event <> '';
)sql",
    R"sql(
-- Breaks in the history of the log: see log_bounds.h. Written under the lock of the log's row.
CREATE TABLE ipp_gateway.log_epochs (
  sequence bigint PRIMARY KEY,
  label bigint NOT NULL UNIQUE,
  starts_after bigint NOT NULL
);
INSERT INTO ipp_gateway.log_epochs VALUES (0, 0, 0);
ALTER TABLE ipp_gateway.log ADD COLUMN creates_held_until bigint NOT NULL DEFAULT 0;
)sql",
    // Creates of a merchant in one state, newest first.
    "CREATE INDEX intents_listed ON ipp_gateway.intents (merchant_id, state, id)",
    // From which version on a release can use this schema: see schema_version.h.
    "ALTER TABLE ipp_gateway.log ADD COLUMN usable_from bigint NOT NULL DEFAULT 0",
    // Shared subscriptions: see shared_tables.h.
    R"sql(
CREATE TABLE ipp_gateway.shared_subscriptions (
  id bigint PRIMARY KEY,
  caller bytea NOT NULL,
  name bytea NOT NULL,
  spec bytea NOT NULL,
  read_position bigint NOT NULL,
  due_floor bigint NOT NULL,
  created_at bigint NOT NULL,
  last_used_at bigint NOT NULL,
  UNIQUE (caller, name)
);
CREATE TABLE ipp_gateway.shared_heads (
  subscription bigint NOT NULL,
  merchant_id bytea NOT NULL,
  session_id bytea NOT NULL,
  position bigint NOT NULL,           -- 0: nothing is out or held
  redriven boolean NOT NULL,
  settled_through bigint NOT NULL,
  attempts bigint NOT NULL,
  lease bigint NOT NULL,              -- 0: none
  out boolean NOT NULL,
  leased_until bigint NOT NULL,
  due_at bigint NOT NULL,
  first_at bigint NOT NULL,
  recorded_at bigint NOT NULL,
  consumer bytea NOT NULL,
  last_error bytea NOT NULL,
  settled bytea NOT NULL,             -- leases, eight bytes each
  settled_at bigint NOT NULL,
  PRIMARY KEY (subscription, merchant_id, session_id)
);
CREATE INDEX shared_heads_due ON ipp_gateway.shared_heads (subscription, due_at)
  WHERE position > 0;
CREATE INDEX shared_heads_idle ON ipp_gateway.shared_heads (settled_at) WHERE position = 0;
CREATE TABLE ipp_gateway.shared_parked (
  subscription bigint NOT NULL,
  position bigint NOT NULL,
  event_id bytea NOT NULL,
  recorded_at bigint NOT NULL,
  merchant_id bytea NOT NULL,
  session_id bytea NOT NULL,
  attempts bigint NOT NULL,
  first_at bigint NOT NULL,
  parked_at bigint NOT NULL,
  reason bytea NOT NULL,
  consumer bytea NOT NULL,
  redriving boolean NOT NULL,
  payload bytea NOT NULL,
  PRIMARY KEY (subscription, position)
);
CREATE INDEX shared_parked_redriving ON ipp_gateway.shared_parked
  (subscription, merchant_id, session_id) WHERE redriving;
)sql",
    R"sql(
-- What sessions can be searched by (session_search.h), and the events of one session. NULL: none, or not indexed.
-- The release before leaves these columns as they are; `searched_at` then differs from `updated_at`.
ALTER TABLE ipp_gateway.sessions
  ADD COLUMN location_id bytea,       -- of the create; the only place where it is kept
  ADD COLUMN status bigint NOT NULL DEFAULT 0,
  ADD COLUMN device_id bytea,
  ADD COLUMN merchant_reference1 bytea,
  ADD COLUMN merchant_reference2 bytea,
  ADD COLUMN order_id bytea,
  ADD COLUMN searched_at bigint;
CREATE INDEX sessions_by_status ON ipp_gateway.sessions (merchant_id, status, created_at, session_id);
CREATE INDEX sessions_by_update ON ipp_gateway.sessions (merchant_id, updated_at, session_id);
CREATE INDEX sessions_by_device ON ipp_gateway.sessions (merchant_id, device_id, created_at, session_id)
  WHERE device_id IS NOT NULL;
CREATE INDEX sessions_by_location ON ipp_gateway.sessions (merchant_id, location_id, created_at, session_id)
  WHERE location_id IS NOT NULL;
CREATE INDEX sessions_by_reference1
  ON ipp_gateway.sessions (merchant_id, merchant_reference1, created_at, session_id)
  WHERE merchant_reference1 IS NOT NULL;
CREATE INDEX sessions_by_reference2
  ON ipp_gateway.sessions (merchant_id, merchant_reference2, created_at, session_id)
  WHERE merchant_reference2 IS NOT NULL;
CREATE INDEX sessions_by_order ON ipp_gateway.sessions (merchant_id, order_id, created_at, session_id)
  WHERE order_id IS NOT NULL;
CREATE INDEX sessions_to_index ON ipp_gateway.sessions (updated_at)
  WHERE searched_at IS DISTINCT FROM updated_at;
CREATE INDEX events_by_session ON ipp_gateway.events (merchant_id, session_id, position);

CREATE TABLE ipp_gateway.cancels (
  merchant_id bytea NOT NULL,
  session_id bytea NOT NULL,
  asked_at bigint NOT NULL,
  caller bytea NOT NULL,
  traceparent bytea NOT NULL,
  PRIMARY KEY (merchant_id, session_id, asked_at, caller)
);
CREATE INDEX cancels_old ON ipp_gateway.cancels (asked_at);
)sql",
};

absl::StatusOr<int64_t> ReadNumber(PostgresConnection* connection, const std::string& sql) {
  IPP_ASSIGN_OR_RETURN(const PostgresRows rows, connection->Execute(sql, kLimit));
  int64_t number = 0;
  if (rows.size() != 1 || !absl::SimpleAtoi(rows.Bytes(0, 0), &number)) {
    return absl::DataLossError("not a number");
  }
  return number;
}

// The version of the schema; 0 when there is none.
absl::StatusOr<int64_t> ReadVersion(PostgresConnection* connection) {
  // Whether the schema exists and is ours, in one query: 0 no schema, 1 another program's, 2 ours.
  IPP_ASSIGN_OR_RETURN(
      const int64_t owner,
      ReadNumber(connection,
                 "SELECT CASE WHEN to_regclass('ipp_gateway.schema_version') IS NOT NULL THEN 2 "
                 "WHEN EXISTS (SELECT FROM pg_class WHERE relnamespace = "
                 "to_regnamespace('ipp_gateway')) THEN 1 ELSE 0 END"));
  if (owner == 0) return 0;
  if (owner == 1) {
    return absl::FailedPreconditionError("its schema ipp_gateway is another program's");
  }
  return ReadNumber(connection, "SELECT version FROM ipp_gateway.schema_version");
}

absl::Status Migrate(PostgresConnection* connection, absl::Span<const char* const> migrations,
                     const Usable& usable) {
  const auto newest = static_cast<int64_t>(migrations.size());
  // Read again under the lock: another replica may have migrated meanwhile.
  IPP_ASSIGN_OR_RETURN(int64_t version, ReadVersion(connection));
  if (version >= newest) return absl::OkStatus();
  std::string sql;
  if (version == 0) {
    // A database administrator may have created the schema for a role that has no right to. "IF NOT
    // EXISTS" would check that right first.
    IPP_ASSIGN_OR_RETURN(
        const int64_t schemas,
        ReadNumber(connection, "SELECT count(*) FROM pg_namespace WHERE nspname = 'ipp_gateway'"));
    if (schemas == 0) sql += "CREATE SCHEMA ipp_gateway;";
    sql +=
        "CREATE TABLE ipp_gateway.schema_version (version bigint NOT NULL);"
        "INSERT INTO ipp_gateway.schema_version VALUES (0);";
  }
  for (; version < newest; ++version) absl::StrAppend(&sql, migrations[version], ";");
  absl::StrAppend(&sql, "UPDATE ipp_gateway.schema_version SET version = ", newest);
  if (newest >= usable.said_from) {
    absl::StrAppend(&sql, "; UPDATE ipp_gateway.log SET usable_from = ", usable.usable_from);
  }
  IPP_RETURN_IF_ERROR(connection->Execute(sql, kLimit).status());
  LogInfo("store schema migrated", {{"version", absl::StrCat(newest)}});
  return absl::OkStatus();
}

}  // namespace

absl::Span<const char* const> PostgresMigrations() { return kMigrations; }

absl::Status MigratePostgres(PostgresConnection* connection,
                             absl::Span<const char* const> migrations, const Usable& usable) {
  const auto newest = static_cast<int64_t>(migrations.size());
  IPP_ASSIGN_OR_RETURN(const int64_t version, ReadVersion(connection));
  if (version > newest) {
    return CheckNewerSchema(version, newest, usable, [connection] {
      return ReadNumber(connection, "SELECT usable_from FROM ipp_gateway.log");
    });
  }
  if (version == newest) return absl::OkStatus();
  // READ COMMITTED: statements after the lock see what its last holder committed.
  IPP_RETURN_IF_ERROR(connection
                          ->Execute(absl::StrCat("BEGIN ISOLATION LEVEL READ COMMITTED;"
                                                 "SELECT pg_advisory_xact_lock(",
                                                 kMigrationLock, ")"),
                                    kLimit)
                          .status());
  absl::Status status = Migrate(connection, migrations, usable);
  if (status.ok()) status = connection->Execute("COMMIT", kLimit).status();
  if (!status.ok()) connection->Execute("ROLLBACK", kLimit).IgnoreError();
  return status;
}

}  // namespace ipp::store
