#include <atomic>
#include <set>
#include <thread>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "tests/store/postgres_bed.h"

// Several stores on one database, as replicas of the gateway have them.
namespace ipp::store {
namespace {

using namespace contract;  // NOLINT: the words of these tests
using testing::ElementsAre;

class PostgresReplicas : public testing::Test {
 protected:
  PostgresDatabase database_;
  std::unique_ptr<Store> a_ = database_.Open();
  std::unique_ptr<Store> b_ = database_.Open();
};

// The newest position that a store's listener got.
class Ear {
 public:
  explicit Ear(Store* store) : store_(store) {
    store_->SetListener([this](int64_t latest, const std::vector<StoredEvent>&) {
      MutexLock lock(&mutex_);
      EXPECT_GT(latest, latest_);
      latest_ = latest;
      changed_.SignalAll();
    });
  }
  ~Ear() { store_->SetListener(nullptr); }
  void WaitFor(int64_t position) {
    MutexLock lock(&mutex_);
    while (latest_ < position) changed_.Wait(&mutex_);
  }

 private:
  Store* const store_;
  Mutex mutex_;
  CondVar changed_;
  int64_t latest_ ABSL_GUARDED_BY(mutex_) = 0;
};

TEST_F(PostgresReplicas, HearOfEachOthersEventsByNotification) {
  EXPECT_EQ(a_->log_id(), b_->log_id());
  Ear ear(b_.get());
  ASSERT_TRUE(Commit(*a_, Append("a")).ok());
  ear.WaitFor(1);
  EXPECT_EQ(b_->bounds().latest, 1);
  EXPECT_THAT(Ids(*Read(*b_, 0)), ElementsAre("a"));
  EXPECT_THAT(Commit(*b_, Append("b"))->positions, ElementsAre(2));
  EXPECT_THAT(Ids(*Read(*a_, 0)), ElementsAre("a", "b"));
}

TEST_F(PostgresReplicas, FindWhatNoNotificationToldOf) {
  database_.options.poll_interval = absl::Milliseconds(20);
  const auto polling = database_.Open();
  Ear ear(polling.get());
  // As a replica would, but without a word.
  database_.Execute(
      "BEGIN; INSERT INTO ipp_gateway.events VALUES (1, 0, '', '', '', 0, '', ''); "
      "UPDATE ipp_gateway.log SET last_position = 1; COMMIT");
  ear.WaitFor(1);
  EXPECT_EQ(polling->bounds().latest, 1);
}

TEST_F(PostgresReplicas, HearAgainAfterTheListenersConnectionWasCut) {
  Ear ear(b_.get());
  ASSERT_TRUE(Commit(*a_, Append("a")).ok());
  ear.WaitFor(1);
  database_.CutAll();
  while (!Commit(*a_, Append("b")).ok()) {
  }
  ear.WaitFor(2);
}

TEST_F(PostgresReplicas, RefreshTheirBoundsFromTheLog) {
  ASSERT_TRUE(Commit(*a_, Append("a")).ok());
  const auto bounds =
      Await<LogBounds>([&](Done<LogBounds> done) { b_->RefreshBounds(std::move(done)); });
  EXPECT_EQ(bounds->latest, 1);
  EXPECT_EQ(b_->bounds().latest, 1);
}

TEST_F(PostgresReplicas, AppendToOneLogWithoutGapsAndReadItWithoutGaps) {
  constexpr int kEach = 1500;
  std::atomic<int> failed{0};
  std::vector<std::promise<void>> done(2);
  std::vector<std::thread> writers;
  for (size_t i = 0; i < 2; ++i) {
    writers.emplace_back([&, i] {
      Store& store = i == 0 ? *a_ : *b_;
      std::atomic<int> left{kEach};
      for (int n = 0; n < kEach; ++n) {
        store.Commit(Append(absl::StrCat(i, "/", n)), [&](absl::StatusOr<Committed> committed) {
          if (!committed.ok()) ++failed;
          if (--left == 0) done[i].set_value();
        });
      }
      done[i].get_future().wait();
    });
  }
  // A reader that follows the log sees every position, as soon as it sees one behind it.
  std::set<std::string> seen;
  Ear ear(b_.get()), other(a_.get());
  for (int64_t last = 0; last < 2 * kEach;) {
    const auto rows = Read(*b_, last, 500);
    ASSERT_TRUE(rows.ok()) << rows.status();
    for (const StoredEvent& row : *rows) ASSERT_EQ(row.position, ++last);
    for (std::string& id : Ids(*rows)) seen.insert(std::move(id));
  }
  ear.WaitFor(2 * kEach);
  other.WaitFor(2 * kEach);
  for (std::thread& writer : writers) writer.join();
  EXPECT_EQ(failed, 0);
  EXPECT_EQ(seen.size(), 2u * kEach);
  EXPECT_EQ(a_->bounds().latest, b_->bounds().latest);
}

TEST_F(PostgresReplicas, TakeADedupKeyOnceAmongThem) {
  constexpr int kKeys = 300;
  std::vector<int> first(kKeys, 0);
  std::atomic<int> left{2 * kKeys};
  Mutex mutex;
  std::promise<void> all;
  for (int key = 0; key < kKeys; ++key) {
    for (Store* store : {a_.get(), b_.get()}) {
      store->Commit(Append("a", absl::StrCat("key", key)),
                    [&, key](absl::StatusOr<Committed> committed) {
                      EXPECT_TRUE(committed.ok()) << committed.status();
                      {
                        MutexLock lock(&mutex);
                        if (!committed->already_seen) ++first[static_cast<size_t>(key)];
                      }
                      if (--left == 0) all.set_value();
                    });
    }
  }
  all.get_future().wait();
  EXPECT_EQ(first, std::vector<int>(kKeys, 1));
  EXPECT_EQ(Read(*a_, 0)->size(), static_cast<size_t>(kKeys));
}

TEST_F(PostgresReplicas, ChangeOneSessionOneAfterAnother) {
  constexpr int kEach = 100;
  std::vector<std::thread> threads;
  for (Store* store : {a_.get(), b_.get(), a_.get(), b_.get()}) {
    threads.emplace_back([store] {
      for (int i = 0; i < kEach; ++i) ASSERT_TRUE(Commit(*store, Count("s1")).ok());
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(Find(*a_, "s1")->checks, 4 * kEach);
}

TEST_F(PostgresReplicas, LeaseASessionToOneOfThem) {
  constexpr int kSessions = 200;
  for (int i = 0; i < kSessions; ++i) {
    SessionRecord record = Record(absl::StrCat("s", i));
    record.next_check_at = database_.clock.Now();
    a_->Commit(Put(std::move(record)), [](absl::StatusOr<Committed>) {});
  }
  const Lease lease{.now = database_.clock.Now(), .limit = 7, .pause = [](const SessionRecord&) {
                      return absl::Minutes(1);
                    }};
  ASSERT_TRUE(Commit(*a_, Append("behind them")).ok());
  std::multiset<std::string> leased[2];
  std::vector<std::thread> threads;
  for (size_t i = 0; i < 2; ++i) {
    threads.emplace_back([&, i] {
      // What the other one holds at the moment is passed over: empty twice is empty.
      for (int empty = 0; empty < 2;) {
        const auto due = LeaseDue(i == 0 ? *a_ : *b_, lease);
        ASSERT_TRUE(due.ok()) << due.status();
        if (due->empty()) ++empty;
        for (const SessionRecord& record : *due) leased[i].insert(record.session.session_id());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::multiset<std::string> all = leased[0];
  all.insert(leased[1].begin(), leased[1].end());
  EXPECT_EQ(all.size(), static_cast<size_t>(kSessions));
  EXPECT_EQ(std::set<std::string>(all.begin(), all.end()).size(), static_cast<size_t>(kSessions));
}

TEST_F(PostgresReplicas, KeepALeaseThatHappensWhileASessionIsWritten) {
  SessionRecord record = Record("s1");
  record.next_check_at = database_.clock.Now();
  ASSERT_TRUE(Commit(*a_, Put(record)).ok());
  const Lease lease{.now = database_.clock.Now(), .limit = 1, .pause = [](const SessionRecord&) {
                      return absl::ZeroDuration();
                    }};
  std::atomic<int> leases{0}, counts{0};
  std::vector<std::thread> threads;
  threads.emplace_back([&] {
    for (int i = 0; i < 100; ++i) leases += static_cast<int>(LeaseDue(*b_, lease)->size());
  });
  threads.emplace_back([&] {
    for (int i = 0; i < 100; ++i) counts += Commit(*a_, Count("s1")).ok() ? 1 : 0;
  });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(Find(*a_, "s1")->checks, leases + counts);  // each of them counted, none was lost
}

TEST_F(PostgresReplicas, TrimTogetherWhileTheyCommit) {
  Transaction many;
  many.decide = [](const Snapshot&) { return Writes{{}, std::vector<NewEvent>(1200, Event("a"))}; };
  ASSERT_TRUE(Commit(*a_, many).ok());
  std::atomic<bool> stop{false};
  std::vector<std::thread> writers;
  for (Store* store : {a_.get(), b_.get()}) {
    writers.emplace_back([&stop, store] {
      while (!stop) EXPECT_TRUE(Commit(*store, Append("b")).ok());
    });
  }
  database_.clock.Advance(absl::Hours(2));
  const auto refresh = [](Store& store) {
    return Await<LogBounds>([&](Done<LogBounds> done) { store.RefreshBounds(std::move(done)); })
        ->oldest;
  };
  WaitUntil([&] { return refresh(*a_) > 1200 && refresh(*b_) > 1200; });
  stop = true;
  for (std::thread& writer : writers) writer.join();
  const LogBounds bounds =
      *Await<LogBounds>([&](Done<LogBounds> done) { b_->RefreshBounds(std::move(done)); });
  const auto rows = Read(*b_, 0);
  ASSERT_FALSE(rows->empty());
  EXPECT_EQ(rows->front().position, bounds.oldest);
  EXPECT_EQ(rows->back().position, bounds.latest);
  EXPECT_EQ(static_cast<int64_t>(rows->size()), bounds.latest - bounds.oldest + 1);
}

TEST(PostgresStart, MigratesOnceWhenManyStartAtOnce) {
  PostgresDatabase database;
  std::vector<std::unique_ptr<Store>> stores(8);
  std::vector<std::thread> threads;
  for (auto& store : stores) threads.emplace_back([&] { store = database.Open(); });
  for (std::thread& thread : threads) thread.join();
  std::set<std::string> ids;
  for (const auto& store : stores) {
    ids.insert(store->log_id());
    EXPECT_TRUE(Commit(*store, Append("a")).ok());
  }
  EXPECT_EQ(ids.size(), 1u);
  EXPECT_EQ(Read(*stores[0], 0)->size(), 8u);
}

}  // namespace
}  // namespace ipp::store
