#pragma once

#include <chrono>
#include <fstream>
#include <memory>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "server/store/postgres/store.h"
#include "tests/store/store_contract.h"
#include "tests/support/postgres_server.h"

namespace ipp::store::contract {

// Waits for what a store does by itself.
template <typename F>
void WaitUntil(F condition) {
  while (!condition()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

// A database of its own for a test, on a server, and stores on it.
class PostgresDatabase {
 public:
  PostgresDatabase() : PostgresDatabase(PostgresServer::Shared(), /*drop=*/true) {}
  // On a server that goes away with the test.
  explicit PostgresDatabase(PostgresServer& server) : PostgresDatabase(server, /*drop=*/false) {}
  ~PostgresDatabase() {
    if (!drop_) return;
    EXPECT_TRUE(server_.DropDatabase(name_).ok());
  }

  absl::StatusOr<std::unique_ptr<Store>> TryOpen() {
    return OpenPostgresStore(options, &clock, &metrics);
  }
  std::unique_ptr<Store> Open() { return TryOpen().value(); }

  std::string Execute(const std::string& sql) { return server_.Execute(name_, sql).value(); }
  // Ends the sessions of everybody on this database.
  void CutAll() {
    server_
        .Execute("postgres", absl::StrCat("SELECT pg_terminate_backend(pid) FROM "
                                          "pg_stat_activity WHERE datname = '",
                                          name_, "'"))
        .value();
  }
  void WriteDsn(const std::string& dsn) { WriteFile("dsn", dsn); }
  std::string WriteFile(const std::string& name, const std::string& text) {
    // As a secret is replaced: a reader sees the old one or the new one.
    const std::string path = directory_.File(name);
    std::ofstream(path + ".new") << text;
    std::filesystem::rename(path + ".new", path);
    return path;
  }
  const std::string& name() const { return name_; }
  PostgresServer& server() const { return server_; }

  PostgresOptions options;
  FakeClock clock;
  Metrics metrics;

 private:
  PostgresDatabase(PostgresServer& server, bool drop)
      : server_(server), name_(server.CreateDatabase()), drop_(drop) {
    WriteDsn(server.conninfo(name_));
    options.dsn_file = directory_.File("dsn");
    options.queue.retention = kShort;
    options.queue.maintenance_interval = absl::Milliseconds(5);
    // Long: what is heard, is heard by notification.
    options.poll_interval = absl::Hours(1);
  }

  PostgresServer& server_;
  const std::string name_;
  const bool drop_;
  const TempDirectory directory_;
};

}  // namespace ipp::store::contract
