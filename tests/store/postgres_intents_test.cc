#include <atomic>
#include <chrono>
#include <map>
#include <set>
#include <thread>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "server/store/postgres/schema.h"
#include "tests/store/intents.h"
#include "tests/store/postgres_bed.h"

// Creates in PostgreSQL: among replicas, and across releases.
namespace ipp::store {
namespace {

using namespace contract;  // NOLINT: the words of these tests
using testing::ElementsAre;

bool Creating(Store& store, const std::string& merchant_id = "PM1") {
  bool creating = false;
  EXPECT_TRUE(Commit(store, AskCreating(&creating, merchant_id)).ok());
  return creating;
}

std::vector<std::string> Orphans(Store& store, absl::Time now) {
  const auto orphans = Await<std::vector<IntentRecord>>([&](Done<std::vector<IntentRecord>> done) {
    store.OrphanIntents({.now = now, .under_way_before = now}, std::move(done));
  });
  EXPECT_TRUE(orphans.ok()) << orphans.status();
  std::vector<std::string> ids;
  for (const IntentRecord& orphan : *orphans) {
    EXPECT_EQ(orphan.state, IntentState::kUnknown);
    ids.push_back(orphan.request_id);
  }
  return ids;
}

// All of them as one batch: a decision holds the writer until they wait behind it.
void CommitTogether(Store& store, std::vector<Transaction> batch) {
  Gate gate;
  store.Commit(gate.transaction(), [](absl::StatusOr<Committed>) {});
  gate.WaitUntilEntered();
  std::promise<void> last;
  size_t left = batch.size();  // on the store's thread
  for (Transaction& transaction : batch) {
    store.Commit(std::move(transaction), [&](absl::StatusOr<Committed> committed) {
      EXPECT_TRUE(committed.ok()) << committed.status();
      if (--left == 0) last.set_value();
    });
  }
  gate.Open();
  last.get_future().wait();
}

// ---- Several stores on one database, as replicas of the gateway have them. ----

class PostgresIntents : public testing::Test {
 protected:
  IntentRecord Intent(const std::string& request_id, IntentState state = IntentState::kUnderWay) {
    return contract::Intent(database_.clock.Now(), request_id, state);
  }

  PostgresDatabase database_;
  std::unique_ptr<Store> a_ = database_.Open();
  std::unique_ptr<Store> b_ = database_.Open();
};

TEST_F(PostgresIntents, ShareTheirStore) { EXPECT_FALSE(a_->exclusive()); }

TEST_F(PostgresIntents, LetOneOfManyAtOnceBeTheFirst) {
  constexpr int kRequests = 60, kEach = 8;
  Mutex mutex;
  std::map<std::string, int> first;
  std::map<std::string, std::set<int64_t>> ids;
  std::atomic<int> left{2 * kRequests * kEach};
  std::promise<void> all;
  for (int i = 0; i < kRequests * kEach; ++i) {
    for (Store* store : {a_.get(), b_.get()}) {
      const std::string request_id = absl::StrCat("r", i / kEach);
      Transaction transaction;
      transaction.merchant_id = "PM1";
      transaction.request_id = request_id;
      auto was_first = std::make_shared<bool>();
      transaction.decide = [was_first, intent = Intent(request_id)](const Snapshot& snapshot) {
        *was_first = !snapshot.intent;
        return snapshot.intent ? Writes{} : Writes{.session = {}, .events = {}, .intent = intent};
      };
      store->Commit(std::move(transaction),
                    [&, request_id, was_first](absl::StatusOr<Committed> committed) {
                      EXPECT_TRUE(committed.ok()) << committed.status();
                      {
                        MutexLock lock(&mutex);
                        if (*was_first) ++first[request_id];
                        ids[request_id].insert(committed->intent->id);
                      }
                      if (--left == 0) all.set_value();
                    });
    }
  }
  all.get_future().wait();
  std::set<int64_t> different;
  for (const auto& [request_id, its] : ids) {
    EXPECT_EQ(first[request_id], 1) << request_id;
    EXPECT_EQ(its.size(), 1u) << request_id;
    different.insert(its.begin(), its.end());
  }
  EXPECT_EQ(different.size(), static_cast<size_t>(kRequests));
  EXPECT_EQ(*different.begin(), 1);
  EXPECT_EQ(*different.rbegin(), kRequests);
}

TEST_F(PostgresIntents, AreSeenByTheNextTransactionOfAnother) {
  std::optional<IntentRecord> seen;
  for (int i = 0; i < 50; ++i) {
    const std::string request_id = absl::StrCat("r", i);
    const auto begun = Commit(*a_, PutIntent(Intent(request_id)));
    ASSERT_TRUE(begun.ok()) << begun.status();
    ASSERT_TRUE(Commit(*b_, PutIntent(Intent(request_id, IntentState::kExecuted), &seen)).ok());
    ASSERT_TRUE(seen);
    EXPECT_EQ(seen->state, IntentState::kUnderWay);
    EXPECT_EQ(seen->id, begun->intent->id);
    EXPECT_EQ(FindIntent(*a_, request_id)->state, IntentState::kExecuted);
  }
}

TEST_F(PostgresIntents, TellEachOtherWhetherACreateMayBeUnderWay) {
  EXPECT_FALSE(Creating(*b_));
  ASSERT_TRUE(Commit(*a_, PutIntent(Intent("r1"))).ok());
  EXPECT_TRUE(Creating(*b_));
  EXPECT_FALSE(Creating(*b_, "PM2"));
  ASSERT_TRUE(Commit(*a_, PutIntent(Intent("r1", IntentState::kExecuted))).ok());
  EXPECT_FALSE(Creating(*b_));

  // Not by the clock of one that lags: the log's time is later.
  ASSERT_TRUE(Commit(*a_, PutIntent(Intent("r2"))).ok());
  database_.clock.Advance(absl::Minutes(10));
  ASSERT_TRUE(Commit(*a_, Append("later")).ok());
  database_.clock.Advance(-absl::Minutes(10));
  EXPECT_FALSE(Creating(*b_));
}

TEST_F(PostgresIntents, TellWithinABatchOfTheirOwnAsTheyBecomeAndOfTheOthersAsTheyAre) {
  IntentRecord other = Intent("r1");
  other.merchant_id = "PM2";
  for (const IntentRecord& intent : {Intent("r1"), other}) {
    ASSERT_TRUE(Commit(*b_, PutIntent(intent)).ok());
  }
  bool before = false, after = true, of_other = false, again = false;
  CommitTogether(*a_, {AskCreating(&before), PutIntent(Intent("r1", IntentState::kExecuted)),
                       AskCreating(&after), AskCreating(&of_other, "PM2"), PutIntent(Intent("r2")),
                       AskCreating(&again)});
  EXPECT_TRUE(before);
  EXPECT_FALSE(after);
  EXPECT_TRUE(of_other) << "the other merchant's has the same request_id";
  EXPECT_TRUE(again);

  // One that no key of the batch names counts whatever becomes of those that are named.
  ASSERT_TRUE(Commit(*b_, PutIntent(Intent("r3"))).ok());
  after = false;
  CommitTogether(*a_, {PutIntent(Intent("r2", IntentState::kExecuted)), AskCreating(&after)});
  EXPECT_TRUE(after);
}

TEST_F(PostgresIntents, AreGivenUpByOneOfThem) {
  constexpr size_t kIntents = 350;
  std::vector<Transaction> batch;
  for (size_t i = 0; i < kIntents; ++i) {
    batch.push_back(PutIntent(Intent(absl::StrCat("r", i))));
  }
  CommitTogether(*a_, std::move(batch));
  database_.clock.Advance(absl::Seconds(31));
  std::multiset<std::string> given_up[2];
  std::vector<std::thread> threads;
  for (size_t i = 0; i < 2; ++i) {
    threads.emplace_back([&, i] {
      // What the other one is at is passed over.
      for (int empty = 0; empty < 2;) {
        const auto ids = Orphans(i == 0 ? *a_ : *b_, database_.clock.Now());
        EXPECT_LE(ids.size(), 100u);
        given_up[i].insert(ids.begin(), ids.end());
        empty += ids.empty() ? 1 : 0;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::multiset<std::string> all = given_up[0];
  all.insert(given_up[1].begin(), given_up[1].end());
  EXPECT_EQ(all.size(), kIntents);
  EXPECT_EQ(std::set<std::string>(all.begin(), all.end()).size(), kIntents);
}

// Of a create that is settled here and given up there, either comes first, and the settlement
// stays.
TEST_F(PostgresIntents, AreSettledAndGivenUpOneAfterTheOther) {
  constexpr int kIntents = 150;
  std::vector<Transaction> batch;
  for (int i = 0; i < kIntents; ++i) batch.push_back(PutIntent(Intent(absl::StrCat("r", i))));
  CommitTogether(*a_, std::move(batch));
  database_.clock.Advance(absl::Seconds(31));

  std::set<std::string> found_unknown, given_up;
  std::atomic<bool> settled{false};
  std::thread settler([&] {
    // From the end of the order in which they are given up, so that the two meet.
    for (int i = kIntents; i-- > 0;) {
      const std::string request_id = absl::StrCat("r", i);
      std::optional<IntentRecord> seen;
      EXPECT_TRUE(Commit(*a_, PutIntent(Intent(request_id, IntentState::kExecuted), &seen)).ok());
      if (seen->state == IntentState::kUnknown) found_unknown.insert(request_id);
    }
    settled = true;
  });
  std::thread sweeper([&] {
    while (!settled) {
      for (std::string& id : Orphans(*b_, database_.clock.Now())) {
        EXPECT_TRUE(given_up.insert(std::move(id)).second);
      }
    }
  });
  settler.join();
  sweeper.join();
  EXPECT_EQ(given_up, found_unknown);
  for (int i = 0; i < kIntents; ++i) {
    EXPECT_EQ(FindIntent(*b_, absl::StrCat("r", i))->state, IntentState::kExecuted);
  }
}

TEST_F(PostgresIntents, AreKeptAsTombstonesThenForgottenAndTheirIdsNotUsedAgain) {
  ASSERT_TRUE(Commit(*a_, PutIntent(Intent("kept", IntentState::kUnknown))).ok());
  ASSERT_TRUE(Commit(*a_, PutIntent(Intent("old", IntentState::kUnknown))).ok());
  database_.clock.Advance(absl::Hours(2));  // longer than events are kept, not as long as keys are
  ASSERT_TRUE(Commit(*b_, PutIntent(Intent("kept", IntentState::kExecuted))).ok());
  database_.clock.Advance(absl::Hours(2));
  WaitUntil([&] { return FindIntent(*a_, "old")->trimmed; });
  EXPECT_EQ(FindIntent(*a_, "old")->state, IntentState::kUnknown);
  EXPECT_FALSE(FindIntent(*a_, "kept")->trimmed);
  database_.clock.Advance(absl::Hours(8));
  WaitUntil([&] { return absl::IsNotFound(FindIntent(*a_, "old").status()); });
  EXPECT_EQ(FindIntent(*a_, "kept")->id, 1);
  EXPECT_EQ(Commit(*b_, PutIntent(Intent("new")))->intent->id, 3);
}

TEST_F(PostgresIntents, AreFoundByTheirIndexesFromTheFirstOneOn) {
  const auto scans = [&](const char* kind) {
    return database_.Execute(
        absl::StrCat("SELECT ", kind, " FROM pg_stat_user_tables WHERE relname = 'intents'"));
  };
  // Making an index is such a scan too, which shows once the connection that did it has ended.
  WaitUntil([&] { return scans("seq_scan > 0") == "t"; });
  const std::string before = scans("seq_scan");
  ASSERT_TRUE(Commit(*a_, PutIntent(Intent("r1"))).ok());
  ASSERT_TRUE(Commit(*a_, PutIntent(Intent("r1"))).ok());
  EXPECT_TRUE(Creating(*a_));
  database_.clock.Advance(absl::Seconds(31));
  EXPECT_THAT(Orphans(*a_, database_.clock.Now()), ElementsAre("r1"));
  ASSERT_TRUE(FindIntent(*a_, "r1").ok());
  ASSERT_EQ(Await<std::vector<IntentRecord>>([&](Done<std::vector<IntentRecord>> done) {
              a_->ListIntents({.merchant_ids = {"PM1"}}, std::move(done));
            })->size(),
            1u);
  ASSERT_EQ(Await<IntentCounts>([&](Done<IntentCounts> done) {
              a_->CountIntents(std::move(done));
            })->unknown,
            1);
  database_.clock.Advance(absl::Hours(4));
  WaitUntil([&] { return FindIntent(*a_, "r1")->trimmed; });
  database_.clock.Advance(absl::Hours(10));
  WaitUntil([&] { return absl::IsNotFound(FindIntent(*a_, "r1").status()); });
  // The server counts what a connection did at the latest when that ends.
  a_.reset();
  b_.reset();
  WaitUntil([&] { return scans("idx_scan >= 7") == "t"; });
  WaitUntil([&] { return scans("n_tup_del") == "1"; });
  EXPECT_EQ(scans("seq_scan"), before);
}

// ---- Across releases. ----

class PostgresMigration : public testing::Test {
 protected:
  // As a release that knew only so many versions did.
  void MigrateTo(size_t version) {
    const StopSignal never;
    const auto targets = ReadTargets({database_.options.dsn_file, ""}, PostgresRole::kWrite);
    ASSERT_TRUE(targets.ok()) << targets.status();
    const auto connection = PostgresConnection::Open(*targets, std::chrono::seconds(1), &never);
    ASSERT_TRUE(connection.ok()) << connection.status();
    const absl::Status migrated =
        MigratePostgres(connection->get(), PostgresMigrations().subspan(0, version));
    ASSERT_TRUE(migrated.ok()) << migrated;
  }
  std::string Version() {
    return database_.Execute("SELECT version FROM ipp_gateway.schema_version");
  }
  // As the release of version 1 does it: all columns of its table, in their order.
  void PutSessionAsVersion1(const std::string& session_id) {
    database_.Execute(absl::StrCat(
        "INSERT INTO ipp_gateway.sessions SELECT * FROM (VALUES ('PM1'::bytea, '", session_id,
        "'::bytea, NULL::bytea, false, true, 0::bigint, 0::bigint, NULL::bigint, 2::bigint, "
        "'\\x0a02'::bytea || '",
        session_id,
        "'::bytea)) AS v ON CONFLICT (merchant_id, session_id) DO UPDATE SET "
        "request_id = excluded.request_id, complete = excluded.complete, open = excluded.open, "
        "created_at = excluded.created_at, updated_at = excluded.updated_at, next_check_at = "
        "excluded.next_check_at, checks = excluded.checks, session = excluded.session"));
  }

  PostgresDatabase database_;
};

TEST_F(PostgresMigration, TakesALogOfVersion1AlongWithAllThatIsInIt) {
  database_.options.queue.maintenance_interval = absl::Hours(1);  // nothing here is too old
  MigrateTo(1);
  EXPECT_EQ(Version(), "1");
  PutSessionAsVersion1("s1");
  database_.Execute(
      "BEGIN; INSERT INTO ipp_gateway.events VALUES (1, 0, 'PM1', 's1', '', 0, '', ''); "
      "INSERT INTO ipp_gateway.seen VALUES ('key', 0); "
      "UPDATE ipp_gateway.log SET last_position = 1, commits = 1; COMMIT");
  const std::string log_id = database_.Execute("SELECT id FROM ipp_gateway.log");

  const auto store = database_.Open();
  EXPECT_EQ(Version(), absl::StrCat(PostgresMigrations().size()));
  EXPECT_EQ(store->log_id(), log_id);
  EXPECT_EQ(Read(*store, 0)->size(), 1u);
  EXPECT_TRUE(Commit(*store, Append("a", "key"))->already_seen);
  const auto session = Find(*store, "s1");
  ASSERT_TRUE(session.ok()) << session.status();
  EXPECT_EQ(session->session.session_id(), "s1");
  EXPECT_EQ(session->checks, 2);
  EXPECT_EQ(session->held_event, "");
  EXPECT_EQ(Commit(*store, PutIntent(Intent(database_.clock.Now(), "r1")))->intent->id, 1);
}

TEST_F(PostgresMigration, LetsAReplicaOfVersion1WorkOn) {
  const auto store = database_.Open();
  SessionRecord held = Record("s2");
  held.held_event = "held";
  ASSERT_TRUE(Commit(*store, Put(held)).ok());
  PutSessionAsVersion1("s1");
  PutSessionAsVersion1("s2");
  EXPECT_EQ(Find(*store, "s1")->held_event, "");
  EXPECT_EQ(Find(*store, "s2")->checks, 2);
  EXPECT_EQ(Find(*store, "s2")->held_event, "held");
}

TEST_F(PostgresMigration, LetsAReplicaOfVersion2WorkOn) {
  database_.options.queue.maintenance_interval = absl::Hours(1);  // nothing here is too old
  const auto store = database_.Open();
  IntentRecord traced = Intent(database_.clock.Now(), "r1");
  traced.trace.traceparent = "00-a-b-01";
  ASSERT_TRUE(Commit(*store, PutIntent(traced)).ok());
  // All columns of its table, in their order.
  database_.Execute(
      "INSERT INTO ipp_gateway.intents SELECT * FROM (VALUES (7::bigint, 'PM1'::bytea, "
      "'r2'::bytea, 'CreateSession'::bytea, ''::bytea, ''::bytea, 5::bigint, ''::bytea, 0::bigint, "
      "0::bigint, ''::bytea, ''::bytea, 0::bigint, 0::bigint)) AS v;"
      "UPDATE ipp_gateway.intents SET state = 5 WHERE request_id = 'r1'");
  EXPECT_EQ(FindIntent(*store, "r2")->trace, TraceContext());
  EXPECT_EQ(FindIntent(*store, "r1")->trace, traced.trace);
  EXPECT_EQ(FindIntent(*store, "r1")->state, IntentState::kUnknown);
}

// Each row a session and a create of an earlier release, as they came: in any letter case.
TEST_F(PostgresMigration, GivesEachIdentifierOneSpelling) {
  database_.options.queue.maintenance_interval = absl::Hours(1);
  MigrateTo(3);
  const std::string upper = "AAAAAAAA-0000-4000-8000-00000000000A",
                    lower = absl::AsciiStrToLower(upper);
  const std::string lone = "BBBBBBBB-0000-4000-8000-00000000000B";
  const auto session = [](const std::string& id, const std::string& request, bool open, int at) {
    return absl::StrCat("INSERT INTO ipp_gateway.sessions VALUES ('PM1', '", id, "', ", request,
                        ", true, ", open ? "true" : "false", ", ", at, ", ", at,
                        ", NULL, 0, ''::bytea);");
  };
  const auto intent = [](int id, const std::string& request, int state) {
    return absl::StrCat("INSERT INTO ipp_gateway.intents VALUES (", id, ", 'PM1', '", request,
                        "', 'CreateSession', '', '', ", state, ", '', 0, 0, '', '", "S", "', ", id,
                        ", ", id, ");");
  };
  database_.Execute(absl::StrCat(
      session(lower, "NULL", true, 1), session(upper, "NULL", false, 2),
      session(lone, absl::StrCat("'", upper, "'"), true, 3),
      session("cccccccc-0000-4000-8000-00000000000c", absl::StrCat("'", lower, "'"), true, 2),
      session("not-A-uuid", "NULL", true, 4), intent(1, upper, 2), intent(2, lower, 4),
      intent(3, lone, 5), "INSERT INTO ipp_gateway.events VALUES (1, 0, 'PM1', '", upper, "', '",
      lone, "', 0, '', ''); UPDATE ipp_gateway.log SET last_position = 1, last_intent = 3"));

  const auto store = database_.Open();
  EXPECT_FALSE(Find(*store, lower)->open);  // of the two the one that has ended
  EXPECT_TRUE(absl::IsNotFound(Find(*store, upper).status()));
  EXPECT_TRUE(Find(*store, absl::AsciiStrToLower(lone)).ok());
  EXPECT_TRUE(Find(*store, "not-A-uuid").ok());
  EXPECT_EQ(Find(*store, absl::AsciiStrToLower(lone))->request_id, "");  // the other one is older
  EXPECT_EQ(Find(*store, "cccccccc-0000-4000-8000-00000000000c")->request_id, lower);
  EXPECT_EQ(FindIntent(*store, lower)->state, IntentState::kExecuted);
  EXPECT_EQ(FindIntent(*store, absl::AsciiStrToLower(lone))->state, IntentState::kUnknown);
  EXPECT_EQ(Read(*store, 0)->at(0).session_id, lower);
  EXPECT_EQ(Read(*store, 0)->at(0).device_id, absl::AsciiStrToLower(lone));
}

TEST_F(PostgresMigration, ComesToTheSameFromAnyVersion) {
  MigrateTo(1);
  MigrateTo(PostgresMigrations().size());
  const std::string columns =
      "SELECT string_agg(concat_ws(' ', table_name, column_name, data_type, is_nullable, "
      "column_default), ', ' ORDER BY table_name, ordinal_position) FROM "
      "information_schema.columns WHERE table_schema = 'ipp_gateway'";
  PostgresDatabase fresh;
  fresh.Open();
  EXPECT_EQ(database_.Execute(columns), fresh.Execute(columns));
}

}  // namespace
}  // namespace ipp::store
