#include "tests/bench/bare_sqlite.h"

#include <sqlite3.h>

#include "server/store/event_row.h"
#include "server/store/sqlite/schema.h"
#include "tests/bench/flags.h"

namespace ipp::bench {
namespace {

constexpr int64_t kTime = 1'790'000'000'000'000'000;

class BareSqlite final : public Writer {
 public:
  BareSqlite(const std::string& path, int batch)
      : batch_(batch),
        session_bytes_(MakeRecord(RandomId()).session.SerializeAsString()),
        event_(store::MakeRow(MakeEvent(MakeRecord(RandomId())), 1, absl::FromUnixNanos(kTime))) {
    Check(sqlite3_open_v2(path.c_str(), &database_,
                          SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                          nullptr));
    for (const char* step : store::SqliteMigrations()) Execute(step);
    Execute(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4000;"
        "PRAGMA journal_size_limit = 67108864; PRAGMA temp_store = MEMORY");
    seen_ = Prepare("INSERT INTO seen (key, seen_at) VALUES (?, ?)");
    session_ = Prepare(
        "INSERT INTO sessions (merchant_id, session_id, request_id, complete, open, created_at, "
        "updated_at, next_check_at, checks, session) VALUES (?, ?, NULL, 1, 1, ?, ?, ?, 0, ?) "
        "ON CONFLICT (merchant_id, session_id) DO UPDATE SET request_id = excluded.request_id, "
        "complete = excluded.complete, open = excluded.open, created_at = excluded.created_at, "
        "updated_at = excluded.updated_at, next_check_at = excluded.next_check_at, "
        "checks = excluded.checks, session = excluded.session");
    insert_event_ = Prepare(
        "INSERT INTO events (position, recorded_at, merchant_id, session_id, device_id, type, "
        "merchant_reference1, payload) VALUES (?, ?, ?, ?, ?, ?, ?, ?)");
  }
  ~BareSqlite() override {
    for (sqlite3_stmt* statement : {seen_, session_, insert_event_}) sqlite3_finalize(statement);
    sqlite3_close(database_);
  }

  void Write(int events) override {
    for (int i = 0; i < events; ++i) {
      if (i % batch_ == 0) Execute("BEGIN IMMEDIATE");
      Insert();
      if (i % batch_ == batch_ - 1 || i == events - 1) Execute("COMMIT");
    }
  }

 private:
  void Insert() {
    const std::string session_id = RandomId();
    const std::string key = "DM00000001/kevt_" + session_id;
    Text(seen_, 1, key);
    sqlite3_bind_int64(seen_, 2, kTime);
    Step(seen_);
    Text(session_, 1, event_.merchant_id);
    Text(session_, 2, session_id);
    for (const int column : {3, 4, 5}) sqlite3_bind_int64(session_, column, kTime);
    Blob(session_, 6, session_bytes_);
    Step(session_);
    sqlite3_bind_int64(insert_event_, 1, ++position_);
    sqlite3_bind_int64(insert_event_, 2, kTime);
    Text(insert_event_, 3, event_.merchant_id);
    Text(insert_event_, 4, session_id);
    Text(insert_event_, 5, event_.device_id);
    sqlite3_bind_int64(insert_event_, 6, event_.type);
    Text(insert_event_, 7, event_.merchant_reference1);
    Blob(insert_event_, 8, event_.payload);
    Step(insert_event_);
  }

  void Check(int code) {
    if (code != SQLITE_OK) Die(std::string("sqlite: ") + sqlite3_errmsg(database_));
  }
  void Execute(const char* sql) { Check(sqlite3_exec(database_, sql, nullptr, nullptr, nullptr)); }
  sqlite3_stmt* Prepare(const char* sql) {
    sqlite3_stmt* statement = nullptr;
    Check(sqlite3_prepare_v3(database_, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr));
    return statement;
  }
  static void Text(sqlite3_stmt* statement, int column, const std::string& text) {
    sqlite3_bind_text(statement, column, text.data(), static_cast<int>(text.size()), SQLITE_STATIC);
  }
  static void Blob(sqlite3_stmt* statement, int column, const std::string& bytes) {
    sqlite3_bind_blob(statement, column, bytes.data(), static_cast<int>(bytes.size()),
                      SQLITE_STATIC);
  }
  void Step(sqlite3_stmt* statement) {
    if (sqlite3_step(statement) != SQLITE_DONE) Check(SQLITE_ERROR);
    Check(sqlite3_reset(statement));
  }

  const int batch_;
  const std::string session_bytes_;
  const store::StoredEvent event_;
  sqlite3* database_ = nullptr;
  sqlite3_stmt* seen_ = nullptr;
  sqlite3_stmt* session_ = nullptr;
  sqlite3_stmt* insert_event_ = nullptr;
  int64_t position_ = 0;
};

}  // namespace

std::unique_ptr<Writer> NewBareSqlite(const std::string& path, int batch) {
  return std::make_unique<BareSqlite>(path, batch);
}

}  // namespace ipp::bench
