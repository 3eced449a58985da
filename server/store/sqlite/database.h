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

// Errors of everything here: ALREADY_EXISTS for a key that is taken, INVALID_ARGUMENT for a value
// that cannot be written, DATA_LOSS for a file that is damaged or no database, UNAVAILABLE for the
// rest (disk full, locked, I/O).

struct SqliteFinalizer {
  void operator()(sqlite3_stmt* statement) const;
};
using SqliteStatement = std::unique_ptr<sqlite3_stmt, SqliteFinalizer>;

// One run of a prepared statement; resets it at the end, which also ends a read transaction. What
// is bound is not copied and must live as long. Not thread-safe.
class SqliteQuery {
 public:
  explicit SqliteQuery(const SqliteStatement& statement) : statement_(statement.get()) {}
  ~SqliteQuery();
  SqliteQuery(const SqliteQuery&) = delete;
  SqliteQuery& operator=(const SqliteQuery&) = delete;

  // For the next `?`.
  SqliteQuery& Bind(int64_t value);
  SqliteQuery& Bind(const std::string& text);
  SqliteQuery& BindBlob(const std::string& bytes);
  SqliteQuery& BindNull();

  // True when there is a(nother) row.
  absl::StatusOr<bool> Step();
  // For a statement without rows.
  absl::Status Run();

  bool IsNull(int column) const;
  int64_t Int(int column) const;
  absl::string_view Bytes(int column) const;  // until the next Step()
  std::string String(int column) const { return std::string(Bytes(column)); }

 private:
  sqlite3_stmt* const statement_;
  int bound_ = 0;
};

// A connection, for one thread at a time.
class SqliteDatabase {
 public:
  // Opens `path`, making it when missing.
  static absl::StatusOr<std::unique_ptr<SqliteDatabase>> Open(const std::string& path);
  // For reading beside a writer, of this process or another one; never checkpoints.
  static absl::StatusOr<std::unique_ptr<SqliteDatabase>> OpenReadOnly(const std::string& path);
  // For reading a file that nothing writes to: as it is, without locks or files beside it.
  static absl::StatusOr<std::unique_ptr<SqliteDatabase>> OpenImmutable(const std::string& path);

  // One or more statements; rows are dropped.
  absl::Status Execute(const std::string& sql);
  absl::StatusOr<SqliteStatement> Prepare(absl::string_view sql);
  // The first column of the first row.
  absl::StatusOr<std::string> ReadOne(absl::string_view sql);
  // BEGIN IMMEDIATE, `body`, COMMIT; rolled back when any of them fails.
  absl::Status InTransaction(absl::FunctionRef<absl::Status()> body);
  // All of it as of now, over whatever `target` holds, in one go.
  absl::Status CopyTo(SqliteDatabase* target);
  // Rows that the last statement changed.
  int64_t changes() const;

 private:
  struct Closer {
    void operator()(sqlite3* database) const;
  };
  explicit SqliteDatabase(sqlite3* database) : database_(database) {}
  static absl::StatusOr<std::unique_ptr<SqliteDatabase>> Open(const std::string& path, int flags);

  std::unique_ptr<sqlite3, Closer> database_;
};

}  // namespace ipp::store
