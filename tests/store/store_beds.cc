#include <sqlite3.h>

#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/store/postgres/store.h"
#include "server/store/sqlite/database.h"
#include "server/store/sqlite/schema.h"
#include "server/store/sqlite/store.h"
#include "tests/store/failing_vfs.h"
#include "tests/store/store_contract.h"
#include "tests/support/fake_store.h"
#include "tests/support/postgres_server.h"

namespace ipp::store::contract {
namespace {

class FakeBed final : public StoreBed {
 public:
  std::unique_ptr<Store> Open(size_t max_queue) override {
    auto store = std::make_unique<FakeStore>(&clock, FakeStore::Mode::kThread, disk_, max_queue);
    store_ = store.get();
    return store;
  }
  void Break() override { store_->FailCommits(absl::UnavailableError("broken"), 1000); }
  void Repair() override { store_->FailCommits(absl::OkStatus(), 0); }

 private:
  const std::shared_ptr<FakeDisk> disk_ = std::make_shared<FakeDisk>();
  FakeStore* store_ = nullptr;
};

// What a later release might do to a schema that this one is to go on with.
std::string LaterSteps(absl::string_view prefix, absl::string_view number) {
  std::string sql;
  for (const char* table :
       {"log", "log_epochs", "events", "seen", "sessions", "intents", "cancels"}) {
    absl::StrAppend(&sql, "ALTER TABLE ", prefix, table, " ADD COLUMN later ", number,
                    " NOT NULL DEFAULT 7;");
  }
  return absl::StrCat(sql, "CREATE TABLE ", prefix, "later (a ", number, " NOT NULL);",
                      "CREATE INDEX later_events ON ", prefix, "events (session_id, later);");
}

class SqliteBed : public StoreBed {
 public:
  SqliteBed() { FailingVfs::Install(); }
  ~SqliteBed() override { FailingVfs::Heal(); }
  std::unique_ptr<Store> Open(size_t max_queue) override {
    SqliteOptions options{.path = directory_.File("gateway.db"), .queue = {.max_queue = max_queue}};
    return *OpenSqliteStore(options, &clock, &metrics);
  }
  void Break() override { FailingVfs::FailWrites(SQLITE_FULL); }
  void Repair() override { FailingVfs::Heal(); }

 protected:
  const TempDirectory directory_;
};

class NewerSqliteBed final : public SqliteBed {
 public:
  NewerSqliteBed() {
    Open(1).reset();
    const auto database = *SqliteDatabase::Open(directory_.File("gateway.db"));
    const std::string later = LaterSteps("", "INTEGER");
    std::vector<const char*> steps(SqliteMigrations().begin(), SqliteMigrations().end());
    steps.push_back(later.c_str());
    EXPECT_TRUE(MigrateSqlite(database.get(), steps).ok());
  }
};

// Breaks by what happens to a server whose standby took over: no session can write any more, those
// that are there are ended.
class PostgresBed : public StoreBed {
 public:
  PostgresBed() { std::ofstream(dsn_file_) << server_.conninfo(database_); }
  ~PostgresBed() override { EXPECT_TRUE(server_.DropDatabase(database_).ok()); }
  std::unique_ptr<Store> Open(size_t max_queue) override {
    PostgresOptions options{.dsn_file = dsn_file_, .queue = {.max_queue = max_queue}};
    return *OpenPostgresStore(options, &clock, &metrics);
  }
  void Break() override {
    Execute("ALTER DATABASE " + database_ + " SET default_transaction_read_only = on");
    Execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '" + database_ +
            "'");
  }
  void Repair() override {
    Execute("ALTER DATABASE " + database_ + " RESET default_transaction_read_only");
  }

 protected:
  void Execute(const std::string& sql) { EXPECT_TRUE(server_.Execute("postgres", sql).ok()); }

  PostgresServer& server_ = PostgresServer::Shared();
  const std::string database_ = server_.CreateDatabase();
  const TempDirectory directory_;
  const std::string dsn_file_ = directory_.File("dsn");
};

class NewerPostgresBed final : public PostgresBed {
 public:
  NewerPostgresBed() {
    Open(1).reset();
    EXPECT_TRUE(
        server_
            .Execute(database_, LaterSteps("ipp_gateway.", "bigint") +
                                    "UPDATE ipp_gateway.schema_version SET version = version + 1")
            .ok());
  }
};

}  // namespace

std::unique_ptr<StoreBed> MakeFakeBed() { return std::make_unique<FakeBed>(); }
std::unique_ptr<StoreBed> MakeSqliteBed() { return std::make_unique<SqliteBed>(); }
std::unique_ptr<StoreBed> MakePostgresBed() { return std::make_unique<PostgresBed>(); }
std::unique_ptr<StoreBed> MakeNewerSqliteBed() { return std::make_unique<NewerSqliteBed>(); }
std::unique_ptr<StoreBed> MakeNewerPostgresBed() { return std::make_unique<NewerPostgresBed>(); }

}  // namespace ipp::store::contract
