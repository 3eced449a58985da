#include "server/store/sqlite_schema.h"

#include <cstdint>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "server/base/log.h"
#include "server/base/status_macros.h"

namespace ipp::store {
namespace {

// "ippg", in PRAGMA application_id: tells our files from others.
constexpr int64_t kApplicationId = 0x69707067;

// Times are nanoseconds since 1970. Positions have no gaps and `recorded_at` never falls along
// them, so a time is found by halving and needs no index. The same holds for `seen.id` and
// `seen_at`.
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

absl::Status MigrateSqlite(SqliteDatabase* database, absl::Span<const char* const> migrations) {
  IPP_ASSIGN_OR_RETURN(const int64_t tables,
                       ReadNumber(database, "SELECT count(*) FROM sqlite_schema"));
  IPP_ASSIGN_OR_RETURN(const int64_t owner, ReadNumber(database, "PRAGMA application_id"));
  IPP_ASSIGN_OR_RETURN(int64_t version, ReadNumber(database, "PRAGMA user_version"));
  if (tables > 0 && owner != kApplicationId) {
    return absl::FailedPreconditionError("it is the database of another program");
  }
  const auto newest = static_cast<int64_t>(migrations.size());
  if (version > newest) {
    return absl::FailedPreconditionError(
        absl::StrCat("it was written by a newer release: its schema has version ", version,
                     ", this release knows up to ", newest));
  }
  for (; version < newest; ++version) {
    IPP_RETURN_IF_ERROR(database->InTransaction([&]() -> absl::Status {
      IPP_RETURN_IF_ERROR(database->Execute(migrations[version]));
      return database->Execute(absl::StrCat("PRAGMA application_id = ", kApplicationId,
                                            "; PRAGMA user_version = ", version + 1));
    }));
    LogInfo("store schema migrated", {{"version", absl::StrCat(version + 1)}});
  }
  return absl::OkStatus();
}

}  // namespace ipp::store
