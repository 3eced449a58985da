#include <algorithm>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"

#include "gmock/gmock.h"
#include "tests/store/store_contract.h"

namespace ipp::store {
namespace {

using namespace contract;  // NOLINT: the words of these tests
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class IntentContract : public testing::TestWithParam<std::unique_ptr<StoreBed> (*)()> {
 protected:
  IntentRecord Intent(const std::string& request_id, IntentState state = IntentState::kUnderWay) {
    IntentRecord intent;
    intent.merchant_id = "PM1";
    intent.request_id = request_id;
    intent.rpc = "CreateSession";
    intent.caller = "till";
    intent.request = std::string("\0\xff bytes", 8);
    intent.state = state;
    intent.owner = "a process";
    intent.created_at = intent.updated_at = bed_->clock.Now();
    intent.under_way_until = bed_->clock.Now() + absl::Seconds(30);
    intent.settle_by = bed_->clock.Now() + absl::Minutes(10);
    return intent;
  }

  // What the transaction saw.
  std::optional<IntentRecord> PutIntent(const IntentRecord& intent) {
    Transaction transaction;
    transaction.merchant_id = intent.merchant_id;
    transaction.request_id = intent.request_id;
    std::optional<IntentRecord> seen;
    transaction.decide = [&](const Snapshot& snapshot) {
      seen = snapshot.intent;
      return Writes{.session = {}, .events = {}, .intent = intent};
    };
    const auto committed = Commit(*store_, std::move(transaction));
    EXPECT_TRUE(committed.ok()) << committed.status();
    EXPECT_GT(committed.value().intent->id, 0);
    return seen;
  }

  absl::StatusOr<IntentRecord> FindIntent(const std::string& request_id) {
    return Await<IntentRecord>(
        [&](Done<IntentRecord> done) { store_->FindIntent("PM1", request_id, std::move(done)); });
  }

  std::vector<IntentRecord> ListRecords(IntentQuery query) {
    auto found = Await<std::vector<IntentRecord>>([&](Done<std::vector<IntentRecord>> done) {
      store_->ListIntents(std::move(query), std::move(done));
    });
    EXPECT_TRUE(found.ok()) << found.status();
    return *std::move(found);
  }

  std::vector<std::string> List(IntentQuery query) { return Names(ListRecords(std::move(query))); }

  std::vector<std::string> Orphaned(absl::Time before = absl::InfinitePast(), int limit = 100) {
    const auto found = Await<std::vector<IntentRecord>>([&](Done<std::vector<IntentRecord>> done) {
      const absl::Time now = bed_->clock.Now();
      store_->OrphanIntents({now, std::max(now, before), limit}, std::move(done));
    });
    EXPECT_TRUE(found.ok()) << found.status();
    return Names(*found);
  }

  static std::vector<std::string> Names(const std::vector<IntentRecord>& intents) {
    std::vector<std::string> names;
    for (const IntentRecord& intent : intents) names.push_back(intent.request_id);
    return names;
  }

  // Whether a webhook of an unknown session would be held.
  bool Creating(const std::string& merchant_id = "PM1") {
    Transaction transaction;
    transaction.merchant_id = merchant_id;
    transaction.ask_creating = true;
    bool creating = false;
    transaction.decide = [&](const Snapshot& snapshot) {
      creating = snapshot.creating;
      return Writes{};
    };
    EXPECT_TRUE(Commit(*store_, std::move(transaction)).ok());
    return creating;
  }

  const std::unique_ptr<StoreBed> bed_ = GetParam()();
  std::unique_ptr<Store> store_ = bed_->Open(10000);
};

INSTANTIATE_TEST_SUITE_P(Fake, IntentContract, testing::Values(&MakeFakeBed));
INSTANTIATE_TEST_SUITE_P(Sqlite, IntentContract, testing::Values(&MakeSqliteBed));
INSTANTIATE_TEST_SUITE_P(Postgres, IntentContract, testing::Values(&MakePostgresBed));
INSTANTIATE_TEST_SUITE_P(NewerSqlite, IntentContract, testing::Values(&MakeNewerSqliteBed));
INSTANTIATE_TEST_SUITE_P(NewerPostgres, IntentContract, testing::Values(&MakeNewerPostgresBed));

TEST_P(IntentContract, KeepsEveryFieldAcrossARestart) {
  IntentRecord intent = Intent("r1", IntentState::kExecuted);
  intent.answer = std::string("\0answer", 7);
  intent.session_id = "s1";
  intent.trace = {.traceparent = "00-a-b-01", .tracestate = "vendor=1"};
  EXPECT_FALSE(PutIntent(intent));
  store_.reset();
  store_ = bed_->Open(10000);

  const auto kept = FindIntent("r1");
  ASSERT_TRUE(kept.ok()) << kept.status();
  EXPECT_EQ(kept->merchant_id, "PM1");
  EXPECT_EQ(kept->request_id, "r1");
  EXPECT_EQ(kept->rpc, "CreateSession");
  EXPECT_EQ(kept->caller, "till");
  EXPECT_EQ(kept->request, intent.request);
  EXPECT_EQ(kept->state, IntentState::kExecuted);
  EXPECT_EQ(kept->owner, "a process");
  EXPECT_EQ(kept->answer, intent.answer);
  EXPECT_EQ(kept->session_id, "s1");
  EXPECT_EQ(kept->trace, intent.trace);
  EXPECT_EQ(kept->under_way_until, intent.under_way_until);
  EXPECT_EQ(kept->settle_by, intent.settle_by);
  EXPECT_EQ(kept->created_at, intent.created_at);
  EXPECT_EQ(kept->updated_at, intent.updated_at);
}

TEST_P(IntentContract, ShowsATransactionWhatTheOneBeforeWrote) {
  EXPECT_FALSE(PutIntent(Intent("r1")));
  const auto seen = PutIntent(Intent("r1", IntentState::kUnknown));
  ASSERT_TRUE(seen);
  EXPECT_EQ(seen->state, IntentState::kUnderWay);
  const int64_t id = FindIntent("r1")->id;
  EXPECT_EQ(id, seen->id);
  EXPECT_EQ(FindIntent("r1")->state, IntentState::kUnknown);
  EXPECT_TRUE(absl::IsNotFound(FindIntent("r2").status()));
}

// As many at once as come: exactly one finds the place empty, also within one batch.
TEST_P(IntentContract, LetsOneOfManyAtOnceBeTheFirst) {
  Gate gate;
  store_->Commit(gate.transaction(), [](absl::StatusOr<Committed>) {});
  gate.WaitUntilEntered();
  constexpr int kCalls = 20;
  int first = 0, answered = 0;  // on the store's thread
  std::promise<void> all;
  for (int i = 0; i < kCalls; ++i) {
    Transaction transaction;
    transaction.merchant_id = "PM1";
    transaction.request_id = "r1";
    auto was_first = std::make_shared<bool>();
    transaction.decide = [was_first, intent = Intent("r1")](const Snapshot& snapshot) {
      *was_first = !snapshot.intent;
      return snapshot.intent ? Writes{} : Writes{.session = {}, .events = {}, .intent = intent};
    };
    store_->Commit(std::move(transaction), [&, was_first](absl::StatusOr<Committed> committed) {
      EXPECT_TRUE(committed.ok());
      if (*was_first) ++first;
      if (++answered == kCalls) all.set_value();
    });
  }
  gate.Open();
  all.get_future().wait();
  EXPECT_EQ(first, 1);
}

TEST_P(IntentContract, WritesSessionEventAndIntentAsOne) {
  Transaction transaction;
  transaction.merchant_id = "PM1";
  transaction.session_id = "s1";
  transaction.request_id = "r1";
  transaction.decide = [&](const Snapshot&) {
    IntentRecord intent = Intent("r1", IntentState::kExecuted);
    intent.session_id = "s1";
    return Writes{Record("s1", "r1"), {Event("e1")}, std::move(intent)};
  };
  ASSERT_TRUE(Commit(*store_, std::move(transaction)).ok());
  EXPECT_EQ(FindIntent("r1")->session_id, "s1");
  EXPECT_TRUE(FindByRequest(*store_, "r1").ok());
  EXPECT_THAT(Ids(*Read(*store_, 0)), ElementsAre("e1"));
}

TEST_P(IntentContract, KeepsTheTraceOfASessionAndOfAnIntentAcrossChanges) {
  SessionRecord record = Record("s1");
  IntentRecord intent = Intent("r1");
  for (const char* flags : {"00", "01"}) {
    record.trace = {.traceparent = absl::StrCat("00-a-b-", flags), .tracestate = "vendor=1"};
    intent.trace = {.traceparent = absl::StrCat("00-c-d-", flags), .tracestate = ""};
    ASSERT_TRUE(Commit(*store_, Put(record)).ok());
    PutIntent(intent);
    EXPECT_EQ(Find(*store_, "s1")->trace, record.trace);
    EXPECT_EQ(FindIntent("r1")->trace, intent.trace);
  }
}

TEST_P(IntentContract, KeepsAHeldEventWithItsSession) {
  SessionRecord record = Record("s1");
  record.held_event = std::string("\0held", 5);
  ASSERT_TRUE(Commit(*store_, Put(record)).ok());
  EXPECT_EQ(Find(*store_, "s1")->held_event, record.held_event);
  record.held_event.clear();
  ASSERT_TRUE(Commit(*store_, Put(record)).ok());
  EXPECT_EQ(Find(*store_, "s1")->held_event, "");
}

TEST_P(IntentContract, ShowsTheSessionThatWasCreatedUnderTheId) {
  const auto created = [&](const std::string& request_id) {
    Transaction transaction;
    transaction.merchant_id = "PM1";
    transaction.request_id = request_id;
    transaction.ask_created = true;
    std::string session_id;
    transaction.decide = [&](const Snapshot& snapshot) {
      session_id = snapshot.created ? snapshot.created->session.session_id() : "";
      return Writes{};
    };
    EXPECT_TRUE(Commit(*store_, std::move(transaction)).ok());
    return session_id;
  };
  EXPECT_EQ(created("r1"), "");
  ASSERT_TRUE(Commit(*store_, Put(Record("s1", "r1"))).ok());
  EXPECT_EQ(created("r1"), "s1");
  EXPECT_EQ(created("r2"), "");
  store_.reset();
  store_ = bed_->Open(10000);
  EXPECT_EQ(created("r1"), "s1");
}

TEST_P(IntentContract, KeepsThatOnlyTheEndIsLeft) {
  IntentRecord intent = Intent("r1", IntentState::kExecuted);
  intent.session_id = "s1";
  const IntentRecord left = Tombstone(intent);
  PutIntent(left);
  EXPECT_TRUE(FindIntent("r1")->trimmed);
  EXPECT_EQ(FindIntent("r1")->request, RequestDigest(intent.request));
  EXPECT_EQ(FindIntent("r1")->session_id, "s1");
  EXPECT_EQ(FindIntent("r1")->state, IntentState::kExecuted);
}

TEST_P(IntentContract, ListsTheNewestFirstInPages) {
  PutIntent(Intent("a", IntentState::kUnknown));
  PutIntent(Intent("b"));
  IntentRecord other = Intent("c", IntentState::kUnknown);
  other.merchant_id = "PM2";
  PutIntent(other);
  PutIntent(Intent("d", IntentState::kUnknown));
  PutIntent(Intent("e", IntentState::kRejected));

  EXPECT_THAT(List({.merchant_ids = {"PM1"}}), ElementsAre("e", "d", "b", "a"));
  EXPECT_THAT(List({.merchant_ids = {"PM1", "PM2"}, .limit = 3}), ElementsAre("e", "d", "c"));
  EXPECT_THAT(List({.merchant_ids = {"PM1"}, .states = {IntentState::kUnknown}}),
              ElementsAre("d", "a"));
  EXPECT_THAT(List({.merchant_ids = {"PM1"},
                    .states = {IntentState::kUnknown, IntentState::kRejected},
                    .before_id = FindIntent("e")->id,
                    .limit = 1}),
              ElementsAre("d"));
  EXPECT_THAT(List({.merchant_ids = {}}), IsEmpty());
}

// Any choice of merchants, states, place and size, some of them named twice, against a plain
// search.
TEST_P(IntentContract, ListsEveryChoiceAsAPlainSearchDoes) {
  std::mt19937 random(1);
  const auto below = [&random](int limit) {
    return std::uniform_int_distribution<int>(0, limit - 1)(random);
  };
  const std::string merchants[] = {"PM1", "PM2", "PM3"};
  for (int i = 0; i < 120; ++i) {  // some states change
    IntentRecord intent = Intent(absl::StrCat("r", below(80)), kIntentStates[below(5)]);
    intent.merchant_id = merchants[below(2)];
    PutIntent(intent);
  }
  const std::vector<IntentRecord> all = ListRecords({.merchant_ids = {"PM1", "PM2"}, .limit = 500});
  ASSERT_THAT(all, SizeIs(testing::Gt(50u)));
  for (int i = 0; i < 200; ++i) {
    IntentQuery query{.limit = 1 + below(60)};
    for (int n = below(4); n > 0; --n) query.merchant_ids.push_back(merchants[below(3)]);
    for (int n = below(4); n > 0; --n) query.states.push_back(kIntentStates[below(5)]);
    if (below(2) == 0) query.before_id = all[static_cast<size_t>(below(50))].id;
    std::vector<std::string> expected;
    for (const IntentRecord& intent : all) {
      const auto in = [](const auto& list, const auto& value) {
        return std::find(list.begin(), list.end(), value) != list.end();
      };
      if (static_cast<int>(expected.size()) == query.limit) break;
      if (!in(query.merchant_ids, intent.merchant_id)) continue;
      if (!query.states.empty() && !in(query.states, intent.state)) continue;
      if (query.before_id > 0 && intent.id >= query.before_id) continue;
      expected.push_back(intent.request_id);
    }
    EXPECT_EQ(List(query), expected) << "choice " << i;
  }
}

TEST_P(IntentContract, KnowsWhichCreatesAreWorthAnotherLook) {
  PutIntent(Intent("under way"));
  PutIntent(Intent("unknown", IntentState::kUnknown));
  PutIntent(Intent("refused", IntentState::kRejected));
  IntentRecord executed = Intent("executed", IntentState::kExecuted);
  executed.session_id = "s1";
  PutIntent(executed);
  PutIntent(Intent("a device", IntentState::kExecuted));  // another create than a session's
  EXPECT_TRUE(Commit(*store_, Put(Record("s2", "made elsewhere"))).ok());
  const auto settled = Await<std::vector<bool>>([&](Done<std::vector<bool>> done) {
    store_->AreSettled({{"PM1", "under way"},
                        {"PM1", "refused"},
                        {"PM1", "unknown"},
                        {"PM1", "executed"},
                        {"PM2", "executed"},
                        {"PM1", "made elsewhere"},
                        {"PM1", "a device"},
                        {"PM1", "refused"},
                        {"PM1", "never seen"}},
                       std::move(done));
  });
  ASSERT_TRUE(settled.ok()) << settled.status();
  EXPECT_THAT(*settled, ElementsAre(false, true, false, true, false, true, false, true, false));
  const auto none = Await<std::vector<bool>>(
      [&](Done<std::vector<bool>> done) { store_->AreSettled({}, std::move(done)); });
  ASSERT_TRUE(none.ok()) << none.status();
  EXPECT_THAT(*none, IsEmpty());
}

TEST_P(IntentContract, GivesUpOnCreatesThatNobodyIsAtAnyMore) {
  PutIntent(Intent("r1"));
  PutIntent(Intent("r2", IntentState::kExecuted));
  bed_->clock.Advance(absl::Seconds(30));
  EXPECT_THAT(Orphaned(), IsEmpty());
  bed_->clock.Advance(absl::Seconds(1));
  EXPECT_THAT(Orphaned(), ElementsAre("r1"));
  EXPECT_EQ(FindIntent("r1")->state, IntentState::kUnknown);
  EXPECT_EQ(FindIntent("r1")->updated_at, bed_->clock.Now());
  EXPECT_THAT(Orphaned(), IsEmpty());
}

// At the start of the only process at a store.
TEST_P(IntentContract, GivesUpOnAllCreatesAtOnceAFewAtATime) {
  for (const char* id : {"r1", "r2", "r3"}) PutIntent(Intent(id));
  EXPECT_THAT(Orphaned(absl::InfiniteFuture(), 2), SizeIs(2));
  EXPECT_THAT(Orphaned(absl::InfiniteFuture(), 2), SizeIs(1));
  EXPECT_EQ(FindIntent("r1")->state, IntentState::kUnknown);
  EXPECT_EQ(FindIntent("r1")->updated_at, bed_->clock.Now()) << "not when it might have ended";
}

TEST_P(IntentContract, TellsWhetherACreateMayBeUnderWay) {
  EXPECT_FALSE(Creating());
  PutIntent(Intent("r1"));
  EXPECT_TRUE(Creating());
  EXPECT_FALSE(Creating("PM2"));
  PutIntent(Intent("r1", IntentState::kUnknown));
  EXPECT_TRUE(Creating());
  PutIntent(Intent("r1", IntentState::kExecuted));
  EXPECT_FALSE(Creating());

  IntentRecord enrollment = Intent("r2");
  enrollment.rpc = "CreateEnrollment";
  PutIntent(enrollment);
  EXPECT_FALSE(Creating());

  PutIntent(Intent("r3", IntentState::kUnknown));
  bed_->clock.Advance(absl::Minutes(10));
  EXPECT_FALSE(Creating()) << "too late to turn up";
}

TEST_P(IntentContract, CountsWhatIsOpen) {
  PutIntent(Intent("r1"));
  const absl::Time first = bed_->clock.Now();
  PutIntent(Intent("r2", IntentState::kUnknown));
  bed_->clock.Advance(absl::Seconds(1));
  PutIntent(Intent("r3", IntentState::kUnknown));
  PutIntent(Intent("r4", IntentState::kExecuted));
  const auto counts =
      Await<IntentCounts>([&](Done<IntentCounts> done) { store_->CountIntents(std::move(done)); });
  ASSERT_TRUE(counts.ok()) << counts.status();
  EXPECT_EQ(counts->under_way, 1);
  EXPECT_EQ(counts->unknown, 2);
  EXPECT_EQ(counts->oldest_unknown, first);
}

}  // namespace
}  // namespace ipp::store
