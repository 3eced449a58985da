#include "server/store/postgres/store.h"

#include <random>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "server/store/postgres/reader.h"
#include "server/store/postgres/writer.h"
#include "tests/store/postgres_bed.h"

namespace ipp::store {
namespace {

using namespace contract;  // NOLINT: the words of these tests
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class PostgresStoreTest : public testing::Test {
 protected:
  PostgresDatabase database_;
};

// ---- Commits. ----

TEST_F(PostgresStoreTest, CommitsEverythingThatWaitsAtOnce) {
  const auto store = database_.Open();
  Gate gate;
  std::promise<void> last;
  store->Commit(gate.transaction(), [](absl::StatusOr<Committed>) {});
  gate.WaitUntilEntered();
  for (int i = 0; i < 99; ++i) store->Commit(Append("a"), [](absl::StatusOr<Committed>) {});
  store->Commit(Append("z"), [&](absl::StatusOr<Committed>) { last.set_value(); });
  gate.Open();
  last.get_future().wait();
  EXPECT_EQ(database_.Execute("SELECT commits FROM ipp_gateway.log"), "2");
}

TEST_F(PostgresStoreTest, KeepsBytesOfAnyKind) {
  const std::string bytes("\0'\\x\u00e9", 6);
  const auto store = database_.Open();
  SessionRecord record = Record(bytes, bytes);
  record.merchant_id = bytes;
  Transaction transaction = Put(record);
  transaction.dedup_key = bytes;
  ASSERT_TRUE(Commit(*store, transaction).ok());
  EXPECT_TRUE(Commit(*store, transaction)->already_seen);
  const auto found = Await<SessionRecord>(
      [&](Done<SessionRecord> done) { store->FindSession(bytes, bytes, std::move(done)); });
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->merchant_id, bytes);
  EXPECT_EQ(found->request_id, bytes);
}

TEST_F(PostgresStoreTest, FailsWhatItCannotHoldAlone) {
  std::mt19937 random(1);
  std::string long_id;
  while (long_id.size() < 10000) long_id.push_back(static_cast<char>('a' + random() % 26));
  const auto store = database_.Open();
  Gate gate;
  std::promise<absl::Status> before, refused, after;
  store->Commit(gate.transaction(), [](absl::StatusOr<Committed>) {});
  gate.WaitUntilEntered();
  store->Commit(Append("a"), [&](absl::StatusOr<Committed> c) { before.set_value(c.status()); });
  store->Commit(Put(Record(long_id)),
                [&](absl::StatusOr<Committed> c) { refused.set_value(c.status()); });
  store->Commit(Append("b"), [&](absl::StatusOr<Committed> c) { after.set_value(c.status()); });
  gate.Open();
  EXPECT_TRUE(before.get_future().get().ok());
  EXPECT_TRUE(absl::IsInvalidArgument(refused.get_future().get()));
  EXPECT_TRUE(after.get_future().get().ok());
  EXPECT_TRUE(store->health().ok());
}

TEST_F(PostgresStoreTest, GivesARequestIdOnWhateverSharesABatch) {
  const auto store = database_.Open();
  ASSERT_TRUE(Commit(*store, Put(Record("s1", "r1"))).ok());
  Gate gate;
  std::promise<absl::Status> early, given_up, taken;
  store->Commit(gate.transaction(), [](absl::StatusOr<Committed>) {});
  gate.WaitUntilEntered();
  store->Commit(Put(Record("s0", "r1")),
                [&](absl::StatusOr<Committed> c) { early.set_value(c.status()); });
  store->Commit(Put(Record("s1", "r2")),
                [&](absl::StatusOr<Committed> c) { given_up.set_value(c.status()); });
  store->Commit(Put(Record("s2", "r1")),
                [&](absl::StatusOr<Committed> c) { taken.set_value(c.status()); });
  gate.Open();
  EXPECT_TRUE(absl::IsAlreadyExists(early.get_future().get()));  // s1 still had it
  EXPECT_TRUE(given_up.get_future().get().ok());
  EXPECT_TRUE(taken.get_future().get().ok());
  EXPECT_EQ(FindByRequest(*store, "r1")->session.session_id(), "s2");
}

TEST_F(PostgresStoreTest, CountsCommitsFailuresEventsAndReconnects) {
  const auto store = database_.Open();
  ASSERT_TRUE(Commit(*store, Append("a")).ok());
  ASSERT_TRUE(Commit(*store, Put(Record("s1"))).ok());
  ASSERT_TRUE(Commit(*store, Put(Record("s2", "r"))).ok());
  ASSERT_FALSE(Commit(*store, Put(Record("s3", "r"))).ok());
  EXPECT_THAT(
      database_.metrics.Text(),
      AllOf(HasSubstr("ipp_store_commits_total 3"), HasSubstr("ipp_store_commit_failures_total 1"),
            HasSubstr("ipp_events_appended_total 1"), HasSubstr("ipp_store_commit_seconds_count 4"),
            HasSubstr("ipp_store_queue_depth{queue=\"write\"} 0"),
            HasSubstr("ipp_store_reconnects_total{connection=\"reader\"} 0")));
  ASSERT_TRUE(Find(*store, "s1").ok());
  database_.CutAll();
  ASSERT_TRUE(Find(*store, "s1").ok());
  EXPECT_THAT(database_.metrics.Text(),
              HasSubstr("ipp_store_reconnects_total{connection=\"reader\"} 1"));
}

TEST_F(PostgresStoreTest, MeasuresItsSizeAgainAndAgain) {
  database_.options.queue.size_interval = absl::Milliseconds(1);
  const Gauge& bytes = database_.metrics.gauge("ipp_store_size_bytes", "");
  const auto store = database_.Open();
  while (bytes.value() == 0) std::this_thread::yield();
  const double before = bytes.value();
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(Commit(*store, Append(std::string(400, 'a'))).ok());
  while (bytes.value() <= before + 100 * 400) std::this_thread::yield();
}

TEST_F(PostgresStoreTest, CommitsAtOnceWhenItsConnectionWasCutMeanwhile) {
  const auto store = database_.Open();
  for (int i = 0; i < 5; ++i) {
    database_.CutAll();
    EXPECT_TRUE(Commit(*store, Append("a")).ok());
  }
  EXPECT_EQ(Read(*store, 0)->size(), 5u);
}

TEST_F(PostgresStoreTest, SaysWhileIdleThatItCannotCommit) {
  const auto store = database_.Open();
  database_.Execute(
      absl::StrCat("ALTER DATABASE ", database_.name(), " SET default_transaction_read_only = on"));
  database_.CutAll();
  WaitUntil([&] { return absl::IsUnavailable(store->health()); });
  database_.server()
      .Execute("postgres", absl::StrCat("ALTER DATABASE ", database_.name(),
                                        " RESET default_transaction_read_only"))
      .value();
  WaitUntil([&] { return store->health().ok(); });
}

TEST_F(PostgresStoreTest, NoticesThatTheDatabaseHoldsAnotherLog) {
  const auto store = database_.Open();
  ASSERT_TRUE(Commit(*store, Append("a")).ok());
  database_.Execute("UPDATE ipp_gateway.log SET id = '0123456789abcdef'");
  database_.CutAll();
  const absl::Status refused = Commit(*store, Append("b")).status();
  EXPECT_TRUE(absl::IsUnavailable(refused));
  EXPECT_THAT(refused.message(), HasSubstr("another log"));
}

// ---- Retention. ----

TEST_F(PostgresStoreTest, TrimsOldEventsInStepsAndGoesOnNumbering) {
  database_.options.poll_interval = absl::Milliseconds(1);
  auto store = database_.Open();
  Transaction many;
  many.decide = [](const Snapshot&) { return Writes{{}, std::vector<NewEvent>(1200, Event("a"))}; };
  ASSERT_TRUE(Commit(*store, many).ok());
  database_.clock.Advance(absl::Minutes(59));
  ASSERT_TRUE(Commit(*store, Append("young")).ok());
  const absl::Time young = database_.clock.Now();
  database_.clock.Advance(absl::Minutes(2));
  WaitUntil([&] { return store->bounds().oldest == 1201; });
  EXPECT_THAT(Ids(*Read(*store, 0)), ElementsAre("young"));
  EXPECT_EQ(*PositionAt(*store, absl::InfinitePast()), 1200);
  EXPECT_EQ(*PositionAt(*store, young), 1200);

  database_.clock.Advance(absl::Hours(2));
  WaitUntil([&] { return store->bounds().oldest == 1202; });
  EXPECT_EQ(store->bounds().latest, 1201);
  EXPECT_EQ(*PositionAt(*store, young), 1201);
  store.reset();
  database_.clock.Advance(-absl::Hours(5));
  store = database_.Open();
  EXPECT_EQ(store->bounds().oldest, 1202);
  EXPECT_EQ(store->bounds().latest, 1201);
  EXPECT_THAT(Commit(*store, Append("next"))->positions, ElementsAre(1202));
  EXPECT_EQ(Read(*store, 0)->at(0).recorded_at, young);  // the clock went back, the log does not
}

TEST_F(PostgresStoreTest, KeepsTheEndOfFinalSessionsAndForgetsKeysButNoOpenSession) {
  database_.options.poll_interval = absl::Milliseconds(1);
  const auto store = database_.Open();
  for (const char* id : {"open", "final"}) {
    SessionRecord record = Record(id);
    record.open = std::string(id) == "open";
    record.updated_at = database_.clock.Now();
    ASSERT_TRUE(Commit(*store, Put(record)).ok());
  }
  ASSERT_TRUE(Commit(*store, Append("a", "key")).ok());

  // Longer than events are kept, not as long as keys are.
  database_.clock.Advance(absl::Hours(2));
  WaitUntil([&] { return store->bounds().oldest == 2; });
  EXPECT_TRUE(Find(*store, "final").ok());
  EXPECT_TRUE(Commit(*store, Append("b", "key"))->already_seen);

  database_.clock.Advance(absl::Hours(2));
  WaitUntil([&] { return Find(*store, "final")->trimmed; });
  WaitUntil([&] { return !Commit(*store, Append("c", "key"))->already_seen; });
  EXPECT_FALSE(Find(*store, "open")->trimmed);

  database_.clock.Advance(absl::Hours(10));
  WaitUntil([&] { return absl::IsNotFound(Find(*store, "final").status()); });
  EXPECT_TRUE(Find(*store, "open").ok());
}

// ---- Times that are not certain. ----

TEST_F(PostgresStoreTest, RemovesNothingByAClockThatIsAheadOfTheDatabases) {
  database_.options.database_clock = true;
  const absl::Time now = absl::Now();
  database_.clock.SetWall(now);
  const auto store = database_.Open();
  ASSERT_TRUE(Commit(*store, Append("a", "key")).ok());
  database_.clock.SetWall(now + absl::Hours(24 * 8));
  WaitUntil([&] {
    return testing::Value(database_.metrics.Text(),
                          HasSubstr("ipp_store_clock_difference_seconds 69"));
  });
  ASSERT_TRUE(Commit(*store, Append("b")).ok());
  EXPECT_EQ(store->bounds().oldest, 1);
  EXPECT_TRUE(Commit(*store, Append("c", "key"))->already_seen);
  // What it writes is stamped by the database's clock.
  EXPECT_LT(Read(*store, 0)->back().recorded_at, now + absl::Hours(1));
}

// Its first commit comes before any maintenance. A time that is too late would stay: `recorded_at`
// never decreases.
TEST_F(PostgresStoreTest, GoesByTheDatabasesClockFromTheFirstCommitOn) {
  const absl::Time now = absl::Now();
  database_.options.database_clock = true;
  database_.options.queue.maintenance_interval = absl::Hours(1);
  for (const absl::Duration wrong : {absl::Hours(24 * 400), -absl::Hours(24 * 400)}) {
    database_.clock.SetWall(now + wrong);
    const auto store = database_.Open();
    const auto committed = Commit(*store, Append("a"));
    ASSERT_TRUE(committed.ok());
    const StoredEvent event = Read(*store, committed->positions.at(0) - 1)->at(0);
    EXPECT_GE(event.recorded_at, now - absl::Minutes(1));
    EXPECT_LT(event.recorded_at, now + absl::Hours(1));
    EXPECT_GE(store->Now(), now - absl::Minutes(1));
    EXPECT_LT(store->Now(), now + absl::Hours(1));
  }
}

// ---- Schema. ----

// What it does with one that says that this release can use it: NewerPostgres/StoreContract.
TEST_F(PostgresStoreTest, RefusesASchemaThatANewerReleaseHasMadeUnusable) {
  database_.Open().reset();
  database_.Execute(
      "UPDATE ipp_gateway.schema_version SET version = 99; UPDATE ipp_gateway.log SET usable_from "
      "= 42");
  const absl::Status refused = database_.TryOpen().status();
  EXPECT_TRUE(absl::IsFailedPrecondition(refused)) << refused;
  EXPECT_THAT(refused.message(),
              AllOf(HasSubstr("newer release"), HasSubstr("version 99"), HasSubstr("must know 42"),
                    HasSubstr(database_.options.dsn_file)));
}

TEST_F(PostgresStoreTest, RefusesTheSchemaOfAnotherProgram) {
  database_.Execute("CREATE SCHEMA ipp_gateway; CREATE TABLE ipp_gateway.theirs (a int)");
  const absl::Status refused = database_.TryOpen().status();
  EXPECT_TRUE(absl::IsFailedPrecondition(refused)) << refused;
  EXPECT_THAT(refused.message(), HasSubstr("another program"));
  EXPECT_EQ(database_.Execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'ipp_gateway'"),
            "1");
}

TEST_F(PostgresStoreTest, PlansWithIndexesFromTheFirstRowOn) {
  database_.Open().reset();
  const StopSignal stop;
  const PostgresLimits limits(std::chrono::seconds(10));
  for (const auto& [role, statements] :
       {std::pair(PostgresRole::kWrite, PostgresWriterStatements()),
        std::pair(PostgresRole::kRead, PostgresReaderStatements())}) {
    const auto connection =
        PostgresConnection::Open(ReadTargets({database_.options.dsn_file, ""}, role).value(),
                                 std::chrono::seconds(1), &stop)
            .value();
    ASSERT_TRUE(SetUpConnection(*connection, role, limits).ok());
    ASSERT_TRUE(connection->Prepare(statements, limits.answer).ok());
    for (const PostgresStatement& statement : statements) {
      if (!absl::StrContains(statement.sql, "ipp_gateway.")) continue;
      std::vector<std::string> arguments;
      while (absl::StrContains(statement.sql, absl::StrCat("$", arguments.size() + 1, "::"))) {
        arguments.push_back("NULL");
      }
      const auto plan = connection->Execute(
          absl::StrCat("EXPLAIN EXECUTE ", statement.name,
                       arguments.empty() ? "" : "(" + absl::StrJoin(arguments, ",") + ")"),
          limits.answer);
      ASSERT_TRUE(plan.ok()) << statement.name << ": " << plan.status();
      for (int row = 0; row < plan->size(); ++row) {
        EXPECT_THAT(plan->String(row, 0),
                    Not(testing::ContainsRegex("Seq Scan on (events|sessions|seen|intents)")))
            << statement.name;
      }
    }
  }
}

// ---- Who may connect, and where to. ----

class PostgresRoleTest : public PostgresStoreTest {
 protected:
  PostgresRoleTest() {
    database_.Execute(absl::StrCat("CREATE ROLE ", role_,
                                   " LOGIN PASSWORD 'password-of-first-secret'; GRANT ",
                                   "CREATE ON DATABASE ", database_.name(), " TO ", role_));
    database_.WriteDsn(
        absl::StrCat("# who reads the log\nhost=127.0.0.1 port=", database_.server().port(),
                     "\nuser=", role_, " dbname=", database_.name()));
  }
  ~PostgresRoleTest() override {
    database_.Execute(absl::StrCat("DROP OWNED BY ", role_, "; DROP ROLE ", role_));
  }
  void SetPassword(const std::string& password) {
    database_.options.password_file = database_.WriteFile("password", password + "\n");
  }

  const std::string role_ = absl::StrCat("gateway_", database_.name());
};

TEST_F(PostgresRoleTest, ReadsAPasswordThatWasReplaced) {
  SetPassword("password-of-first-secret");
  const auto store = database_.Open();
  ASSERT_TRUE(Commit(*store, Append("a")).ok());
  database_.Execute(absl::StrCat("ALTER ROLE ", role_, " PASSWORD '#password-of-second secret '"));
  SetPassword("#password-of-second secret ");
  database_.CutAll();
  EXPECT_TRUE(Commit(*store, Append("b")).ok());
  EXPECT_EQ(Read(*store, 0)->size(), 2u);
}

TEST_F(PostgresRoleTest, NeverTellsAPassword) {
  SetPassword("password-of-wrong-secret");
  testing::internal::CaptureStderr();
  const absl::Status refused = database_.TryOpen().status();
  EXPECT_TRUE(absl::IsUnavailable(refused));
  EXPECT_THAT(refused.message(), AllOf(HasSubstr("password authentication failed"),
                                       HasSubstr(database_.options.dsn_file),
                                       Not(HasSubstr("secret")), Not(HasSubstr("\n"))));
  SetPassword("password-of-first-secret");
  const auto store = database_.Open();
  SetPassword("password-of-wrong-secret");
  database_.CutAll();
  EXPECT_THAT(Commit(*store, Append("a")).status().message(), Not(HasSubstr("secret")));
  EXPECT_THAT(store->health().message(), Not(HasSubstr("secret")));
  EXPECT_THAT(testing::internal::GetCapturedStderr(), Not(HasSubstr("secret")));
}

TEST_F(PostgresRoleTest, NeedsNoRightToChangeTheSchemaOnceItIsThere) {
  SetPassword("password-of-first-secret");
  database_.Open().reset();
  database_.Execute(absl::StrCat(
      "REASSIGN OWNED BY ", role_, " TO postgres; REVOKE CREATE ON ", "DATABASE ", database_.name(),
      " FROM ", role_, "; GRANT USAGE ON SCHEMA ipp_gateway TO ", role_,
      "; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ", "ipp_gateway TO ", role_));
  const auto store = database_.Open();
  EXPECT_TRUE(Commit(*store, Count("s1")).ok());
}

}  // namespace
}  // namespace ipp::store
