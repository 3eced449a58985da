#include "server/store/store_copy.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/base/log.h"
#include "server/base/status_macros.h"
#include "server/store/file_lock.h"
#include "server/store/postgres/connection.h"
#include "server/store/postgres/connection_settings.h"
#include "server/store/postgres/schema.h"
#include "server/store/postgres/session_check.h"
#include "server/store/sqlite/database.h"
#include "server/store/sqlite/schema.h"
#include "server/store/sqlite/writer.h"

namespace ipp::store {
namespace {

// The limit of one statement, which may have to maintain an index over millions of rows.
constexpr std::chrono::minutes kLimit{10};
// The most rows and bytes that one statement copies.
constexpr int kBatchRows = 500;
constexpr size_t kBatchBytes = 4 << 20;

// The tables of the log itself are written by CopyLog(); all other tables are data.
bool IsData(const std::string& table) {
  return table != "log" && table != "log_start" && table != "log_epochs" &&
         table != "schema_version" && !absl::StartsWith(table, "sqlite_");
}

struct Column {
  std::string name;
  PostgresType type;
};

struct Table {
  std::string name;
  std::vector<Column> columns;
  std::string statement;  // the name of the prepared statement
};

absl::StatusOr<PostgresType> TypeNamed(absl::string_view name) {
  if (name == "bigint") return PostgresType::kBigint;
  if (name == "boolean") return PostgresType::kBool;
  if (name == "bytea") return PostgresType::kBytea;
  return absl::UnimplementedError(absl::StrCat("cannot copy columns of type ", name));
}

const char* ArrayOf(PostgresType type) {
  switch (type) {
    case PostgresType::kBigint:
      return "bigint[]";
    case PostgresType::kBool:
      return "boolean[]";
    case PostgresType::kBytea:
      return "bytea[]";
  }
  return "";
}

class Copy {
 public:
  Copy(SqliteDatabase* source, PostgresConnection* target) : source_(source), target_(target) {}

  absl::Status Run() {
    IPP_RETURN_IF_ERROR(Do("BEGIN ISOLATION LEVEL READ COMMITTED"));
    // A commit to the target waits for this lock; one that came before it has left rows, which
    // CheckEmpty() finds.
    IPP_RETURN_IF_ERROR(Do("SELECT id FROM ipp_gateway.log FOR UPDATE"));
    IPP_ASSIGN_OR_RETURN(const std::vector<Table> tables, Tables());
    IPP_RETURN_IF_ERROR(CheckEmpty(tables));
    IPP_RETURN_IF_ERROR(CheckSource(tables));
    for (const Table& table : tables) IPP_RETURN_IF_ERROR(CopyTable(table));
    IPP_RETURN_IF_ERROR(CopyLog());
    IPP_ASSIGN_OR_RETURN(const PostgresRows rows, target_->Execute("COMMIT", kLimit));
    // The server answers the COMMIT of a failed transaction with "ROLLBACK".
    if (rows.command() != "COMMIT") return absl::UnavailableError("the database rolled back");
    return absl::OkStatus();
  }

 private:
  absl::Status Do(const std::string& sql) { return target_->Execute(sql, kLimit).status(); }

  absl::StatusOr<int64_t> Target(const std::string& sql) {
    IPP_ASSIGN_OR_RETURN(const PostgresRows rows, target_->Execute(sql, kLimit));
    int64_t number = 0;
    if (rows.size() != 1 || !absl::SimpleAtoi(rows.Bytes(0, 0), &number)) {
      return absl::DataLossError("not a number");
    }
    return number;
  }

  absl::StatusOr<int64_t> Source(const std::string& sql) {
    IPP_ASSIGN_OR_RETURN(const std::string text, source_->ReadOne(sql));
    int64_t number = 0;
    if (!absl::SimpleAtoi(text, &number)) return absl::DataLossError("not a number");
    return number;
  }

  absl::StatusOr<std::set<std::string>> SourceNames(const std::string& sql) {
    std::set<std::string> names;
    IPP_ASSIGN_OR_RETURN(const SqliteStatement statement, source_->Prepare(sql));
    SqliteQuery query(statement);
    while (true) {
      IPP_ASSIGN_OR_RETURN(const bool found, query.Step());
      if (!found) return names;
      names.insert(query.String(0));
    }
  }

  absl::StatusOr<std::vector<Table>> Tables() {
    IPP_ASSIGN_OR_RETURN(
        const PostgresRows rows,
        target_->Execute("SELECT table_name, column_name, data_type FROM "
                         "information_schema.columns WHERE table_schema = 'ipp_gateway' ORDER BY "
                         "table_name, ordinal_position",
                         kLimit));
    std::vector<Table> tables;
    for (int row = 0; row < rows.size(); ++row) {
      const std::string name = rows.String(row, 0);
      if (!IsData(name)) continue;
      if (tables.empty() || tables.back().name != name) {
        tables.push_back({.name = name, .columns = {}, .statement = "copy_" + name});
      }
      IPP_ASSIGN_OR_RETURN(const PostgresType type, TypeNamed(rows.Bytes(row, 2)));
      tables.back().columns.push_back({rows.String(row, 1), type});
    }
    return tables;
  }

  absl::Status CheckEmpty(const std::vector<Table>& tables) {
    std::string sql =
        "SELECT (SELECT last_position + last_intent FROM ipp_gateway.log) + "
        "(SELECT trimmed_through FROM ipp_gateway.log_start) + "
        "(SELECT count(*) - 1 FROM ipp_gateway.log_epochs)";
    for (const Table& table : tables) {
      absl::StrAppend(&sql, " + (SELECT count(*) FROM (SELECT FROM ipp_gateway.", table.name,
                      " LIMIT 1) AS t)");
    }
    IPP_ASSIGN_OR_RETURN(const int64_t rows, Target(sql));
    if (rows == 0) return absl::OkStatus();
    return absl::FailedPreconditionError(
        "the database is not empty: a store is only copied into one that no gateway has used");
  }

  // Refuses a source that has a table which would not be copied.
  absl::Status CheckSource(const std::vector<Table>& tables) {
    IPP_ASSIGN_OR_RETURN(std::set<std::string> left,
                         SourceNames("SELECT name FROM sqlite_schema WHERE type = 'table'"));
    for (const Table& table : tables) {
      if (left.erase(table.name) == 0) {
        return absl::UnimplementedError(absl::StrCat("the source has no table ", table.name));
      }
    }
    for (const std::string& table : left) {
      if (IsData(table)) {
        return absl::UnimplementedError(absl::StrCat("the target has no table ", table));
      }
    }
    return absl::OkStatus();
  }

  absl::Status CopyTable(const Table& table) {
    std::vector<std::string> names, arrays;
    for (const Column& column : table.columns) {
      names.push_back(column.name);
      arrays.push_back(absl::StrCat("$", names.size(), "::", ArrayOf(column.type)));
    }
    const std::string columns = absl::StrJoin(names, ", ");
    IPP_RETURN_IF_ERROR(target_->Prepare(
        {{table.statement.c_str(),
          absl::StrCat("INSERT INTO ipp_gateway.", table.name, " (", columns,
                       ") SELECT * FROM unnest(", absl::StrJoin(arrays, ", "), ")")}},
        kLimit));
    IPP_ASSIGN_OR_RETURN(const SqliteStatement statement,
                         source_->Prepare(absl::StrCat("SELECT ", columns, " FROM ", table.name)));
    SqliteQuery query(statement);
    while (true) {
      IPP_ASSIGN_OR_RETURN(const int rows, CopyBatch(table, query));
      if (rows < kBatchRows && ended_) break;
    }
    IPP_ASSIGN_OR_RETURN(const int64_t there,
                         Source(absl::StrCat("SELECT count(*) FROM ", table.name)));
    IPP_ASSIGN_OR_RETURN(const int64_t here,
                         Target(absl::StrCat("SELECT count(*) FROM ipp_gateway.", table.name)));
    if (here != there) {
      return absl::DataLossError(
          absl::StrCat("of the ", there, " rows of ", table.name, ", ", here, " arrived"));
    }
    LogInfo("store: table copied", {{"table", table.name}, {"rows", absl::StrCat(here)}});
    return absl::OkStatus();
  }

  absl::StatusOr<int> CopyBatch(const Table& table, SqliteQuery& query) {
    std::vector<PostgresArray> arrays;
    for (const Column& column : table.columns) arrays.emplace_back(column.type);
    int rows = 0;
    size_t bytes = 0;
    ended_ = false;
    while (rows < kBatchRows && bytes < kBatchBytes) {
      IPP_ASSIGN_OR_RETURN(const bool found, query.Step());
      if (!found) {
        ended_ = true;
        break;
      }
      ++rows;
      for (size_t i = 0; i < arrays.size(); ++i) {
        bytes += AddValue(query, static_cast<int>(i), table.columns[i].type, &arrays[i]);
      }
    }
    if (rows == 0) return rows;
    PostgresCall call{table.statement.c_str(), {}};
    for (const PostgresArray& array : arrays) call.arguments.Array(array);
    IPP_RETURN_IF_ERROR(target_->Run(absl::MakeConstSpan(&call, 1), kLimit).status());
    return rows;
  }

  static size_t AddValue(const SqliteQuery& row, int column, PostgresType type,
                         PostgresArray* array) {
    if (row.IsNull(column)) {
      array->AddNull();
      return 4;
    }
    switch (type) {
      case PostgresType::kBigint:
        array->AddInt(row.Int(column));
        return 12;
      case PostgresType::kBool:
        array->AddBool(row.Int(column) != 0);
        return 5;
      case PostgresType::kBytea:
        array->AddBytes(row.Bytes(column));
        return 4 + row.Bytes(column).size();
    }
    return 0;
  }

  // Copies the identity, the bounds and the epochs of the log.
  absl::Status CopyLog() {
    IPP_ASSIGN_OR_RETURN(const std::string id, source_->ReadOne("SELECT id FROM log"));
    const auto is_hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
    if (id.size() != 16 || !std::all_of(id.begin(), id.end(), is_hex)) {
      return absl::DataLossError("the log has no identity");
    }
    IPP_ASSIGN_OR_RETURN(
        const int64_t position,
        Source("SELECT coalesce((SELECT max(position) FROM events), trimmed_through) FROM log"));
    IPP_ASSIGN_OR_RETURN(
        const int64_t recorded_at,
        Source("SELECT coalesce((SELECT recorded_at FROM events ORDER BY position DESC LIMIT 1), "
               "trimmed_at) FROM log"));
    IPP_ASSIGN_OR_RETURN(
        const int64_t intent,
        Source("SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'intents'), 0)"));
    IPP_ASSIGN_OR_RETURN(const int64_t trimmed, Source("SELECT trimmed_through FROM log"));
    IPP_ASSIGN_OR_RETURN(const int64_t held, Source("SELECT creates_held_until FROM log"));
    IPP_RETURN_IF_ERROR(Do(absl::StrCat(
        "UPDATE ipp_gateway.log SET id = '", id, "', last_position = ", position,
        ", last_recorded_at = ", recorded_at, ", last_intent = ", intent, ", creates_held_until = ",
        held, "; UPDATE ipp_gateway.log_start SET trimmed_through = ", trimmed,
        "; DELETE FROM ipp_gateway.log_epochs")));
    IPP_ASSIGN_OR_RETURN(
        const SqliteStatement statement,
        source_->Prepare("SELECT sequence, label, starts_after FROM log_epochs ORDER BY sequence"));
    SqliteQuery query(statement);
    while (true) {
      IPP_ASSIGN_OR_RETURN(const bool found, query.Step());
      if (!found) return absl::OkStatus();
      IPP_RETURN_IF_ERROR(
          Do(absl::StrCat("INSERT INTO ipp_gateway.log_epochs VALUES (", query.Int(0), ", ",
                          query.Int(1), ", ", query.Int(2), ")")));
    }
  }

  SqliteDatabase* const source_;
  PostgresConnection* const target_;
  bool ended_ = false;
};

absl::Status CopyInto(const PostgresFiles& files, SqliteDatabase* source) {
  const StopSignal never;
  IPP_ASSIGN_OR_RETURN(const std::vector<PostgresTarget> targets,
                       ReadTargets(files, PostgresRole::kWrite));
  IPP_ASSIGN_OR_RETURN(const std::unique_ptr<PostgresConnection> target,
                       PostgresConnection::Open(targets, std::chrono::nanoseconds::zero(), &never));
  IPP_RETURN_IF_ERROR(CheckSession(*target, targets, PostgresLimits(kLimit)));
  IPP_RETURN_IF_ERROR(MigratePostgres(target.get(), PostgresMigrations()));
  IPP_RETURN_IF_ERROR(SetUpConnection(*target, PostgresRole::kWrite, PostgresLimits(kLimit)));
  absl::Status status = Copy(source, target.get()).Run();
  if (!status.ok() && !target->dead()) target->Execute("ROLLBACK", kLimit).IgnoreError();
  return status;
}

}  // namespace

absl::Status CopySqliteToPostgres(const std::string& source, const PostgresFiles& target) {
  std::error_code error;
  if (!std::filesystem::exists(source, error)) {
    return absl::FailedPreconditionError(absl::StrCat("there is no store ", source));
  }
  IPP_ASSIGN_OR_RETURN(const std::unique_ptr<FileLock> lock, FileLock::Acquire(source + ".lock"));
  // Migrates the source to the schema of this release.
  IPP_RETURN_IF_ERROR(SqliteWriter::Open(source).status());
  IPP_ASSIGN_OR_RETURN(const std::unique_ptr<SqliteDatabase> database,
                       SqliteDatabase::OpenReadOnly(source));
  absl::Status status = CheckSqliteIsKnown(database.get());
  if (status.ok()) status = CopyInto(target, database.get());
  if (!status.ok()) {
    return absl::Status(status.code(),
                        absl::StrCat("cannot copy the store ", source, " to that of ",
                                     target.dsn_file, ": ", status.message()));
  }
  LogInfo("store copied; the old one is no longer to be used", {{"from", source}});
  return absl::OkStatus();
}

}  // namespace ipp::store
