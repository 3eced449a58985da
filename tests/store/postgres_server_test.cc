#include "tests/support/postgres_server.h"

#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

// What the tests over PostgreSQL stand on is itself what it says.
namespace ipp {
namespace {

TEST(PostgresServerTest, GivesEachTestADatabaseOfItsOwn) {
  PostgresServer& server = PostgresServer::Shared();
  const std::string one = server.CreateDatabase();
  const std::string other = server.CreateDatabase();
  ASSERT_TRUE(server.Execute(one, "CREATE TABLE t (a int); INSERT INTO t VALUES (7)").ok());
  EXPECT_EQ(*server.Execute(one, "SELECT a FROM t"), "7");
  EXPECT_FALSE(server.Execute(other, "SELECT a FROM t").ok());
  EXPECT_TRUE(server.DropDatabase(one).ok());
  EXPECT_TRUE(server.DropDatabase(other).ok());
}

TEST(PostgresServerTest, HasItsDataAfterAKillOnTheSamePort) {
  const auto server = PostgresServer::Start({}).value();
  ASSERT_TRUE(server->Execute("postgres", "CREATE TABLE t AS SELECT 7 AS a").ok());
  const std::string conninfo = server->conninfo();
  ASSERT_TRUE(server->Kill().ok());
  EXPECT_FALSE(server->Execute("postgres", "SELECT a FROM t").ok());
  ASSERT_TRUE(server->Restart().ok());
  EXPECT_EQ(server->conninfo(), conninfo);
  EXPECT_EQ(*server->Execute("postgres", "SELECT a FROM t"), "7");
}

TEST(PostgresServerTest, HasEveryCommitOnTheStandbyThatIsPromoted) {
  const auto primary = PostgresServer::Start({}).value();
  const auto standby = primary->StartStandby().value();
  ASSERT_TRUE(primary->Execute("postgres", "CREATE TABLE t AS SELECT 7 AS a").ok());
  ASSERT_TRUE(primary->Kill().ok());
  ASSERT_TRUE(standby->Promote().ok());
  EXPECT_EQ(*standby->Execute("postgres", "UPDATE t SET a = a + 1 RETURNING a"), "8");
}

// A kill is the fall of a machine: in no moment of it does a reader see a commit that still waits
// for the standby.
TEST(PostgresServerTest, ShowsNoReaderACommitThatTheStandbyDoesNotHaveWhileItIsKilled) {
  const auto primary = PostgresServer::Start({}).value();
  ASSERT_TRUE(primary->Execute("postgres", "CREATE TABLE t (a int)").ok());
  const auto standby = primary->StartStandby().value();
  ASSERT_TRUE(standby->Freeze().ok());
  std::thread writer(
      [&] { EXPECT_FALSE(primary->Execute("postgres", "INSERT INTO t VALUES (7)").ok()); });
  const auto await = [&](const std::string& event) {
    const std::string sql = absl::StrCat(
        "SELECT count(*) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND ", event);
    while (primary->Execute("postgres", sql).value_or("0") == "0") std::this_thread::yield();
  };
  await("wait_event = 'SyncRep'");
  std::string seen;
  std::thread reader([&] {
    // Runs in the server until it sees the row; a statement inside takes a snapshot of its own.
    seen = primary->Execute("postgres",
                            "DO $$ BEGIN WHILE NOT EXISTS (SELECT FROM t) LOOP END LOOP; END $$")
                   .ok()
               ? "the row"
               : "";
  });
  await("query LIKE 'DO %' AND state = 'active'");
  ASSERT_TRUE(primary->Kill().ok());
  writer.join();
  reader.join();
  EXPECT_EQ(seen, "");
}

}  // namespace
}  // namespace ipp
