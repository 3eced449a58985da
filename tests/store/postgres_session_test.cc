// A pool in front of the database, of which the store must have sessions of its own.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <ostream>
#include <string>
#include <thread>

#include "server/store/postgres/connection.h"
#include "server/store/store_copy.h"
#include "tests/store/postgres_bed.h"
#include "tests/support/pg_bouncer.h"

namespace ipp::store::contract {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kSchemas[] = "SELECT count(*) FROM pg_namespace WHERE nspname = 'ipp_gateway'";

struct PoolRow {
  std::string name;
  PgBouncer::Options options;
};

void PrintTo(const PoolRow& row, std::ostream* out) { *out << row.name; }

class PoolInTransactionMode : public ::testing::TestWithParam<PoolRow> {};

// Before the store has written anything, and however many sessions the pool has to choose from.
TEST_P(PoolInTransactionMode, IsRefusedAtTheFirstStart) {
  PostgresDatabase database;
  const PgBouncer pool(database.server(), GetParam().options);
  database.WriteDsn(pool.conninfo(database.name()));
  const absl::Status status = database.TryOpen().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("pool in transaction mode"), HasSubstr("pool_mode = session")));
  EXPECT_EQ(database.Execute(kSchemas), "0");
}

INSTANTIATE_TEST_SUITE_P(Rows, PoolInTransactionMode,
                         ::testing::Values(PoolRow{"OfOne", {.pool_size = 1}},
                                           PoolRow{"OfTwo", {.pool_size = 2}},
                                           PoolRow{"OfTwenty", {.pool_size = 20}}),
                         [](const auto& info) { return info.param.name; });

TEST(Pool, InTransactionModeIsRefusedAmongOtherClientsToo) {
  PostgresDatabase database;
  const PgBouncer pool(database.server(), {.pool_size = 4});
  database.WriteDsn(pool.conninfo(database.name()));
  const auto targets = ReadTargets({database.options.dsn_file, ""}, PostgresRole::kRead).value();
  std::atomic<bool> stop = false;
  std::vector<std::thread> others;
  for (int i = 0; i < 3; ++i) {
    others.emplace_back([&] {
      const StopSignal never;
      const auto connection =
          PostgresConnection::Open(targets, std::chrono::seconds(0), &never).value();
      while (!stop) EXPECT_TRUE(connection->Execute("SELECT 1", std::chrono::seconds(60)).ok());
    });
  }
  const absl::Status status = database.TryOpen().status();
  stop = true;
  for (std::thread& other : others) other.join();
  EXPECT_THAT(std::string(status.message()), HasSubstr("pool in transaction mode"));
}

TEST(Pool, InStatementModeIsRefused) {
  PostgresDatabase database;
  const PgBouncer pool(database.server(), {.pool_mode = "statement"});
  database.WriteDsn(pool.conninfo(database.name()));
  EXPECT_FALSE(database.TryOpen().ok());
  EXPECT_EQ(database.Execute(kSchemas), "0");
}

TEST(Pool, InSessionModeServes) {
  PostgresDatabase database;
  const PgBouncer pool(database.server(), {.pool_mode = "session"});
  database.WriteDsn(pool.conninfo(database.name()));
  for (int start = 0; start < 2; ++start) {
    auto store = database.TryOpen();
    ASSERT_TRUE(store.ok()) << store.status();
    WaitUntil([&] { return (*store)->health().ok(); });
  }
}

TEST(Pool, InTransactionModeIsNotCopiedInto) {
  PostgresDatabase database;
  const PgBouncer pool(database.server(), {});
  database.WriteDsn(pool.conninfo(database.name()));
  const TempDirectory directory;
  std::ofstream(directory.File("gateway.db"));
  const absl::Status status =
      CopySqliteToPostgres(directory.File("gateway.db"), {database.options.dsn_file, ""});
  EXPECT_THAT(std::string(status.message()), HasSubstr("pool in transaction mode"));
  EXPECT_EQ(database.Execute(kSchemas), "0");
}

TEST(PlanSchedule, IsDueSoonThenTwiceAsLateAndAtLastEveryMinute) {
  PlanSchedule::Time now{};
  PlanSchedule plans(now);
  for (const int ms : {125, 250, 500, 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000}) {
    EXPECT_FALSE(plans.TakeDue(now + std::chrono::milliseconds(ms - 1)));
    now += std::chrono::milliseconds(ms);
    EXPECT_TRUE(plans.TakeDue(now));
    EXPECT_FALSE(plans.TakeDue(now));
  }
}

// What the server plans for an empty table it would keep while the table fills.
TEST(Connection, DropsPlansThatWereMadeForAnEmptyTable) {
  PostgresDatabase database;
  const auto targets = ReadTargets({database.options.dsn_file, ""}, PostgresRole::kWrite).value();
  constexpr std::chrono::seconds kLimit(60);
  const auto plan_of = [&](PlanSchedule plans) {
    const StopSignal never;
    const auto connection =
        PostgresConnection::Open(targets, std::chrono::seconds(0), &never, plans).value();
    const auto execute = [&](const std::string& sql) {
      return connection->Execute(sql, kLimit).value();
    };
    execute(
        "CREATE TEMPORARY TABLE kept (a text, b text, c text, PRIMARY KEY (a, b));"
        "CREATE INDEX kept_by_c ON kept (a, c, b); SET plan_cache_mode = force_generic_plan");
    const PostgresStatement find{"find",
                                 "SELECT c FROM unnest($1::text[], $2::text[]) AS k (a, b) "
                                 "JOIN kept USING (a, b)"};
    const PostgresStatement other{"other", "SELECT 1"};
    EXPECT_TRUE(connection->Prepare({&other, 1}, kLimit).ok());
    EXPECT_TRUE(connection->Prepare({&find, 1}, kLimit).ok());
    execute("EXECUTE find ('{x}', '{1}')");
    const PostgresCall call{"other"};
    execute("INSERT INTO kept SELECT 'x', n, n FROM generate_series(1, 20000) AS n");
    EXPECT_TRUE(connection->Run({&call, 1}, kLimit).ok());
    std::string plan;
    const PostgresRows rows = execute("EXPLAIN EXECUTE find ('{x}', '{1}')");
    for (int row = 0; row < rows.size(); ++row) plan += rows.String(row, 0) + "\n";
    return plan;
  };
  // Due at the run, or not for an hour.
  EXPECT_THAT(plan_of(PlanSchedule(PlanSchedule::Time{})), HasSubstr("kept_pkey"));
  EXPECT_THAT(plan_of(PlanSchedule(std::chrono::steady_clock::now() + std::chrono::hours(1))),
              Not(HasSubstr("kept_pkey")));
}

// What holds from one connection to the next is what was read last.
TEST(DsnFile, ThatCannotBeUsedAnyMoreLeavesTheOldOneInUse) {
  PostgresDatabase database;
  const auto store = database.Open();
  Counter& reconnects =
      database.metrics.counter("ipp_store_reconnects_total", "", {{"connection", "writer"}});
  const auto reconnect = [&] {
    const double before = reconnects.value();
    WaitUntil([&] {
      database.CutAll();
      return reconnects.value() > before;
    });
  };
  reconnect();  // so it was connected, and has read its file
  database.WriteDsn("secret words");
  testing::internal::CaptureStderr();
  reconnect();
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, AllOf(HasSubstr("what they held is kept"), HasSubstr("/dsn")));
  EXPECT_THAT(log, testing::Not(HasSubstr("secret words")));
}

}  // namespace
}  // namespace ipp::store::contract
