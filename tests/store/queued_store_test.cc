#include "server/store/queued_store.h"

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <future>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "server/base/metrics.h"
#include "server/base/mutex.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_database.h"

namespace ipp::store {
namespace {

// A database whose commits can be held up, as by a disk that hangs.
class SlowDatabase final : public WriteBackend {
 public:
  explicit SlowDatabase(FakeDatabase* database) : database_(database) {}

  void Hold() { Set(true); }
  void Release() { Set(false); }
  // Waits until `commits` have begun.
  void AwaitCommits(int commits) {
    MutexLock lock(&mutex_);
    while (begun_ < commits) changed_.Wait(&mutex_);
  }

  absl::Status InShared(absl::Time now,
                        absl::FunctionRef<absl::Status(SharedTables&)> body) override {
    return database_->InShared(now, body);
  }
  absl::StatusOr<bool> IndexSessions() override { return database_->IndexSessions(); }
  absl::StatusOr<BatchReads> Read(const BatchKeys& keys, absl::Time now) override {
    return database_->Read(keys, now);
  }
  absl::Status Write(const BatchWrites& writes) override {
    {
      MutexLock lock(&mutex_);
      ++begun_;
      changed_.SignalAll();
      while (held_) changed_.Wait(&mutex_);
    }
    return database_->Write(writes);
  }
  void Abandon(const absl::Status& why) override { database_->Abandon(why); }
  absl::StatusOr<std::vector<SessionRecord>> LeaseDue(const Lease& lease) override {
    return database_->LeaseDue(lease);
  }
  absl::StatusOr<std::vector<IntentRecord>> OrphanIntents(const Orphans& which) override {
    return database_->OrphanIntents(which);
  }
  absl::StatusOr<LogBounds> BeginEpoch(const NewEpoch& epoch) override {
    return database_->BeginEpoch(epoch);
  }
  absl::StatusOr<LogBounds> ReadBounds() override {
    return static_cast<WriteBackend*>(database_)->ReadBounds();
  }
  absl::StatusOr<Trimmed> Trim(const Cutoffs&, absl::Time) override { return Trimmed{}; }
  absl::StatusOr<std::optional<absl::Time>> ReadClock() override { return std::nullopt; }
  absl::Status Probe() override { return database_->Probe(); }

 private:
  void Set(bool held) {
    MutexLock lock(&mutex_);
    held_ = held;
    changed_.SignalAll();
  }

  FakeDatabase* const database_;
  Mutex mutex_;
  CondVar changed_;
  bool held_ ABSL_GUARDED_BY(mutex_) = false;
  int begun_ ABSL_GUARDED_BY(mutex_) = 0;
};

class FakeReader final : public ReadBackend {
 public:
  explicit FakeReader(FakeDatabase* database) : database_(database) {}
  SharedReads& shared() override { return database_->shared(); }
  absl::StatusOr<SessionScan> ScanSessions(const SessionQuery& query) override {
    return database_->ScanSessions(query);
  }
  absl::StatusOr<std::vector<AskedCancel>> ListCancels(const std::string& m, const std::string& s,
                                                       int limit) override {
    return database_->ListCancels(m, s, limit);
  }
  absl::StatusOr<std::vector<StoredEvent>> ReadSessionEvents(const std::string& m,
                                                             const std::string& s, int64_t after,
                                                             int limit) override {
    return database_->ReadSessionEvents(m, s, after, limit);
  }
  absl::StatusOr<SessionRecord> FindSession(const std::string& m, const std::string& s) override {
    return database_->FindSession(m, s);
  }
  absl::StatusOr<SessionRecord> FindSessionByRequest(const std::string& m,
                                                     const std::string& r) override {
    return database_->FindSessionByRequest(m, r);
  }
  absl::StatusOr<IntentRecord> FindIntent(const std::string& m, const std::string& r) override {
    return database_->FindIntent(m, r);
  }
  absl::StatusOr<std::vector<IntentRecord>> ListIntents(const IntentQuery& query) override {
    return database_->ListIntents(query);
  }
  absl::StatusOr<std::vector<bool>> AreSettled(const std::vector<IntentKey>& creates) override {
    return database_->AreSettled(creates);
  }
  absl::StatusOr<IntentCounts> CountIntents() override { return database_->CountIntents(); }
  absl::StatusOr<OpenSessions> CountOpen(absl::Time overdue_before) override {
    return database_->CountOpen(overdue_before);
  }
  absl::StatusOr<std::vector<StoredEvent>> ReadEvents(int64_t after, int limit) override {
    return database_->ReadEvents(after, limit);
  }
  absl::StatusOr<int64_t> FindPosition(absl::Time time) override {
    return database_->FindPosition(time);
  }
  absl::StatusOr<LogBounds> ReadBounds() override {
    return static_cast<ReadBackend*>(database_)->ReadBounds();
  }
  absl::StatusOr<int64_t> SizeBytes() override { return database_->SizeBytes(); }

 private:
  FakeDatabase* const database_;
};

class QueuedStoreTest : public testing::Test {
 protected:
  QueuedStoreTest() { Open(true, 10000); }

  void Open(bool exclusive, size_t max_queue) {
    store_.reset();
    auto slow = std::make_unique<SlowDatabase>(&database_);
    slow_ = slow.get();
    Backend backend{.log_id = "0123456789abcdef",
                    .bounds = database_.With(&FakeDatabase::BoundsOf),
                    .exclusive = exclusive,
                    .name = {"path", "nowhere"},
                    .writer = std::move(slow),
                    .reader = std::make_unique<FakeReader>(&database_)};
    const QueueOptions options{.max_queue = max_queue,
                               .maintenance_interval = absl::Milliseconds(1)};
    store_ = std::make_unique<QueuedStore>(std::move(backend), options, &clock_, &metrics_);
  }

  static Transaction Appending() {
    Transaction transaction;
    transaction.decide = [](const Snapshot&) {
      Writes writes;
      writes.events.emplace_back().event.set_merchant_id("m");
      return writes;
    };
    return transaction;
  }
  std::future<absl::StatusOr<Committed>> Commit(Transaction transaction = Appending()) {
    auto promise = std::make_shared<std::promise<absl::StatusOr<Committed>>>();
    store_->Commit(std::move(transaction), [promise](absl::StatusOr<Committed> committed) {
      promise->set_value(std::move(committed));
    });
    return promise->get_future();
  }

  FakeClock clock_;
  Metrics metrics_;
  FakeDatabase database_{std::make_shared<FakeDisk>()};
  SlowDatabase* slow_ = nullptr;
  std::unique_ptr<QueuedStore> store_;
};

TEST_F(QueuedStoreTest, RefusesAtOnceWhileTheDiskHangs) {
  Open(true, 2);
  slow_->Hold();
  auto held = Commit();
  slow_->AwaitCommits(1);
  auto first = Commit();
  auto second = Commit();
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(Commit().get().status(), absl::ResourceExhaustedError("the store's queue is full"));
  }
  EXPECT_EQ(first.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
  slow_->Release();
  EXPECT_TRUE(held.get().ok());
  EXPECT_TRUE(first.get().ok());
  EXPECT_TRUE(second.get().ok());
}

// What follows a commit does not hold up the next one.
TEST_F(QueuedStoreTest, CommitsWhileACallbackRuns) {
  std::promise<void> entered, leave;
  store_->Commit(Appending(), [&](const absl::StatusOr<Committed>&) {
    entered.set_value();
    leave.get_future().wait();
  });
  entered.get_future().wait();
  auto next = Commit();
  slow_->AwaitCommits(2);
  leave.set_value();
  EXPECT_TRUE(next.get().ok());
}

TEST_F(QueuedStoreTest, GivesTheListenerTheRowsOfItsOwnLogOnly) {
  for (const bool exclusive : {true, false}) {
    Open(exclusive, 100);
    std::vector<StoredEvent> rows;
    int64_t last = 0;
    store_->SetListener([&](int64_t latest, std::vector<StoredEvent> appended) {
      last = latest;
      rows = std::move(appended);
    });
    const absl::StatusOr<Committed> committed = Commit().get();
    store_->SetListener(nullptr);
    ASSERT_TRUE(committed.ok());
    EXPECT_EQ(last, committed->positions.at(0));
    ASSERT_EQ(rows.size(), exclusive ? 1 : 0);
    if (exclusive) {
      EXPECT_EQ(rows[0].position, last);
      EXPECT_EQ(rows[0].merchant_id, "m");
    }
  }
}

// Another replica, or a failover, has changed the log behind this one.
TEST_F(QueuedStoreTest, BeginsOneEpochWhenTheLogHasLostEvents) {
  Open(false, 100);
  ASSERT_TRUE(Commit().get().ok());
  ASSERT_TRUE(Commit().get().ok());
  const LogBounds known = store_->bounds();
  database_.With([](FakeDisk& disk) {
    disk.events.pop_back();
    disk.latest = 1;
  });
  const LogBounds read = database_.With(&FakeDatabase::BoundsOf);
  store_->Learn(known, read);
  store_->Learn(known, read);
  Transaction nothing;
  nothing.decide = [](const Snapshot&) { return Writes(); };
  ASSERT_TRUE(Commit(nothing).get().ok());
  const LogBounds now = store_->bounds();
  ASSERT_EQ(now.epochs.size(), 2);
  EXPECT_EQ(now.epoch().starts_after, 1);
}

TEST_F(QueuedStoreTest, ShowsATroubleUntilACommitIsPossibleAgain) {
  database_.FailCommits(absl::UnavailableError("no disk"), std::numeric_limits<int>::max());
  EXPECT_FALSE(Commit().get().ok());
  EXPECT_FALSE(store_->health().ok());
  database_.FailCommits(absl::OkStatus(), 0);
  while (!store_->health().ok()) std::this_thread::yield();  // a probe of the writer finds it
  EXPECT_TRUE(Commit().get().ok());
}

// Each callback calls the store again, until it is refused: so the last one does while the store is
// being closed.
TEST_F(QueuedStoreTest, RefusesWhatACallbackAsksForWhileItIsClosed) {
  QueuedStore* const store = store_.get();
  std::promise<absl::Status> last_write, last_read;
  std::function<void()> write = [&] {
    store->Commit(Appending(), [&](const absl::StatusOr<Committed>& committed) {
      committed.ok() ? write() : last_write.set_value(committed.status());
    });
  };
  std::function<void()> read = [&] {
    store->CountIntents([&](const absl::StatusOr<IntentCounts>& counts) {
      counts.ok() ? read() : last_read.set_value(counts.status());
    });
  };
  write();
  read();
  ASSERT_TRUE(Commit().get().ok());
  store_.reset();
  EXPECT_TRUE(absl::IsCancelled(last_write.get_future().get()));
  EXPECT_TRUE(absl::IsCancelled(last_read.get_future().get()));
}

TEST_F(QueuedStoreTest, AnswersWhatStillWaitsWhenItIsClosed) {
  slow_->Hold();
  auto held = Commit();
  slow_->AwaitCommits(1);
  auto waiting = Commit();
  std::thread closing([this] { store_.reset(); });
  SlowDatabase* const slow = slow_;
  slow->Release();
  closing.join();
  EXPECT_TRUE(held.get().ok());
  const absl::StatusOr<Committed> answer = waiting.get();
  EXPECT_TRUE(answer.ok() || absl::IsCancelled(answer.status())) << answer.status();
}

}  // namespace
}  // namespace ipp::store
