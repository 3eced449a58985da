#include "server/store/sqlite/schema.h"

#include <cstdint>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "server/base/log.h"
#include "server/base/status_macros.h"

namespace ipp::store {
namespace {

// "ippg" in ASCII, in PRAGMA application_id: distinguishes our files from those of other programs.
constexpr int64_t kApplicationId = 0x69707067;

// Times are nanoseconds since 1970. Positions have no gaps and `recorded_at` never decreases along
// them, so a time is found by binary search and needs no index. The same holds for `seen.id` and
// `seen_at`.
//
// Matches a UUID with a capital letter. Releases before 0.2 stored identifiers as they were
// received.
#define IPP_ODD(column)                                               \
  "length(" column ") = 36 AND " column " GLOB '*[A-F]*' AND " column \
  " LIKE "                                                            \
  "'________-____-____-____-____________' AND " column " NOT GLOB '*[^0-9A-Fa-f-]*'"
// Selects, in lower case, the identifiers of a table that are stored with capital letters.
#define IPP_ODD_IDS(table, column) \
  "SELECT merchant_id, lower(" column ") FROM " table " WHERE " IPP_ODD(column)

constexpr const char* kMigrations[] = {
    R"sql(
CREATE TABLE log (
  id TEXT NOT NULL,                  -- the log's identity; one row
  trimmed_through INTEGER NOT NULL,  -- last position that was removed
  trimmed_at INTEGER NOT NULL,       -- its recorded_at
  probes INTEGER NOT NULL            -- counts up when the store tries whether it can write
);
INSERT INTO log VALUES (lower(hex(randomblob(8))), 0, 0, 0);

CREATE TABLE events (
  position INTEGER PRIMARY KEY,
  recorded_at INTEGER NOT NULL,
  merchant_id TEXT NOT NULL,
  session_id TEXT NOT NULL,
  device_id TEXT NOT NULL,
  type INTEGER NOT NULL,
  merchant_reference1 TEXT NOT NULL,
  payload BLOB NOT NULL
);

CREATE TABLE seen (
  id INTEGER PRIMARY KEY,
  key TEXT NOT NULL UNIQUE,
  seen_at INTEGER NOT NULL
);

CREATE TABLE sessions (
  merchant_id TEXT NOT NULL,
  session_id TEXT NOT NULL,
  request_id TEXT,        -- NULL: not made here
  complete INTEGER NOT NULL,
  open INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  next_check_at INTEGER,  -- NULL: never
  checks INTEGER NOT NULL,
  session BLOB NOT NULL,
  PRIMARY KEY (merchant_id, session_id)
);
CREATE UNIQUE INDEX sessions_by_request ON sessions (merchant_id, request_id)
  WHERE request_id IS NOT NULL;
CREATE INDEX sessions_due ON sessions (next_check_at) WHERE next_check_at IS NOT NULL;
CREATE INDEX sessions_final ON sessions (updated_at) WHERE open = 0;
)sql",
    "CREATE INDEX sessions_open ON sessions (created_at) WHERE open = 1",
    R"sql(
ALTER TABLE sessions ADD COLUMN held_event BLOB NOT NULL DEFAULT x'';

CREATE TABLE intents (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  merchant_id TEXT NOT NULL,
  request_id TEXT NOT NULL,
  rpc TEXT NOT NULL,
  caller TEXT NOT NULL,
  request BLOB NOT NULL,
  state INTEGER NOT NULL,
  owner TEXT NOT NULL,
  under_way_until INTEGER NOT NULL,
  settle_by INTEGER NOT NULL,
  answer BLOB NOT NULL,
  session_id TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  UNIQUE (merchant_id, request_id)
);
CREATE INDEX intents_under_way ON intents (under_way_until) WHERE state = 1;
CREATE INDEX intents_open ON intents (merchant_id, settle_by) WHERE state IN (1, 5);
CREATE INDEX intents_old ON intents (updated_at);
)sql",
    // W3C Trace Context of the call; empty: none.
    R"sql(
ALTER TABLE sessions ADD COLUMN traceparent TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN tracestate TEXT NOT NULL DEFAULT '';
ALTER TABLE intents ADD COLUMN traceparent TEXT NOT NULL DEFAULT '';
ALTER TABLE intents ADD COLUMN tracestate TEXT NOT NULL DEFAULT '';
)sql",
    // Tombstones, and the time when the store was last in use.
    R"sql(
ALTER TABLE sessions ADD COLUMN trimmed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE intents ADD COLUMN trimmed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE log ADD COLUMN last_used INTEGER NOT NULL DEFAULT 0;
DROP INDEX sessions_final;
CREATE INDEX sessions_final ON sessions (trimmed, updated_at) WHERE open = 0;
DROP INDEX intents_old;
CREATE INDEX intents_old ON intents (trimmed, updated_at);
)sql",
    // One spelling for each identifier. Of two rows that are the same session the one that has
    // ended is kept; of two creates the one about which more is known.
    "DELETE FROM sessions WHERE rowid IN (SELECT row FROM (SELECT rowid AS row, row_number() OVER "
    "(PARTITION BY merchant_id, lower(session_id) ORDER BY open, complete DESC, updated_at DESC) "
    "AS place FROM sessions WHERE (merchant_id, lower(session_id)) IN "
    "(" IPP_ODD_IDS("sessions", "session_id") ")) WHERE place > 1);"
    "UPDATE sessions SET session_id = lower(session_id) WHERE " IPP_ODD("session_id") ";"
    "UPDATE sessions SET request_id = NULL WHERE rowid IN (SELECT row FROM (SELECT rowid AS row, "
    "row_number() OVER (PARTITION BY merchant_id, lower(request_id) ORDER BY created_at, rowid) AS "
    "place FROM sessions WHERE (merchant_id, lower(request_id)) IN "
    "(" IPP_ODD_IDS("sessions", "request_id") ")) WHERE place > 1);"
    "UPDATE sessions SET request_id = lower(request_id) WHERE " IPP_ODD("request_id") ";"
    "DELETE FROM intents WHERE id IN (SELECT id FROM (SELECT id, row_number() OVER "
    "(PARTITION BY merchant_id, lower(request_id) ORDER BY CASE state WHEN 4 THEN 0 WHEN 1 THEN 1 "
    "WHEN 5 THEN 2 WHEN 3 THEN 3 ELSE 4 END, created_at, id) AS place FROM intents WHERE "
    "(merchant_id, lower(request_id)) IN (" IPP_ODD_IDS("intents", "request_id") ")) WHERE place > "
    "1);"
    "UPDATE intents SET request_id = lower(request_id) WHERE " IPP_ODD("request_id") ";"
    "UPDATE intents SET session_id = lower(session_id) WHERE " IPP_ODD("session_id") ";"
    "UPDATE events SET session_id = lower(session_id) WHERE " IPP_ODD("session_id") ";"
    "UPDATE events SET device_id = lower(device_id) WHERE " IPP_ODD("device_id"),
    R"sql(
ALTER TABLE sessions ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN missing_since INTEGER;  -- NULL: the upstream knows it
CREATE INDEX sessions_held ON sessions (created_at) WHERE held_event <> x'';
)sql",
    // Breaks in the history of the log: see log_bounds.h.
    R"sql(
CREATE TABLE log_epochs (
  sequence INTEGER PRIMARY KEY,
  label INTEGER NOT NULL UNIQUE,
  starts_after INTEGER NOT NULL
);
INSERT INTO log_epochs VALUES (0, 0, 0);
ALTER TABLE log ADD COLUMN creates_held_until INTEGER NOT NULL DEFAULT 0;
)sql",
    // Creates of a merchant in one state, newest first: an index of SQLite ends with the id.
    "CREATE INDEX intents_listed ON intents (merchant_id, state)",
    // From which version on a release can use this schema: see schema_version.h.
    "ALTER TABLE log ADD COLUMN usable_from INTEGER NOT NULL DEFAULT 0",
    // Shared subscriptions: see shared_tables.h.
    R"sql(
CREATE TABLE shared_subscriptions (
  id INTEGER PRIMARY KEY,
  caller TEXT NOT NULL,
  name TEXT NOT NULL,
  spec BLOB NOT NULL,
  read_position INTEGER NOT NULL,
  due_floor INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  last_used_at INTEGER NOT NULL,
  UNIQUE (caller, name)
);
CREATE TABLE shared_heads (
  subscription INTEGER NOT NULL,
  merchant_id TEXT NOT NULL,
  session_id TEXT NOT NULL,
  position INTEGER NOT NULL,         -- 0: nothing is out or held
  redriven INTEGER NOT NULL,
  settled_through INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  lease INTEGER NOT NULL,            -- 0: none
  out INTEGER NOT NULL,
  leased_until INTEGER NOT NULL,
  due_at INTEGER NOT NULL,
  first_at INTEGER NOT NULL,
  recorded_at INTEGER NOT NULL,
  consumer TEXT NOT NULL,
  last_error TEXT NOT NULL,
  settled BLOB NOT NULL,             -- leases, eight bytes each
  settled_at INTEGER NOT NULL,
  PRIMARY KEY (subscription, merchant_id, session_id)
);
CREATE INDEX shared_heads_due ON shared_heads (subscription, due_at) WHERE position > 0;
CREATE INDEX shared_heads_idle ON shared_heads (settled_at) WHERE position = 0;
CREATE TABLE shared_parked (
  subscription INTEGER NOT NULL,
  position INTEGER NOT NULL,
  event_id TEXT NOT NULL,
  recorded_at INTEGER NOT NULL,
  merchant_id TEXT NOT NULL,
  session_id TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  first_at INTEGER NOT NULL,
  parked_at INTEGER NOT NULL,
  reason TEXT NOT NULL,
  consumer TEXT NOT NULL,
  redriving INTEGER NOT NULL,
  payload BLOB NOT NULL,
  PRIMARY KEY (subscription, position)
);
CREATE INDEX shared_parked_redriving ON shared_parked (subscription, merchant_id, session_id)
  WHERE redriving = 1;
)sql",
    // What sessions can be searched by (session_search.h), and the events of one session. NULL: none, or not
    // indexed. The release before leaves these columns as they are; `searched_at` then differs from `updated_at`.
    R"sql(
ALTER TABLE sessions ADD COLUMN location_id TEXT;  -- of the create; the only place where it is kept
ALTER TABLE sessions ADD COLUMN status INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN device_id TEXT;
ALTER TABLE sessions ADD COLUMN merchant_reference1 TEXT;
ALTER TABLE sessions ADD COLUMN merchant_reference2 TEXT;
ALTER TABLE sessions ADD COLUMN order_id TEXT;
ALTER TABLE sessions ADD COLUMN searched_at INTEGER;
CREATE INDEX sessions_by_status ON sessions (merchant_id, status, created_at, session_id);
CREATE INDEX sessions_by_update ON sessions (merchant_id, updated_at, session_id);
CREATE INDEX sessions_by_device ON sessions (merchant_id, device_id, created_at, session_id)
  WHERE device_id IS NOT NULL;
CREATE INDEX sessions_by_location ON sessions (merchant_id, location_id, created_at, session_id)
  WHERE location_id IS NOT NULL;
CREATE INDEX sessions_by_reference1
  ON sessions (merchant_id, merchant_reference1, created_at, session_id)
  WHERE merchant_reference1 IS NOT NULL;
CREATE INDEX sessions_by_reference2
  ON sessions (merchant_id, merchant_reference2, created_at, session_id)
  WHERE merchant_reference2 IS NOT NULL;
CREATE INDEX sessions_by_order ON sessions (merchant_id, order_id, created_at, session_id)
  WHERE order_id IS NOT NULL;
CREATE INDEX sessions_to_index ON sessions (updated_at) WHERE searched_at IS NOT updated_at;
CREATE INDEX events_by_session ON events (merchant_id, session_id);  -- ends with the position

CREATE TABLE cancels (
  merchant_id TEXT NOT NULL,
  session_id TEXT NOT NULL,
  asked_at INTEGER NOT NULL,
  caller TEXT NOT NULL,
  traceparent TEXT NOT NULL,
  PRIMARY KEY (merchant_id, session_id, asked_at, caller)
);
CREATE INDEX cancels_old ON cancels (asked_at);
)sql",
};

absl::StatusOr<int64_t> ReadNumber(SqliteDatabase* database, absl::string_view sql) {
  IPP_ASSIGN_OR_RETURN(const std::string text, database->ReadOne(sql));
  int64_t number = 0;
  if (!absl::SimpleAtoi(text, &number)) return absl::DataLossError("not a number");
  return number;
}

}  // namespace

absl::Span<const char* const> SqliteMigrations() { return kMigrations; }

absl::Status CheckSqliteOwner(SqliteDatabase* database) {
  IPP_ASSIGN_OR_RETURN(const int64_t owner, ReadNumber(database, "PRAGMA application_id"));
  if (owner == kApplicationId) return absl::OkStatus();
  return absl::FailedPreconditionError("it is not the store of a gateway");
}

absl::Status CheckSqliteIsKnown(SqliteDatabase* database) {
  IPP_ASSIGN_OR_RETURN(const int64_t version, ReadNumber(database, "PRAGMA user_version"));
  const auto known = static_cast<int64_t>(SqliteMigrations().size());
  if (version <= known) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("it was written by a newer release: its schema has version ", version,
                   ", this release knows up to ", known, "; do it with that release"));
}

absl::Status MigrateSqlite(SqliteDatabase* database, absl::Span<const char* const> migrations,
                           const Usable& usable) {
  IPP_ASSIGN_OR_RETURN(const int64_t tables,
                       ReadNumber(database, "SELECT count(*) FROM sqlite_schema"));
  IPP_ASSIGN_OR_RETURN(const int64_t owner, ReadNumber(database, "PRAGMA application_id"));
  IPP_ASSIGN_OR_RETURN(int64_t version, ReadNumber(database, "PRAGMA user_version"));
  if (tables > 0 && owner != kApplicationId) {
    return absl::FailedPreconditionError("it is the database of another program");
  }
  const auto newest = static_cast<int64_t>(migrations.size());
  if (version > newest) {
    return CheckNewerSchema(version, newest, usable, [database] {
      return ReadNumber(database, "SELECT usable_from FROM log");
    });
  }
  for (; version < newest; ++version) {
    IPP_RETURN_IF_ERROR(database->InTransaction([&]() -> absl::Status {
      IPP_RETURN_IF_ERROR(database->Execute(migrations[version]));
      if (version + 1 >= usable.said_from) {
        IPP_RETURN_IF_ERROR(
            database->Execute(absl::StrCat("UPDATE log SET usable_from = ", usable.usable_from)));
      }
      return database->Execute(absl::StrCat("PRAGMA application_id = ", kApplicationId,
                                            "; PRAGMA user_version = ", version + 1));
    }));
    LogInfo("store schema migrated", {{"version", absl::StrCat(version + 1)}});
  }
  return absl::OkStatus();
}

}  // namespace ipp::store
