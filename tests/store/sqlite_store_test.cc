#include "server/store/sqlite/store.h"

#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <string>
#include <thread>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "server/base/log.h"
#include "server/store/sqlite/database.h"
#include "server/store/sqlite/schema.h"
#include "tests/store/failing_vfs.h"
#include "tests/store/store_contract.h"

namespace ipp::store {
namespace {

using namespace contract;  // NOLINT: the words of these tests
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class SqliteStoreTest : public testing::Test {
 protected:
  SqliteStoreTest() { FailingVfs::Install(); }
  ~SqliteStoreTest() override { FailingVfs::Heal(); }

  absl::StatusOr<std::unique_ptr<Store>> TryOpen() {
    SqliteOptions options{.path = path_};
    options.queue.retention = kShort;
    options.queue.maintenance_interval = maintenance_interval_;
    options.queue.size_interval = absl::Milliseconds(1);
    return OpenSqliteStore(options, &clock_, &metrics_);
  }
  std::unique_ptr<Store> Open() { return *TryOpen(); }
  std::unique_ptr<SqliteDatabase> OpenRaw() { return *SqliteDatabase::Open(path_); }

  const TempDirectory directory_;
  const std::string path_ = directory_.File("gateway.db");
  absl::Duration maintenance_interval_ = absl::Milliseconds(1);
  FakeClock clock_;
  Metrics metrics_;
};

// Waits for what the store does by itself.
template <typename F>
void WaitUntil(F condition) {
  while (!condition()) std::this_thread::yield();
}

TEST_F(SqliteStoreTest, CommitsEverythingThatWaitsWithOneSync) {
  const auto store = Open();
  Gate gate;
  std::promise<void> held, last;
  store->Commit(gate.transaction(), [&](absl::StatusOr<Committed>) { held.set_value(); });
  gate.WaitUntilEntered();
  for (int i = 0; i < 99; ++i) store->Commit(Append("a"), [](absl::StatusOr<Committed>) {});
  store->Commit(Append("z"), [&](absl::StatusOr<Committed>) { last.set_value(); });
  const int before = FailingVfs::syncs();
  gate.Open();
  last.get_future().wait();
  held.get_future().wait();
  EXPECT_LE(FailingVfs::syncs() - before, 3);  // at most: a fresh log has its header synced too
  EXPECT_EQ(store->bounds().latest, 100);
}

TEST_F(SqliteStoreTest, SyncsBeforeItAnswers) {
  const auto store = Open();
  for (int i = 0; i < 5; ++i) {
    const int before = FailingVfs::syncs();
    ASSERT_TRUE(Commit(*store, Append("a")).ok());
    EXPECT_GT(FailingVfs::syncs(), before);
  }
}

TEST_F(SqliteStoreTest, RefusesASecondOwner) {
  auto store = Open();
  const absl::Status refused = TryOpen().status();
  EXPECT_TRUE(absl::IsFailedPrecondition(refused));
  EXPECT_THAT(refused.message(), HasSubstr("in use by another process"));
  ASSERT_TRUE(Commit(*store, Append("a")).ok());
  store.reset();
  EXPECT_TRUE(TryOpen().ok());
}

// Commits until it is killed, telling each acknowledged number through the pipe.
[[noreturn]] void CommitForEver(const std::string& path, int pipe) {
  FakeClock clock;
  Metrics metrics;
  auto store = *OpenSqliteStore({.path = path}, &clock, &metrics);
  for (int32_t i = 1;; ++i) {
    std::promise<void> acknowledged;
    store->Commit(Append(absl::StrCat(i), absl::StrCat("key", i)),
                  [&](absl::StatusOr<Committed> committed) {
                    if (!committed.ok()) _exit(1);
                    acknowledged.set_value();
                  });
    acknowledged.get_future().wait();
    if (write(pipe, &i, sizeof(i)) != sizeof(i)) _exit(2);
  }
}

TEST_F(SqliteStoreTest, HasEveryAcknowledgedCommitAfterSigkill) {
  SetLogLevel("off").IgnoreError();
  int64_t before = 0;
  for (int round = 0; round < 3; ++round) {
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) CommitForEver(path_, ends[1]);
    close(ends[1]);
    int32_t acknowledged = 0;
    while (acknowledged < 20 &&
           read(ends[0], &acknowledged, sizeof(acknowledged)) == sizeof(acknowledged)) {
    }
    kill(child, SIGKILL);
    int status = 0;
    waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the child ended by itself: " << status;
    while (read(ends[0], &acknowledged, sizeof(acknowledged)) == sizeof(acknowledged)) {
    }
    close(ends[0]);

    const auto store = Open();
    const auto rows = Read(*store, 0);
    // A key is taken once: later rounds append what earlier ones did not reach.
    EXPECT_GE(static_cast<int64_t>(rows->size()), std::max<int64_t>(before, acknowledged));
    std::vector<std::string> expected;
    for (size_t i = 1; i <= rows->size(); ++i) expected.push_back(absl::StrCat(i));
    EXPECT_EQ(Ids(*rows), expected);
    EXPECT_EQ(rows->back().position, static_cast<int64_t>(rows->size()));
    before = static_cast<int64_t>(rows->size());
  }
  SetLogLevel("info").IgnoreError();
}

struct DiskCase {
  const char* name;
  void (*fail)();
};
class SqliteDisk : public SqliteStoreTest, public testing::WithParamInterface<DiskCase> {};
INSTANTIATE_TEST_SUITE_P(
    SqliteStoreTest, SqliteDisk,
    testing::Values(DiskCase{"Full", [] { FailingVfs::FailWrites(SQLITE_FULL); }},
                    DiskCase{"WriteError", [] { FailingVfs::FailWrites(SQLITE_IOERR_WRITE); }},
                    DiskCase{"SyncError", [] { FailingVfs::FailSyncs(SQLITE_IOERR_FSYNC); }}),
    [](const auto& info) { return info.param.name; });

TEST_P(SqliteDisk, FailsWholeAndComesBackWithoutACommit) {
  auto store = Open();
  ASSERT_TRUE(Commit(*store, Append("a")).ok());
  GetParam().fail();
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(absl::IsUnavailable(Commit(*store, Append("b", "key")).status()));
  }
  const int failures = FailingVfs::failures();
  WaitUntil([&] {  // it tries by itself, and again
    EXPECT_TRUE(absl::IsUnavailable(store->health()));
    return FailingVfs::failures() > failures + 3;
  });
  FailingVfs::Heal();
  WaitUntil([&] { return store->health().ok(); });
  EXPECT_THAT(Commit(*store, Append("c", "key"))->positions, ElementsAre(2));
  store.reset();
  store = Open();
  EXPECT_THAT(Ids(*Read(*store, 0)), ElementsAre("a", "c"));
}

TEST_F(SqliteStoreTest, WaitsOutAForeignLock) {
  const auto store = Open();
  const auto foreign = OpenRaw();
  ASSERT_TRUE(foreign->Execute("BEGIN IMMEDIATE").ok());
  EXPECT_TRUE(absl::IsUnavailable(Commit(*store, Append("a")).status()));
  ASSERT_TRUE(foreign->Execute("COMMIT").ok());
  EXPECT_TRUE(Commit(*store, Append("b")).ok());
  EXPECT_THAT(Ids(*Read(*store, 0)), ElementsAre("b"));
}

TEST_F(SqliteStoreTest, CountsCommitsFailuresAndEvents) {
  const auto store = Open();
  ASSERT_TRUE(Commit(*store, Append("a")).ok());
  ASSERT_TRUE(Commit(*store, Put(Record("s1"))).ok());
  FailingVfs::FailWrites(SQLITE_FULL);
  ASSERT_FALSE(Commit(*store, Append("b")).ok());
  EXPECT_THAT(
      metrics_.Text(),
      AllOf(HasSubstr("ipp_store_commits_total 2"), HasSubstr("ipp_store_commit_failures_total 1"),
            HasSubstr("ipp_events_appended_total 1"), HasSubstr("ipp_store_commit_seconds_count 3"),
            HasSubstr("ipp_store_queue_depth{queue=\"write\"} 0")));
}

TEST_F(SqliteStoreTest, MeasuresItsSizeAgainAndAgain) {
  const Gauge& bytes = metrics_.gauge("ipp_store_size_bytes", "");
  const auto store = Open();
  WaitUntil([&] { return bytes.value() > 0; });
  const double before = bytes.value();
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(Commit(*store, Append(std::string(400, 'a'))).ok());
  WaitUntil([&] { return bytes.value() > before + 100 * 400; });
}

// ---- Retention. ----

TEST_F(SqliteStoreTest, TrimsOldEventsInStepsAndGoesOnNumbering) {
  auto store = Open();
  Transaction many;
  many.decide = [](const Snapshot&) { return Writes{{}, std::vector<NewEvent>(1200, Event("a"))}; };
  ASSERT_TRUE(Commit(*store, many).ok());
  clock_.Advance(absl::Minutes(59));
  ASSERT_TRUE(Commit(*store, Append("young")).ok());
  const absl::Time young = clock_.Now();
  clock_.Advance(absl::Minutes(2));
  WaitUntil([&] { return store->bounds().oldest == 1201; });
  EXPECT_THAT(Ids(*Read(*store, 0)), ElementsAre("young"));
  EXPECT_EQ(*PositionAt(*store, absl::InfinitePast()), 1200);
  EXPECT_EQ(*PositionAt(*store, young), 1200);

  clock_.Advance(absl::Hours(2));
  WaitUntil([&] { return store->bounds().oldest == 1202; });
  EXPECT_EQ(store->bounds().latest, 1201);
  EXPECT_EQ(*PositionAt(*store, young), 1201);
  store.reset();
  clock_.Advance(-absl::Hours(5));
  store = Open();
  EXPECT_EQ(store->bounds().oldest, 1202);
  EXPECT_EQ(store->bounds().latest, 1201);
  EXPECT_THAT(Commit(*store, Append("next"))->positions, ElementsAre(1202));
  EXPECT_EQ(Read(*store, 0)->at(0).recorded_at, young);  // the clock went back, the log does not
}

TEST_F(SqliteStoreTest, KeepsTheEndOfFinalSessionsAndForgetsKeysButNoOpenSession) {
  const auto store = Open();
  for (const char* id : {"open", "final"}) {
    SessionRecord record = Record(id);
    record.open = std::string(id) == "open";
    record.updated_at = clock_.Now();
    ASSERT_TRUE(Commit(*store, Put(record)).ok());
  }
  ASSERT_TRUE(Commit(*store, Append("a", "key")).ok());

  // Longer than events are kept, not as long as keys are.
  clock_.Advance(absl::Hours(2));
  WaitUntil([&] { return store->bounds().oldest == 2; });
  EXPECT_TRUE(Find(*store, "final").ok());
  EXPECT_TRUE(Commit(*store, Append("b", "key"))->already_seen);

  clock_.Advance(absl::Hours(2));
  WaitUntil([&] { return Find(*store, "final")->trimmed; });
  WaitUntil([&] { return !Commit(*store, Append("c", "key"))->already_seen; });
  EXPECT_FALSE(Find(*store, "open")->trimmed);

  clock_.Advance(absl::Hours(10));
  WaitUntil([&] { return absl::IsNotFound(Find(*store, "final").status()); });
  EXPECT_TRUE(Find(*store, "open").ok());
}

// ---- Times that are not certain. ----

TEST_F(SqliteStoreTest, RemovesNothingAtFirstWhenItWasLastUsedLongBeforeTheClockSays) {
  Open();  // the release that made the file has written down when
  {
    const auto store = Open();
    ASSERT_TRUE(Commit(*store, Append("a")).ok());
  }
  clock_.SetWall(clock_.Now() + absl::Hours(24 * 8));
  const auto store = Open();
  ASSERT_TRUE(Commit(*store, Append("b")).ok());
  // A wrong clock that is set right within the hour has done nothing.
  Transaction idle;
  idle.decide = Nothing;
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(Commit(*store, idle).ok());
  EXPECT_EQ(store->bounds().oldest, 1);
  EXPECT_THAT(metrics_.Text(), HasSubstr("ipp_store_retention_held 1"));
  clock_.Advance(absl::Hours(1));
  WaitUntil([&] { return store->bounds().oldest == 2; });
}

TEST_F(SqliteStoreTest, TrimsWhileItCommits) {
  const auto store = Open();
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    while (!stop) EXPECT_TRUE(Commit(*store, Append("a")).ok());
  });
  WaitUntil([&] { return store->bounds().latest > 5; });
  clock_.Advance(absl::Hours(2));
  WaitUntil([&] { return store->bounds().oldest > 5; });
  stop = true;
  writer.join();
  const LogBounds bounds = store->bounds();
  const auto rows = Read(*store, 0);
  ASSERT_FALSE(rows->empty());
  EXPECT_EQ(rows->front().position, bounds.oldest);
  EXPECT_EQ(rows->back().position, bounds.latest);
}

// ---- Files that are not as they should be. ----

TEST_F(SqliteStoreTest, RefusesWhatIsNoDatabase) {
  std::ofstream(path_) << std::string(8192, 'x');
  const absl::Status status = TryOpen().status();
  EXPECT_TRUE(absl::IsDataLoss(status));
  EXPECT_THAT(status.message(), AllOf(HasSubstr(path_), HasSubstr("not a database")));
}

TEST_F(SqliteStoreTest, RefusesADamagedDatabase) {
  {
    const auto store = Open();
    ASSERT_TRUE(Commit(*store, Append("a")).ok());
  }
  std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(100);  // behind the header: the tree of tables
  file << std::string(3900, '\xff');
  file.close();
  const absl::Status status = TryOpen().status();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_THAT(status.message(), AllOf(HasSubstr(path_), HasSubstr("malformed")));
}

TEST_F(SqliteStoreTest, RefusesAMissingDirectory) {
  Metrics metrics;
  const auto store =
      OpenSqliteStore({.path = directory_.File("missing/gateway.db")}, &clock_, &metrics);
  EXPECT_TRUE(absl::IsFailedPrecondition(store.status()));
  EXPECT_THAT(store.status().message(), HasSubstr("missing/gateway.db"));
}

TEST_F(SqliteStoreTest, RefusesTheDatabaseOfAnotherProgramAndLeavesItAlone) {
  ASSERT_TRUE(OpenRaw()->Execute("CREATE TABLE theirs (a)").ok());
  const absl::Status status = TryOpen().status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  EXPECT_THAT(status.message(), HasSubstr("another program"));
  EXPECT_EQ(*OpenRaw()->ReadOne("PRAGMA journal_mode"), "delete");
  EXPECT_EQ(*OpenRaw()->ReadOne("SELECT count(*) FROM sqlite_schema"), "1");
}

// What it does with one that says that this release can use it: NewerSqlite/StoreContract.
TEST_F(SqliteStoreTest, RefusesAFileThatANewerReleaseHasMadeUnusable) {
  Open().reset();
  ASSERT_TRUE(OpenRaw()->Execute("PRAGMA user_version = 99; UPDATE log SET usable_from = 42").ok());
  const absl::Status status = TryOpen().status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  EXPECT_THAT(status.message(), AllOf(HasSubstr("newer release"), HasSubstr("version 99"),
                                      HasSubstr("must know 42")));
}

// ---- Migrations. ----

constexpr const char* kSteps[] = {"CREATE TABLE t (a)", "ALTER TABLE t ADD COLUMN b DEFAULT 7",
                                  "UPDATE t SET b = b + 1"};
constexpr const char* kBrokenStep[] = {kSteps[0], "INSERT INTO t (a) VALUES (2); nonsense"};

TEST_F(SqliteStoreTest, MigratesForwardFromEveryVersion) {
  for (size_t from = 1; from <= 3; ++from) {
    const auto database = *SqliteDatabase::Open(directory_.File(absl::StrCat(from, ".db")));
    ASSERT_TRUE(MigrateSqlite(database.get(), absl::MakeSpan(kSteps, from)).ok());
    ASSERT_TRUE(database->Execute("INSERT INTO t (a) VALUES (1)").ok());
    ASSERT_TRUE(MigrateSqlite(database.get(), kSteps).ok());
    EXPECT_EQ(*database->ReadOne("PRAGMA user_version"), "3");
    EXPECT_EQ(*database->ReadOne("SELECT b FROM t"), from == 3 ? "7" : "8");
  }
}

TEST_F(SqliteStoreTest, GivesEachIdentifierOfAnEarlierReleaseOneSpelling) {
  maintenance_interval_ = absl::Hours(1);  // the rows are old, and would be removed
  const std::string upper = "AAAAAAAA-0000-4000-8000-00000000000A";
  const std::string lower = absl::AsciiStrToLower(upper);
  const std::string lone = "BBBBBBBB-0000-4000-8000-00000000000B";
  const std::string other = "cccccccc-0000-4000-8000-00000000000c";
  {
    const auto database = OpenRaw();
    ASSERT_TRUE(MigrateSqlite(database.get(), SqliteMigrations().subspan(0, 4)).ok());
    const auto session = [](const std::string& id, const std::string& request, bool open, int at) {
      return absl::StrCat("INSERT INTO sessions VALUES ('PM1', '", id, "', ", request, ", 1, ",
                          open, ", ", at, ", ", at, ", NULL, 0, x'', x'', '', '');");
    };
    const auto intent = [](int id, const std::string& request, int state) {
      return absl::StrCat("INSERT INTO intents VALUES (", id, ", 'PM1', '", request,
                          "', 'CreateSession', '', x'', ", state, ", '', 0, 0, x'', '', ", id, ", ",
                          id, ", '', '');");
    };
    const absl::Status made = database->Execute(absl::StrCat(
        session(lower, "NULL", true, 1), session(upper, "NULL", false, 2),
        session(lone, absl::StrCat("'", upper, "'"), true, 3),
        session(other, absl::StrCat("'", lower, "'"), true, 2),
        session("not-A-uuid", "NULL", true, 4), intent(1, upper, 2), intent(2, lower, 4),
        intent(3, lone, 5), "INSERT INTO events VALUES (1, 0, 'PM1', '", upper, "', '", lone,
        "', 0, '', x'');"));
    ASSERT_TRUE(made.ok()) << made;
  }
  const auto store = Open();
  EXPECT_FALSE(Find(*store, lower)->open);  // of the two the one that has ended
  EXPECT_TRUE(absl::IsNotFound(Find(*store, upper).status()));
  EXPECT_EQ(Find(*store, absl::AsciiStrToLower(lone))->request_id, "");  // the other one is older
  EXPECT_EQ(Find(*store, other)->request_id, lower);
  EXPECT_TRUE(Find(*store, "not-A-uuid").ok());
  EXPECT_EQ(FindIntent(*store, lower)->state, IntentState::kExecuted);
  EXPECT_EQ(FindIntent(*store, absl::AsciiStrToLower(lone))->state, IntentState::kUnknown);
  EXPECT_EQ(Read(*store, 0)->at(0).session_id, lower);
  EXPECT_EQ(Read(*store, 0)->at(0).device_id, absl::AsciiStrToLower(lone));
}

TEST_F(SqliteStoreTest, LeavesTheVersionBeforeAStepThatFails) {
  const auto database = OpenRaw();
  EXPECT_FALSE(MigrateSqlite(database.get(), kBrokenStep).ok());
  EXPECT_EQ(*database->ReadOne("PRAGMA user_version"), "1");
  EXPECT_EQ(*database->ReadOne("SELECT count(*) FROM t"), "0");
  ASSERT_TRUE(MigrateSqlite(database.get(), kSteps).ok());
  EXPECT_EQ(*database->ReadOne("PRAGMA user_version"), "3");
}

TEST_F(SqliteStoreTest, GivesEveryLogAnIdentityOfItsOwn) {
  const std::string first = Open()->log_id();
  EXPECT_EQ(Open()->log_id(), first);
  Metrics metrics;
  const auto other = OpenSqliteStore({.path = directory_.File("b.db")}, &clock_, &metrics);
  EXPECT_NE((*other)->log_id(), first);
}

}  // namespace
}  // namespace ipp::store
