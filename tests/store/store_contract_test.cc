#include "tests/store/store_contract.h"

#include <algorithm>
#include <thread>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "server/base/protobuf_time.h"

namespace ipp::store {
namespace {

using namespace contract;  // NOLINT: the words of these tests
using testing::ElementsAre;
using testing::IsEmpty;

class StoreContract : public testing::TestWithParam<std::unique_ptr<StoreBed> (*)()> {
 protected:
  void Reopen(size_t max_queue = 10000) {
    store_.reset();
    store_ = bed_->Open(max_queue);
  }

  const std::unique_ptr<StoreBed> bed_ = GetParam()();
  std::unique_ptr<Store> store_ = bed_->Open(10000);
};

INSTANTIATE_TEST_SUITE_P(Fake, StoreContract, testing::Values(&MakeFakeBed));
INSTANTIATE_TEST_SUITE_P(Sqlite, StoreContract, testing::Values(&MakeSqliteBed));
INSTANTIATE_TEST_SUITE_P(Postgres, StoreContract, testing::Values(&MakePostgresBed));
INSTANTIATE_TEST_SUITE_P(NewerSqlite, StoreContract, testing::Values(&MakeNewerSqliteBed));
INSTANTIATE_TEST_SUITE_P(NewerPostgres, StoreContract, testing::Values(&MakeNewerPostgresBed));

TEST_P(StoreContract, IsEmptyAtFirst) {
  EXPECT_EQ(store_->bounds().oldest, 1);
  EXPECT_EQ(store_->bounds().latest, 0);
  EXPECT_THAT(*Read(*store_, 0), IsEmpty());
  EXPECT_TRUE(absl::IsNotFound(Find(*store_, "s1").status()));
  EXPECT_TRUE(store_->health().ok());
  EXPECT_THAT(store_->log_id(), testing::MatchesRegex("[0-9a-f]{16}"));
}

TEST_P(StoreContract, NumbersEventsFromOneWithoutGaps) {
  Transaction several;
  several.decide = [](const Snapshot&) { return Writes{{}, {Event("b"), Event("c"), Event("d")}}; };
  Transaction none;
  none.decide = [](const Snapshot&) { return Writes{}; };

  EXPECT_THAT(Commit(*store_, Append("a"))->positions, ElementsAre(1));
  EXPECT_THAT(Commit(*store_, none)->positions, IsEmpty());
  EXPECT_THAT(Commit(*store_, several)->positions, ElementsAre(2, 3, 4));
  EXPECT_THAT(Commit(*store_, Append("e"))->positions, ElementsAre(5));

  EXPECT_EQ(store_->bounds().oldest, 1);
  EXPECT_EQ(store_->bounds().latest, 5);
  EXPECT_THAT(Ids(*Read(*store_, 0)), ElementsAre("a", "b", "c", "d", "e"));
}

TEST_P(StoreContract, CommitsInTheOrderOfTheCalls) {
  std::vector<std::string> expected;
  std::vector<int64_t> positions;  // filled on the store's thread, read after the last answer
  std::promise<void> last;
  for (int i = 0; i < 300; ++i) {
    expected.push_back(absl::StrCat(i));
    store_->Commit(Append(expected.back()), [&](absl::StatusOr<Committed> committed) {
      positions.push_back(committed->positions.at(0));
      if (positions.size() == 300) last.set_value();
    });
  }
  last.get_future().wait();
  EXPECT_TRUE(std::is_sorted(positions.begin(), positions.end()));
  EXPECT_EQ(Ids(*Read(*store_, 0)), expected);
}

TEST_P(StoreContract, ShowsWhatEarlierTransactionsOfTheSameBatchWrote) {
  Gate gate;
  std::promise<absl::StatusOr<Committed>> last;
  store_->Commit(gate.transaction(), [](absl::StatusOr<Committed>) {});
  gate.WaitUntilEntered();
  for (int i = 0; i < 49; ++i) store_->Commit(Count("s1"), [](absl::StatusOr<Committed>) {});
  store_->Commit(Count("s1"), [&](absl::StatusOr<Committed> c) { last.set_value(std::move(c)); });
  gate.Open();

  EXPECT_EQ(last.get_future().get()->session->checks, 50);
  EXPECT_EQ(Find(*store_, "s1")->checks, 50);
  EXPECT_EQ(Ids(*Read(*store_, 49)), std::vector<std::string>{"s1#50"});
}

// Retention goes by it, and the clock of a gateway may be slow.
TEST_P(StoreContract, DatesWhatIsWrittenNoEarlierThanItsCommit) {
  for (const absl::Duration off : {-absl::Hours(24 * 400), absl::ZeroDuration(), absl::Hours(1)}) {
    const absl::Time given = bed_->clock.Now() + off;
    Transaction transaction = Append("e");
    transaction.merchant_id = "PM1";
    transaction.session_id = "s1";
    transaction.request_id = "r1";
    transaction.decide = [given](const Snapshot&) {
      Writes writes;
      writes.session.emplace().merchant_id = "PM1";
      writes.intent.emplace().merchant_id = "PM1";
      writes.session->session.set_session_id("s1");
      writes.session->updated_at = given;
      writes.intent->request_id = "r1";
      writes.intent->updated_at = given;
      return writes;
    };
    const auto committed = Commit(*store_, std::move(transaction));
    ASSERT_TRUE(committed.ok()) << committed.status();
    const absl::Time expected = std::max(given, bed_->clock.Now());
    EXPECT_EQ(committed->session->updated_at, expected);
    EXPECT_EQ(Find(*store_, "s1")->updated_at, expected);
    EXPECT_EQ(committed->intent->updated_at, expected);
  }
}

// A note is no news: the pauses of the reconciler and retention go by the time of the last news.
TEST_P(StoreContract, LeavesTheTimeOfTheLastNewsAloneWhenANoteIsWritten) {
  SessionRecord record = Record("s1");
  record.updated_at = bed_->clock.Now();
  ASSERT_TRUE(Commit(*store_, Put(record)).ok());
  const absl::Time news = Find(*store_, "s1")->updated_at;
  bed_->clock.Advance(absl::Hours(1));
  Transaction note;
  note.merchant_id = "PM1";
  note.session_id = "s1";
  note.decide = [](const Snapshot& snapshot) {
    Writes writes{.session = snapshot.session};
    writes.session->missing_since = absl::UnixEpoch();
    return writes;
  };
  ASSERT_TRUE(Commit(*store_, std::move(note)).ok());
  EXPECT_EQ(Find(*store_, "s1")->missing_since, absl::UnixEpoch());
  EXPECT_EQ(Find(*store_, "s1")->updated_at, news);
}

TEST_P(StoreContract, GivesBackWhatWasDecided) {
  for (const bool writes_something : {true, false}) {
    Transaction transaction = Append("e1");
    transaction.decide = [writes_something, decide = transaction.decide](const Snapshot& snapshot) {
      Writes writes = writes_something ? decide(snapshot) : Writes{};
      writes.decided = std::string("so");
      return writes;
    };
    const auto committed = Commit(*store_, std::move(transaction));
    ASSERT_TRUE(committed.ok()) << committed.status();
    EXPECT_EQ(std::any_cast<std::string>(committed->decided), "so");
  }
  EXPECT_FALSE(Commit(*store_, Append("e2"))->decided.has_value());
}

TEST_P(StoreContract, TakesADedupKeyOnce) {
  EXPECT_FALSE(Commit(*store_, Append("a", "key"))->already_seen);
  const auto again = Commit(*store_, Append("b", "key"));
  EXPECT_TRUE(again->already_seen);
  EXPECT_THAT(again->positions, IsEmpty());
  EXPECT_FALSE(Commit(*store_, Append("c", "other"))->already_seen);
  Reopen();
  EXPECT_TRUE(Commit(*store_, Append("d", "key"))->already_seen);
  EXPECT_THAT(Ids(*Read(*store_, 0)), ElementsAre("a", "c"));
}

TEST_P(StoreContract, TakesADedupKeyOnceWithinABatch) {
  Gate gate;
  std::promise<bool> first, second;
  store_->Commit(gate.transaction(), [](absl::StatusOr<Committed>) {});
  gate.WaitUntilEntered();
  store_->Commit(Append("a", "key"),
                 [&](absl::StatusOr<Committed> c) { first.set_value(c->already_seen); });
  store_->Commit(Append("b", "key"),
                 [&](absl::StatusOr<Committed> c) { second.set_value(c->already_seen); });
  gate.Open();
  EXPECT_FALSE(first.get_future().get());
  EXPECT_TRUE(second.get_future().get());
}

TEST_P(StoreContract, KeepsEveryFieldOfASession) {
  SessionRecord record = Record("s1", "request-1");
  record.session.set_order_amount(12345);
  record.session.set_merchant_data(std::string("a\0b", 3));
  record.complete = true;
  record.open = false;
  record.created_at = absl::FromUnixNanos(1'790'000'000'123'456'789);
  record.updated_at = record.created_at + absl::Seconds(2);
  record.next_check_at = record.created_at + absl::Seconds(3);
  record.checks = 7;
  record.revision = 5;
  record.missing_since = record.created_at + absl::Seconds(4);
  ASSERT_TRUE(Commit(*store_, Put(record)).ok());
  Reopen();

  for (const auto& found : {Find(*store_, "s1"), FindByRequest(*store_, "request-1")}) {
    ASSERT_TRUE(found.ok()) << found.status();
    EXPECT_EQ(found->merchant_id, "PM1");
    EXPECT_EQ(found->session.SerializeAsString(), record.session.SerializeAsString());
    EXPECT_EQ(found->request_id, "request-1");
    EXPECT_TRUE(found->complete);
    EXPECT_FALSE(found->open);
    EXPECT_EQ(found->created_at, record.created_at);
    EXPECT_EQ(found->updated_at, record.updated_at);
    EXPECT_EQ(found->next_check_at, record.next_check_at);
    EXPECT_EQ(found->checks, 7);
    EXPECT_EQ(found->revision, 5);
    EXPECT_EQ(found->missing_since, record.missing_since);
  }
  record.missing_since = absl::InfiniteFuture();
  ASSERT_TRUE(Commit(*store_, Put(record)).ok());
  EXPECT_EQ(Find(*store_, "s1")->missing_since, absl::InfiniteFuture());
}

TEST_P(StoreContract, KeepsThatASessionIsNeverToBeChecked) {
  ASSERT_TRUE(Commit(*store_, Put(Record("s1"))).ok());
  Reopen();
  EXPECT_EQ(Find(*store_, "s1")->next_check_at, absl::InfiniteFuture());
  EXPECT_EQ(Find(*store_, "s1")->request_id, "");
}

TEST_P(StoreContract, KeepsMerchantsApart) {
  ASSERT_TRUE(Commit(*store_, Put(Record("s1", "request-1"))).ok());
  SessionRecord other = Record("s1", "request-1");
  other.merchant_id = "PM2";
  other.checks = 9;
  ASSERT_TRUE(Commit(*store_, Put(other)).ok());
  EXPECT_EQ(Find(*store_, "s1")->checks, 0);
  EXPECT_TRUE(absl::IsNotFound(FindByRequest(*store_, "request-2").status()));
}

TEST_P(StoreContract, RefusesASecondSessionUnderOneRequestIdAlone) {
  ASSERT_TRUE(Commit(*store_, Put(Record("s1", "request-1"))).ok());
  Gate gate;
  std::promise<absl::Status> before, refused, after;
  store_->Commit(gate.transaction(), [](absl::StatusOr<Committed>) {});
  gate.WaitUntilEntered();
  store_->Commit(Append("a"), [&](absl::StatusOr<Committed> c) { before.set_value(c.status()); });
  store_->Commit(Put(Record("s2", "request-1")),
                 [&](absl::StatusOr<Committed> c) { refused.set_value(c.status()); });
  store_->Commit(Append("b"), [&](absl::StatusOr<Committed> c) { after.set_value(c.status()); });
  gate.Open();

  EXPECT_TRUE(before.get_future().get().ok());
  EXPECT_TRUE(absl::IsAlreadyExists(refused.get_future().get()));
  EXPECT_TRUE(after.get_future().get().ok());
  EXPECT_TRUE(store_->health().ok());
  EXPECT_EQ(FindByRequest(*store_, "request-1")->session.session_id(), "s1");
  EXPECT_TRUE(absl::IsNotFound(Find(*store_, "s2").status()));
  EXPECT_THAT(Ids(*Read(*store_, 0)), ElementsAre("a", "b"));
}

TEST_P(StoreContract, StampsAnEventAndTakesItsCursorOut) {
  Transaction transaction;
  transaction.decide = [](const Snapshot&) {
    NewEvent event = Event("a");
    event.event.set_cursor("from somewhere");
    return Writes{{}, {event}};
  };
  ASSERT_TRUE(Commit(*store_, transaction).ok());

  const StoredEvent row = Read(*store_, 0)->at(0);
  EXPECT_EQ(row.position, 1);
  EXPECT_EQ(row.recorded_at, bed_->clock.Now());
  EXPECT_EQ(row.merchant_id, "PM1");
  EXPECT_EQ(row.session_id, "s1");
  EXPECT_EQ(row.device_id, "d1");
  EXPECT_EQ(row.type, kustom::ipp::v1::SESSION_EVENT_TYPE_ACTIVATED);
  EXPECT_EQ(row.merchant_reference1, "ref1");
  kustom::ipp::v1::SessionEvent event;
  ASSERT_TRUE(event.ParseFromString(row.payload));
  EXPECT_EQ(FromTimestamp(event.recorded_at()), row.recorded_at);
  EXPECT_EQ(event.cursor(), "");
}

TEST_P(StoreContract, NeverRecordsBackInTime) {
  const absl::Time start = bed_->clock.Now();
  ASSERT_TRUE(Commit(*store_, Append("a")).ok());
  bed_->clock.Advance(-absl::Hours(1));
  ASSERT_TRUE(Commit(*store_, Append("b")).ok());
  Reopen();
  ASSERT_TRUE(Commit(*store_, Append("c")).ok());
  const auto rows = Read(*store_, 0);
  ASSERT_EQ(rows->size(), 3u);
  for (const StoredEvent& row : *rows) EXPECT_EQ(row.recorded_at, start);
}

TEST_P(StoreContract, ReadsInPages) {
  for (const char* id : {"a", "b", "c", "d"}) ASSERT_TRUE(Commit(*store_, Append(id)).ok());
  EXPECT_THAT(Ids(*Read(*store_, 0, 3)), ElementsAre("a", "b", "c"));
  EXPECT_THAT(Ids(*Read(*store_, 3, 3)), ElementsAre("d"));
  EXPECT_THAT(*Read(*store_, 4, 3), IsEmpty());
  EXPECT_THAT(*Read(*store_, 99, 3), IsEmpty());
}

TEST_P(StoreContract, EndsAPageAfterAMebibyte) {
  Transaction big;
  big.decide = [](const Snapshot&) {
    NewEvent event = Event("a");
    event.event.mutable_session()->set_merchant_data(std::string(250 << 10, 'x'));
    return Writes{{}, std::vector<NewEvent>(7, event)};
  };
  ASSERT_TRUE(Commit(*store_, big).ok());
  EXPECT_EQ(Read(*store_, 0)->size(), 5u);
  EXPECT_EQ(Read(*store_, 5)->size(), 2u);
}

TEST_P(StoreContract, FindsPositionsByTime) {
  const absl::Time start = bed_->clock.Now();
  EXPECT_EQ(*PositionAt(*store_, start), 0);
  for (const char* id : {"a", "b", "c", "d", "e"}) {
    ASSERT_TRUE(Commit(*store_, Append(id)).ok());
    bed_->clock.Advance(absl::Seconds(10));
  }
  EXPECT_EQ(*PositionAt(*store_, absl::InfinitePast()), 0);
  EXPECT_EQ(*PositionAt(*store_, start), 0);
  EXPECT_EQ(*PositionAt(*store_, start + absl::Nanoseconds(1)), 1);
  EXPECT_EQ(*PositionAt(*store_, start + absl::Seconds(20)), 2);
  EXPECT_EQ(*PositionAt(*store_, start + absl::Seconds(40)), 4);
  EXPECT_EQ(*PositionAt(*store_, start + absl::Seconds(41)), 5);
  EXPECT_EQ(*PositionAt(*store_, absl::InfiniteFuture()), 5);
}

TEST_P(StoreContract, GoesOnWhereItStopped) {
  ASSERT_TRUE(Commit(*store_, Append("a")).ok());
  ASSERT_TRUE(Commit(*store_, Append("b")).ok());
  const std::string log_id = store_->log_id();
  Reopen();
  EXPECT_EQ(store_->log_id(), log_id);
  EXPECT_EQ(store_->bounds().latest, 2);
  EXPECT_THAT(Commit(*store_, Append("c"))->positions, ElementsAre(3));
  EXPECT_THAT(Ids(*Read(*store_, 0)), ElementsAre("a", "b", "c"));
}

TEST_P(StoreContract, TellsTheListenerOfEveryBatchWithEvents) {
  std::vector<int64_t> heard;
  store_->SetListener(
      [&](int64_t latest, const std::vector<StoredEvent>&) { heard.push_back(latest); });
  ASSERT_TRUE(Commit(*store_, Append("a")).ok());
  ASSERT_TRUE(Commit(*store_, Put(Record("s1"))).ok());
  ASSERT_TRUE(Commit(*store_, Append("b")).ok());
  store_->SetListener(nullptr);
  ASSERT_TRUE(Commit(*store_, Append("c")).ok());
  EXPECT_THAT(heard, ElementsAre(1, 2));
}

TEST_P(StoreContract, ShowsTheNewBoundsToWhoeverIsTold) {
  int64_t seen_by_listener = 0;
  std::promise<int64_t> seen_by_callback;
  store_->SetListener([&](int64_t, const std::vector<StoredEvent>&) {
    seen_by_listener = store_->bounds().latest;
  });
  store_->Commit(Append("a"), [&](absl::StatusOr<Committed>) {
    seen_by_callback.set_value(store_->bounds().latest);
  });
  EXPECT_EQ(seen_by_callback.get_future().get(), 1);
  store_->SetListener(nullptr);
  EXPECT_EQ(seen_by_listener, 1);
}

TEST_P(StoreContract, AnswersOnAThreadOfItsOwn) {
  std::promise<std::thread::id> committed, read;
  store_->Commit(Append("a"), [&](absl::StatusOr<Committed>) {
    committed.set_value(std::this_thread::get_id());
  });
  store_->ReadEvents(0, 1, [&](absl::StatusOr<std::vector<StoredEvent>>) {
    read.set_value(std::this_thread::get_id());
  });
  EXPECT_NE(committed.get_future().get(), std::this_thread::get_id());
  EXPECT_NE(read.get_future().get(), std::this_thread::get_id());
}

TEST_P(StoreContract, MayBeCalledFromItsCallbacks) {
  std::promise<std::vector<std::string>> ids;
  store_->Commit(Append("a"), [&](absl::StatusOr<Committed>) {
    store_->Commit(Append("b"), [&](absl::StatusOr<Committed>) {
      store_->ReadEvents(
          0, 10, [&](absl::StatusOr<std::vector<StoredEvent>> rows) { ids.set_value(Ids(*rows)); });
    });
  });
  EXPECT_THAT(ids.get_future().get(), ElementsAre("a", "b"));
}

TEST_P(StoreContract, TakesWorkFromManyThreads) {
  constexpr int kThreads = 8;
  constexpr int kEach = 40;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([this, t] {
      const std::string session = absl::StrCat("s", t % 3);
      for (int i = 0; i < kEach; ++i) {
        EXPECT_TRUE(Commit(*store_, Count(session)).ok());
        EXPECT_TRUE(Find(*store_, session).ok());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();

  const auto rows = Read(*store_, 0);
  ASSERT_EQ(rows->size(), static_cast<size_t>(kThreads * kEach));
  for (size_t i = 0; i < rows->size(); ++i) EXPECT_EQ((*rows)[i].position, int64_t(i) + 1);
  EXPECT_EQ(Find(*store_, "s0")->checks + Find(*store_, "s1")->checks + Find(*store_, "s2")->checks,
            kThreads * kEach);
}

TEST_P(StoreContract, FailsWithUnavailableAndRecoversByItself) {
  ASSERT_TRUE(Commit(*store_, Append("a")).ok());
  bed_->Break();
  EXPECT_TRUE(absl::IsUnavailable(Commit(*store_, Append("b", "key")).status()));
  EXPECT_TRUE(absl::IsUnavailable(Commit(*store_, Put(Record("s1"))).status()));
  EXPECT_TRUE(absl::IsUnavailable(store_->health()));
  EXPECT_EQ(store_->bounds().latest, 1);
  EXPECT_THAT(Ids(*Read(*store_, 0)), ElementsAre("a"));  // streams live on

  bed_->Repair();
  const auto again = Commit(*store_, Append("c", "key"));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_FALSE(again->already_seen);
  EXPECT_THAT(again->positions, ElementsAre(2));
  EXPECT_TRUE(store_->health().ok());
  Reopen();
  EXPECT_THAT(Ids(*Read(*store_, 0)), ElementsAre("a", "c"));
  EXPECT_TRUE(absl::IsNotFound(Find(*store_, "s1").status()));
}

TEST_P(StoreContract, RefusesMoreThanItsQueueHolds) {
  Reopen(4);
  Gate gate;
  store_->Commit(gate.transaction(), [](absl::StatusOr<Committed>) {});
  gate.WaitUntilEntered();
  std::vector<absl::StatusCode> codes;  // filled on the store's thread
  std::promise<void> all;
  for (int i = 0; i < 6; ++i) {
    store_->Commit(Append(absl::StrCat(i)), [&](absl::StatusOr<Committed> committed) {
      codes.push_back(committed.status().code());
      if (codes.size() == 6) all.set_value();
    });
  }
  gate.Open();
  all.get_future().wait();
  EXPECT_EQ(std::count(codes.begin(), codes.end(), absl::StatusCode::kResourceExhausted), 2);
  EXPECT_EQ(std::count(codes.begin(), codes.end(), absl::StatusCode::kOk), 4);
  EXPECT_THAT(Ids(*Read(*store_, 0)), ElementsAre("0", "1", "2", "3"));
}

TEST_P(StoreContract, AnswersEverythingThatIsUnderWayWhenItEnds) {
  Gate gate;
  store_->Commit(gate.transaction(), [](absl::StatusOr<Committed>) {});
  gate.WaitUntilEntered();
  std::atomic<int> committed{0}, cancelled{0}, read{0};
  for (int i = 0; i < 50; ++i) {
    store_->Commit(Append(absl::StrCat(i)), [&](absl::StatusOr<Committed> c) {
      ++(absl::IsCancelled(c.status()) ? cancelled : committed);
    });
    store_->FindSession("PM1", "s1", [&](absl::StatusOr<SessionRecord>) { ++read; });
  }
  std::thread end([this] { store_.reset(); });
  gate.Open();
  end.join();
  EXPECT_EQ(committed + cancelled, 50);
  EXPECT_EQ(read, 50);
  Reopen();
  EXPECT_EQ(Read(*store_, 0)->size(), static_cast<size_t>(committed));
}

}  // namespace
}  // namespace ipp::store
