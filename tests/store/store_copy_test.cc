#include "server/store/store_copy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "server/store/postgres/store.h"
#include "server/store/sqlite/database.h"
#include "server/store/sqlite/store.h"
#include "tests/store/intents.h"
#include "tests/store/store_contract.h"
#include "tests/support/postgres_server.h"

namespace ipp::store::contract {
namespace {

using testing::HasSubstr;

class StoreCopy : public testing::Test {
 protected:
  StoreCopy() { std::ofstream(files_.dsn_file) << server_.conninfo(database_); }
  ~StoreCopy() override { EXPECT_TRUE(server_.DropDatabase(database_).ok()); }

  std::unique_ptr<Store> Sqlite() { return *OpenSqliteStore({.path = path_}, &clock_, &metrics_); }
  std::unique_ptr<Store> Postgres() {
    PostgresOptions options{.dsn_file = files_.dsn_file};
    return *OpenPostgresStore(options, &clock_, &metrics_);
  }

  PostgresServer& server_ = PostgresServer::Shared();
  const std::string database_ = server_.CreateDatabase();
  const TempDirectory directory_;
  const std::string path_ = directory_.File("gateway.db");
  const PostgresFiles files_{directory_.File("dsn"), ""};
  FakeClock clock_;
  Metrics metrics_;
};

TEST_F(StoreCopy, BringsAllThatThereIs) {
  std::string log_id;
  LogBounds bounds;
  std::vector<StoredEvent> events;
  {
    std::unique_ptr<Store> from = Sqlite();
    for (int i = 0; i < 10; ++i) {
      const std::string key = absl::StrCat("key", i);
      ASSERT_TRUE(Commit(*from, contract::Append(absl::StrCat("e", i), key)).ok());
    }
    // More than a batch.
    Transaction many;
    many.decide = [](const Snapshot&) {
      Writes writes;
      for (int i = 0; i < 1193; ++i) writes.events.push_back(Event(absl::StrCat("m", i)));
      return writes;
    };
    ASSERT_TRUE(Commit(*from, many).ok());
    SessionRecord record = Record("s1", "r1");
    record.session.set_merchant_data(std::string("\0\xc3\xa5\n", 4));
    record.trace.traceparent = "00-1-2-01";
    ASSERT_TRUE(Commit(*from, Put(record)).ok());
    ASSERT_TRUE(Commit(*from, Put(Record("s2"))).ok());
    Transaction create;
    create.merchant_id = "PM1";
    create.request_id = "r1";
    create.decide = [](const Snapshot&) {
      IntentRecord intent;
      intent.merchant_id = "PM1";
      intent.request_id = "r1";
      intent.rpc = "CreateSession";
      intent.state = IntentState::kExecuted;
      intent.answer = std::string("\x0a\x00", 2);
      intent.session_id = "s1";
      return Writes{.intent = intent};
    };
    ASSERT_TRUE(Commit(*from, create).ok());
    ASSERT_TRUE(Await<LogBounds>([&](Done<LogBounds> done) {
                  from->BeginEpoch(
                      {.starts_after = 1000, .hold_creates_until = clock_.Now() + absl::Minutes(5)},
                      std::move(done));
                }).ok());
    log_id = from->log_id();
    bounds = from->bounds();
    events = *Read(*from, 0);
  }
  const absl::Status copied = CopySqliteToPostgres(path_, files_);
  ASSERT_TRUE(copied.ok()) << copied;

  std::unique_ptr<Store> to = Postgres();
  EXPECT_EQ(to->log_id(), log_id);
  EXPECT_EQ(to->bounds().oldest, bounds.oldest);
  EXPECT_EQ(to->bounds().latest, bounds.latest);
  EXPECT_EQ(to->bounds().epochs, bounds.epochs);
  EXPECT_EQ(to->bounds().creates_held_until, bounds.creates_held_until);
  const auto rows = Read(*to, 0);
  ASSERT_EQ(rows->size(), events.size());
  for (size_t i = 0; i < events.size(); ++i) {
    ASSERT_EQ((*rows)[i].payload, events[i].payload);
    ASSERT_EQ((*rows)[i].recorded_at, events[i].recorded_at);
    ASSERT_EQ((*rows)[i].session_id, events[i].session_id);
  }
  const auto session = FindByRequest(*to, "r1");
  ASSERT_TRUE(session.ok()) << session.status();
  EXPECT_EQ(session->session.merchant_data(), std::string("\0\xc3\xa5\n", 4));
  EXPECT_EQ(session->trace.traceparent, "00-1-2-01");
  EXPECT_EQ(session->next_check_at, absl::InfiniteFuture());
  EXPECT_EQ(Find(*to, "s2")->request_id, "");
  const auto intent = Await<IntentRecord>(
      [&](Done<IntentRecord> done) { to->FindIntent("PM1", "r1", std::move(done)); });
  ASSERT_TRUE(intent.ok()) << intent.status();
  EXPECT_EQ(intent->id, 1);
  EXPECT_EQ(intent->answer, std::string("\x0a\x00", 2));
  // Webhooks that come again; positions and numbers go on.
  EXPECT_TRUE(Commit(*to, contract::Append("again", "key7"))->already_seen);
  EXPECT_EQ(Commit(*to, contract::Append("next", "key-new"))->positions,
            std::vector<int64_t>{bounds.latest + 1});
}

TEST_F(StoreCopy, KeepsWhereATrimmedLogBegins) {
  {
    std::unique_ptr<Store> from = Sqlite();
    for (int i = 0; i < 4; ++i) ASSERT_TRUE(Commit(*from, contract::Append("e")).ok());
  }
  ASSERT_TRUE(
      (*SqliteDatabase::Open(path_))
          ->Execute("DELETE FROM events; UPDATE log SET trimmed_through = 4, trimmed_at = 9")
          .ok());
  ASSERT_TRUE(CopySqliteToPostgres(path_, files_).ok());
  EXPECT_EQ(Postgres()->bounds().oldest, 5);
  EXPECT_EQ(Postgres()->bounds().latest, 4);
}

TEST_F(StoreCopy, RefusesATargetThatHoldsSomething) {
  { ASSERT_TRUE(Commit(*Sqlite(), contract::Append("e1")).ok()); }
  { ASSERT_TRUE(Commit(*Postgres(), Put(Record("s1"))).ok()); }
  const absl::Status status = CopySqliteToPostgres(path_, files_);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("not empty"));
  EXPECT_EQ(Postgres()->bounds().latest, 0);
}

TEST_F(StoreCopy, RefusesASourceThatAGatewayRunsOn) {
  std::unique_ptr<Store> running = Sqlite();
  const absl::Status status = CopySqliteToPostgres(path_, files_);
  EXPECT_THAT(std::string(status.message()), HasSubstr("in use by another process"));
  EXPECT_FALSE(CopySqliteToPostgres(directory_.File("none.db"), files_).ok());
  EXPECT_FALSE(std::filesystem::exists(directory_.File("none.db")));
}

TEST_F(StoreCopy, LeavesTheTargetEmptyWhenItFailsInBetween) {
  { ASSERT_TRUE(Commit(*Sqlite(), contract::Append("e1", "k1")).ok()); }
  // A row that PostgreSQL's schema does not take, in a table that comes after events.
  ASSERT_TRUE((*SqliteDatabase::Open(path_))
                  ->Execute("DROP TABLE seen; CREATE TABLE seen (id INTEGER PRIMARY KEY, key TEXT, "
                            "seen_at INTEGER); INSERT INTO seen VALUES (1, 'a', 1), (2, 'a', 1)")
                  .ok());
  EXPECT_FALSE(CopySqliteToPostgres(path_, files_).ok());
  EXPECT_EQ(Postgres()->bounds().latest, 0);
  EXPECT_EQ(Read(*Postgres(), 0)->size(), 0u);
}

}  // namespace
}  // namespace ipp::store::contract
