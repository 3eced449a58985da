#include <thread>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "server/store/sqlite/database.h"
#include "server/store/sqlite/schema.h"
#include "server/store/sqlite/store.h"
#include "tests/store/postgres_bed.h"
#include "tests/store/store_contract.h"

// Sessions that an earlier release has written: they are found all the same, and indexed after a
// while.
namespace ipp::store {
namespace {

using namespace contract;  // NOLINT: the words of these tests
using kustom::ipp::v1::SESSION_STATUS_CREATED;

constexpr int kSessions = 1200;  // more than two steps of indexing

SessionRecord Numbered(int i, absl::Time at) {
  SessionRecord record = Record(absl::StrCat("s", i));
  record.created_at = record.updated_at = at + absl::Seconds(i);
  record.session.set_device_id("d1");
  record.session.set_merchant_reference1(absl::StrCat("receipt-", i));
  return record;
}

void PutSessions(Store& store, absl::Time at) {
  for (int i = 0; i < kSessions - 1; ++i) {
    store.Commit(Put(Numbered(i, at)), [](absl::StatusOr<Committed>) {});
  }
  ASSERT_TRUE(Commit(store, Put(Numbered(kSessions - 1, at))).ok());
}

SessionPage Page(Store& store, SessionQuery query) {
  query.merchant_ids = {"PM1"};
  auto page = Await<SessionPage>(
      [&](Done<SessionPage> done) { store.SearchSessions(query, std::move(done)); });
  EXPECT_TRUE(page.ok()) << page.status();
  return *std::move(page);
}

// What an update of a session by the release before leaves: a new state, and the columns as they
// were. After the update to this release: no columns at all.
constexpr char kAsBefore[] =
    "sessions SET device_id = NULL, merchant_reference1 = NULL, status = 0, searched_at = NULL";
constexpr char kChangedBefore[] = "sessions SET status = 5, updated_at = updated_at + 1";

void ExpectFoundInTheEnd(Store& store) {
  SessionQuery by_device{.device_id = "d1", .limit = 2000};
  while (Page(store, by_device).indexing) std::this_thread::yield();
  EXPECT_EQ(Page(store, by_device).sessions.size(), static_cast<size_t>(kSessions));
  EXPECT_EQ(Page(store, {.merchant_reference1 = "receipt-3"}).sessions.size(), 1u);
  EXPECT_EQ(Page(store, {.statuses = {SESSION_STATUS_CREATED}, .limit = 2000}).sessions.size(),
            static_cast<size_t>(kSessions));
}

// Before they are indexed: all are listed, and the answer to a narrower search says that it is not
// complete.
void ExpectListedAtOnce(Store& store) {
  const SessionPage all = Page(store, {.limit = 2000});
  EXPECT_EQ(all.sessions.size(), static_cast<size_t>(kSessions));
  EXPECT_FALSE(all.indexing);
  EXPECT_TRUE(Page(store, {.merchant_reference1 = "receipt-3"}).indexing);
  EXPECT_TRUE(Page(store, {.statuses = {SESSION_STATUS_CREATED}}).indexing);
}

class SqliteIndexTest : public testing::Test {
 protected:
  std::unique_ptr<Store> Open(absl::Duration maintenance_interval) {
    SqliteOptions options{.path = directory_.File("gateway.db")};
    options.queue.maintenance_interval = maintenance_interval;
    return *OpenSqliteStore(options, &clock_, &metrics_);
  }
  const TempDirectory directory_;
  FakeClock clock_;
  Metrics metrics_;
};
class SqliteIndex : public SqliteIndexTest, public testing::WithParamInterface<const char*> {};
INSTANTIATE_TEST_SUITE_P(Rows, SqliteIndex, testing::Values(kAsBefore, kChangedBefore));

TEST_P(SqliteIndex, TakesInWhatAnEarlierReleaseWrote) {
  PutSessions(*Open(absl::Hours(1)), clock_.Now());
  ASSERT_TRUE((*SqliteDatabase::Open(directory_.File("gateway.db")))
                  ->Execute(absl::StrCat("UPDATE ", GetParam()))
                  .ok());
  ExpectListedAtOnce(*Open(absl::Hours(1)));
  ExpectFoundInTheEnd(*Open(absl::Milliseconds(1)));
}

TEST_F(SqliteIndexTest, MigratesAStoreOfVersion10) {
  {
    const auto database = *SqliteDatabase::Open(directory_.File("gateway.db"));
    ASSERT_TRUE(MigrateSqlite(database.get(), SqliteMigrations().subspan(0, 10)).ok());
    // Of now: an old one would be removed.
    const int64_t now = absl::ToUnixNanos(clock_.Now());
    const absl::Status made = database->Execute(absl::StrCat(
        "INSERT INTO sessions (merchant_id, session_id, complete, open, created_at, updated_at, "
        "checks, session) VALUES ('PM1', 's1', 1, 1, ",
        now, ", ", now, ", 0, x'0a027331220264311003')"));
    ASSERT_TRUE(made.ok()) << made;
  }
  const auto store = Open(absl::Milliseconds(1));
  SessionQuery query{.device_id = "d1"};
  while (Page(*store, query).indexing) std::this_thread::yield();
  EXPECT_EQ(Page(*store, query).sessions.size(), 1u);
}

class PostgresIndexTest : public testing::Test {
 protected:
  std::unique_ptr<Store> Open(absl::Duration maintenance_interval) {
    database_.options.queue.maintenance_interval = maintenance_interval;
    return database_.Open();
  }
  PostgresDatabase database_;
};
class PostgresIndex : public PostgresIndexTest, public testing::WithParamInterface<const char*> {};
INSTANTIATE_TEST_SUITE_P(Rows, PostgresIndex, testing::Values(kAsBefore, kChangedBefore));

TEST_P(PostgresIndex, TakesInWhatAnEarlierReleaseWrote) {
  PutSessions(*Open(absl::Hours(1)), database_.clock.Now());
  database_.Execute(absl::StrCat("UPDATE ipp_gateway.", GetParam()));
  ExpectListedAtOnce(*Open(absl::Hours(1)));
  // Two replicas do it together.
  const auto first = Open(absl::Milliseconds(1));
  ExpectFoundInTheEnd(*Open(absl::Milliseconds(1)));
}

// No search reads rows that it does not look for, whatever the planner knows of the table.
TEST_F(PostgresIndexTest, IsFollowedFromTheFirstSearchOn) {
  const auto is = [&](const std::string& what) {
    return database_.Execute(absl::StrCat(
        "SELECT ", what,
        " FROM pg_stat_user_tables WHERE schemaname = 'ipp_gateway' AND relname = 'sessions'"));
  };
  PutSessions(*Open(absl::Hours(1)), database_.clock.Now());
  // The server counts what a connection did at the latest when that ends. Making an index is a scan
  // too.
  WaitUntil([&] { return is(absl::StrCat("n_tup_ins = ", kSessions)) == "t"; });
  const std::string before = is("seq_scan");
  const std::string by_index = is("idx_scan");
  {
    const auto store = Open(absl::Hours(1));
    for (const SessionQuery& query :
         {SessionQuery{.device_id = "d1", .limit = 3}, SessionQuery{.order_id = "o"},
          SessionQuery{.location_id = "l"}, SessionQuery{.merchant_reference1 = "receipt-3"},
          SessionQuery{.merchant_reference2 = "x"}, SessionQuery{.request_id = "r"},
          SessionQuery{.updated_from = database_.clock.Now(), .limit = 3},
          SessionQuery{.statuses = {SESSION_STATUS_CREATED}, .limit = 3},
          SessionQuery{.limit = 3}}) {
      Page(*store, query);
    }
  }
  WaitUntil([&] { return is(absl::StrCat("idx_scan >= 9 + ", by_index)) == "t"; });
  EXPECT_EQ(is("seq_scan"), before);
}

}  // namespace
}  // namespace ipp::store
