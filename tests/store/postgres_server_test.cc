#include "tests/support/postgres_server.h"

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

}  // namespace
}  // namespace ipp
