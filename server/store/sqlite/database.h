#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

struct sqlite3;
struct sqlite3_stmt;

namespace ipp::store {

// Errors of everything here: ALREADY_EXISTS for a violated unique key, INVALID_ARGUMENT for a value
// that cannot be written, DATA_LOSS for a file that is damaged or not a database, UNAVAILABLE for
// the rest (disk full, locked, I/O).

struct SqliteFinalizer {
  void operator()(sqlite3_stmt* statement) const;
};
using SqliteStatement = std::unique_ptr<sqlite3_stmt, SqliteFinalizer>;

// One execution of a prepared statement. The destructor resets the statement, which also ends a
// read transaction. Bound values are not copied and must outlive the query. Not thread-safe.
class SqliteQuery {
 public:
  explicit SqliteQuery(const SqliteStatement& statement) : statement_(statement.get()) {}
  ~SqliteQuery();
  SqliteQuery(const SqliteQuery&) = delete;
  SqliteQuery& operator=(const SqliteQuery&) = delete;

  // Each call binds the next `?`.
  SqliteQuery& Bind(int64_t value);
  SqliteQuery& Bind(const std::string& text);
  SqliteQuery& BindBlob(const std::string& bytes);
  SqliteQuery& BindNull();

  // Returns whether there is a (further) row.
  absl::StatusOr<bool> Step();
  // Executes a statement that returns no rows.
  absl::Status Run();

  bool IsNull(int column) const;
  int64_t Int(int column) const;
  absl::string_view Bytes(int column) const;  // valid until the next Step()
  std::string String(int column) const { return std::string(Bytes(column)); }

 private:
  sqlite3_stmt* const statement_;
  int bound_ = 0;
};

// A connection, for one thread at a time.
class SqliteDatabase {
 public:
  // Opens `path` for writing and creates it when it is missing.
  static absl::StatusOr<std::unique_ptr<SqliteDatabase>> Open(const std::string& path);
  // Opens `path` for reading beside a writer of this or another process; never checkpoints.
  static absl::StatusOr<std::unique_ptr<SqliteDatabase>> OpenReadOnly(const std::string& path);
  // Opens a file that no process writes: without locks, and without creating files beside it.
  static absl::StatusOr<std::unique_ptr<SqliteDatabase>> OpenImmutable(const std::string& path);

  // Executes one or more statements and drops their rows.
  absl::Status Execute(const std::string& sql);
  absl::StatusOr<SqliteStatement> Prepare(absl::string_view sql);
  // Returns the first column of the first row.
  absl::StatusOr<std::string> ReadOne(absl::string_view sql);
  // BEGIN IMMEDIATE. After an OK, Rollback() ends the transaction unless Commit() succeeded.
  absl::Status Begin() { return Run("BEGIN IMMEDIATE", &begin_); }
  absl::Status Commit() { return Run("COMMIT", &commit_); }
  // No-op without a transaction: some errors have rolled back already.
  void Rollback();
  // Begin(), `body`, Commit(); rolls back when one of them fails.
  absl::Status InTransaction(absl::FunctionRef<absl::Status()> body);
  // `body` sees one state of the database. It must only read.
  absl::Status InOneView(absl::FunctionRef<absl::Status()> body);
  // Copies the current state of the database, in one step, over the content of `target`.
  absl::Status CopyTo(SqliteDatabase* target);
  // The number of rows that the last statement changed.
  int64_t changes() const;

 private:
  struct Closer {
    void operator()(sqlite3* database) const;
  };
  explicit SqliteDatabase(sqlite3* database) : database_(database) {}
  // Executes `sql`, which is prepared at the first time.
  absl::Status Run(absl::string_view sql, SqliteStatement* statement);
  static absl::StatusOr<std::unique_ptr<SqliteDatabase>> Open(const std::string& path, int flags);

  std::unique_ptr<sqlite3, Closer> database_;
  SqliteStatement begin_, commit_;
};

}  // namespace ipp::store
