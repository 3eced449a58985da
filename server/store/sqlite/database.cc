#include "server/store/sqlite/database.h"

#include <sqlite3.h>

#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/store/sqlite/wal_buffer.h"

namespace ipp::store {
namespace {

// SQLite counts the bytes of each allocation under one lock of the process, unless this is said
// before its first use. Nothing here asks for those counts.
void LeaveAllocationsUncounted() {
  static const int once = sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
  static_cast<void>(once);
}

// How long a statement waits for a lock. Only a foreign program (a backup, the shell) can hold one.
constexpr int kBusyTimeoutMs = 200;

absl::Status ErrorOf(sqlite3* database) {
  const int code = sqlite3_extended_errcode(database);
  const std::string message = absl::StrCat("sqlite: ", sqlite3_errmsg(database), " (", code, ")");
  switch (code & 0xff) {
    case SQLITE_CONSTRAINT:
      return code == SQLITE_CONSTRAINT_UNIQUE || code == SQLITE_CONSTRAINT_PRIMARYKEY
                 ? absl::AlreadyExistsError(message)
                 : absl::InvalidArgumentError(message);
    // A fault of the values of one statement, not of the file.
    case SQLITE_TOOBIG:
    case SQLITE_MISMATCH:
    case SQLITE_RANGE:
      return absl::InvalidArgumentError(message);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return absl::DataLossError(message);
    default:
      return absl::UnavailableError(message);
  }
}

}  // namespace

void SqliteFinalizer::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }

SqliteQuery::~SqliteQuery() { sqlite3_reset(statement_); }

SqliteQuery& SqliteQuery::Bind(int64_t value) {
  sqlite3_bind_int64(statement_, ++bound_, value);
  return *this;
}

SqliteQuery& SqliteQuery::Bind(const std::string& text) {
  sqlite3_bind_text(statement_, ++bound_, text.data(), static_cast<int>(text.size()),
                    SQLITE_STATIC);
  return *this;
}

SqliteQuery& SqliteQuery::BindBlob(const std::string& bytes) {
  sqlite3_bind_blob(statement_, ++bound_, bytes.data(), static_cast<int>(bytes.size()),
                    SQLITE_STATIC);
  return *this;
}

SqliteQuery& SqliteQuery::BindNull() {
  sqlite3_bind_null(statement_, ++bound_);
  return *this;
}

absl::StatusOr<bool> SqliteQuery::Step() {
  switch (sqlite3_step(statement_)) {
    case SQLITE_ROW:
      return true;
    case SQLITE_DONE:
      return false;
    default:
      return ErrorOf(sqlite3_db_handle(statement_));
  }
}

absl::Status SqliteQuery::Run() { return Step().status(); }

bool SqliteQuery::IsNull(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

int64_t SqliteQuery::Int(int column) const { return sqlite3_column_int64(statement_, column); }

absl::string_view SqliteQuery::Bytes(int column) const {
  const void* data = sqlite3_column_blob(statement_, column);  // before the size, says the manual
  const int size = sqlite3_column_bytes(statement_, column);
  return size == 0 ? absl::string_view()
                   : absl::string_view(static_cast<const char*>(data), static_cast<size_t>(size));
}

void SqliteDatabase::Closer::operator()(sqlite3* database) const { sqlite3_close_v2(database); }

absl::StatusOr<std::unique_ptr<SqliteDatabase>> SqliteDatabase::Open(const std::string& path,
                                                                     int flags) {
  LeaveAllocationsUncounted();
  sqlite3* handle = nullptr;
  const int code =
      sqlite3_open_v2(path.c_str(), &handle, flags | SQLITE_OPEN_NOMUTEX, BufferedWalVfs());
  // SQLite returns a handle also after an error; it must be closed.
  std::unique_ptr<SqliteDatabase> database(new SqliteDatabase(handle));
  if (code != SQLITE_OK) return ErrorOf(handle);
  sqlite3_extended_result_codes(handle, 1);
  sqlite3_busy_timeout(handle, kBusyTimeoutMs);
  return database;
}

absl::StatusOr<std::unique_ptr<SqliteDatabase>> SqliteDatabase::Open(const std::string& path) {
  return Open(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
}

absl::StatusOr<std::unique_ptr<SqliteDatabase>> SqliteDatabase::OpenReadOnly(
    const std::string& path) {
  IPP_ASSIGN_OR_RETURN(std::unique_ptr<SqliteDatabase> database, Open(path, SQLITE_OPEN_READONLY));
  sqlite3_db_config(database->database_.get(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  return database;
}

absl::StatusOr<std::unique_ptr<SqliteDatabase>> SqliteDatabase::OpenImmutable(
    const std::string& path) {
  std::string uri = "file:";
  for (const char c : path) {
    // Characters with a meaning in a URI.
    if (c == '?' || c == '#' || c == '%') {
      absl::StrAppend(&uri, "%", absl::Hex(c, absl::kZeroPad2));
    } else {
      uri.push_back(c);
    }
  }
  return Open(uri + "?immutable=1", SQLITE_OPEN_READONLY | SQLITE_OPEN_URI);
}

absl::Status SqliteDatabase::CopyTo(SqliteDatabase* target) {
  sqlite3* const to = target->database_.get();
  sqlite3_backup* const backup = sqlite3_backup_init(to, "main", database_.get(), "main");
  if (backup == nullptr) return ErrorOf(to);
  int code = SQLITE_OK;
  // In one step, so that the copy is one consistent state. Busy: the file is locked for a moment,
  // for example when a gateway recovers its log at start-up.
  for (int tries = 0; tries < 50; ++tries) {
    code = sqlite3_backup_step(backup, -1);
    if (code != SQLITE_BUSY && code != SQLITE_LOCKED) break;
    sqlite3_sleep(kBusyTimeoutMs);
  }
  sqlite3_backup_finish(backup);
  if (code == SQLITE_DONE) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat("sqlite: ", sqlite3_errstr(code), " (", code, ")"));
}

absl::Status SqliteDatabase::Execute(const std::string& sql) {
  if (sqlite3_exec(database_.get(), sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
    return ErrorOf(database_.get());
  }
  return absl::OkStatus();
}

absl::StatusOr<SqliteStatement> SqliteDatabase::Prepare(absl::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v3(database_.get(), sql.data(), static_cast<int>(sql.size()),
                         SQLITE_PREPARE_PERSISTENT, &statement, nullptr) != SQLITE_OK) {
    return ErrorOf(database_.get());
  }
  return SqliteStatement(statement);
}

absl::Status SqliteDatabase::Run(absl::string_view sql, SqliteStatement* statement) {
  if (*statement == nullptr) {
    IPP_ASSIGN_OR_RETURN(*statement, Prepare(sql));
  }
  return SqliteQuery(*statement).Run();
}

absl::StatusOr<std::string> SqliteDatabase::ReadOne(absl::string_view sql) {
  IPP_ASSIGN_OR_RETURN(const SqliteStatement statement, Prepare(sql));
  SqliteQuery query(statement);
  IPP_ASSIGN_OR_RETURN(const bool found, query.Step());
  return found ? query.String(0) : std::string();
}

void SqliteDatabase::Rollback() {
  // An error of ROLLBACK itself leaves no transaction open either.
  if (sqlite3_get_autocommit(database_.get()) == 0) Execute("ROLLBACK").IgnoreError();
}

absl::Status SqliteDatabase::InTransaction(absl::FunctionRef<absl::Status()> body) {
  IPP_RETURN_IF_ERROR(Begin());
  absl::Status status = body();
  if (status.ok()) status = Commit();
  if (!status.ok()) Rollback();
  return status;
}

absl::Status SqliteDatabase::InOneView(absl::FunctionRef<absl::Status()> body) {
  IPP_RETURN_IF_ERROR(Execute("BEGIN DEFERRED"));
  absl::Status status = body();
  Rollback();  // nothing was written
  return status;
}

int64_t SqliteDatabase::changes() const { return sqlite3_changes64(database_.get()); }

}  // namespace ipp::store
