#pragma once

#include <deque>
#include <iterator>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/base/mutex.h"
#include "server/base/status_macros.h"
#include "server/base/stored_message.h"
#include "server/store/batch.h"
#include "server/store/keepable.h"
#include "server/store/listener_slot.h"
#include "server/store/retention.h"
#include "server/store/store.h"
#include "tests/support/fake_database.h"

namespace ipp::store {

// A Store in memory that passes the stores' contract suite. Each transaction is a batch of its own.
//
// kThread: callbacks run on the fake's thread, as with a real store. kManual: nothing happens until
// the test calls RunAll(), and callbacks run inside that on the test's thread: no thread at all.
class FakeStore final : public Store {
 public:
  enum class Mode { kThread, kManual };

  explicit FakeStore(Clock* clock, Mode mode = Mode::kThread,
                     std::shared_ptr<FakeDisk> disk = std::make_shared<FakeDisk>(),
                     size_t max_queue = 10000)
      : clock_(clock), max_queue_(max_queue), log_id_(disk->log_id), database_(std::move(disk)) {
    if (mode == Mode::kThread) thread_ = std::thread([this] { Loop(); });
  }

  // What still waits gets CANCELLED, on this thread when there is no other.
  ~FakeStore() override {
    {
      MutexLock lock(&mutex_);
      stopping_ = true;
    }
    changed_.SignalAll();
    if (thread_.joinable()) thread_.join();
    std::deque<Work> waiting;
    {
      MutexLock lock(&mutex_);
      waiting.swap(refused_);
      std::move(queue_.begin(), queue_.end(), std::back_inserter(waiting));
      queue_.clear();
    }
    for (Work& work : waiting) std::move(work)(absl::CancelledError("the store is being closed"));
  }

  // ---- For tests. ----

  // Manual mode: does what waits, and what its callbacks ask for meanwhile. Returns how many calls
  // were done. Nothing while held.
  int RunAll() {
    int done = 0;
    while (RunOne()) ++done;
    return done;
  }
  // Calls wait, none is done, until Release().
  void Hold() { SetHeld(true); }
  void Release() { SetHeld(false); }
  // Calls that wait now.
  size_t waiting() const {
    MutexLock lock(&mutex_);
    return queue_.size();
  }
  // The next `count` commits write nothing and get `status`; health() too, until they are over.
  void FailCommits(absl::Status status, int count = 1) {
    database_.FailCommits(std::move(status), count);
  }
  // The next commit is written, and its caller gets `status`: the connection broke meanwhile.
  void LoseAnswer(absl::Status status) {
    MutexLock lock(&mutex_);
    lost_answer_ = std::move(status);
  }
  // The next commit is tried again after it was written: its transaction finds what it wrote.
  void CommitTwice() {
    MutexLock lock(&mutex_);
    twice_ = true;
  }
  // The next `count` reads get `status`.
  void FailReads(absl::Status status, int count = 1) {
    database_.FailReads(std::move(status), count);
  }
  // Retention: forgets the events before position `oldest`.
  void TrimBefore(int64_t oldest) {
    database_.With([oldest](FakeDisk& disk) {
      std::erase_if(disk.events, [oldest](const StoredEvent& e) { return e.position < oldest; });
    });
  }
  // As when a backup is restored that is older than they are.
  void ForgetIntents() {
    database_.With([](FakeDisk& disk) { disk.intents.clear(); });
  }
  // Retention: of every create only its end is left.
  void TrimIntents() {
    database_.With([](FakeDisk& disk) {
      for (auto& [key, intent] : disk.intents) intent = Tombstone(std::move(intent));
    });
  }
  // What happens to a database behind a gateway that runs: it holds the state of another time. From
  // then on the listener gets no rows, as for any database that others write, too.
  void Replace(const FakeDisk& with) {
    {
      MutexLock lock(&mutex_);
      gives_rows_ = false;
    }
    database_.With([&with](FakeDisk& disk) { disk = with; });
  }
  FakeDisk Copy() const {
    return database_.With([](const FakeDisk& disk) { return disk; });
  }
  // All events that are kept, with `recorded_at` and without cursor.
  std::vector<kustom::ipp::v1::SessionEvent> events() const {
    return database_.With([](const FakeDisk& disk) {
      std::vector<kustom::ipp::v1::SessionEvent> events;
      for (const StoredEvent& row : disk.events) {
        events.push_back(FromStored<kustom::ipp::v1::SessionEvent>(row.payload));
      }
      return events;
    });
  }
  // The store's time is by so much later than the clock's, as that of a database may be.
  void SetAhead(absl::Duration ahead) {
    MutexLock lock(&mutex_);
    ahead_ = ahead;
  }
  // Commits that were acknowledged.
  int commits() const {
    MutexLock lock(&mutex_);
    return commits_;
  }

  // ---- Store. ----

  void Commit(Transaction transaction, Done<Committed> done) override {
    transaction.dedup_key = KeptDedupKey(std::move(transaction.dedup_key));
    Enqueue([this, transaction = std::move(transaction),
             done = std::move(done)](absl::Status admitted) mutable {
      if (!admitted.ok()) return std::move(done)(admitted);
      std::move(done)(CommitAsTold(transaction));
    });
  }
  void FindSession(std::string merchant_id, std::string session_id,
                   Done<SessionRecord> done) override {
    Run(std::move(done), [=, this] { return database_.FindSession(merchant_id, session_id); });
  }
  void FindSessionByRequest(std::string merchant_id, std::string request_id,
                            Done<SessionRecord> done) override {
    Run(std::move(done),
        [=, this] { return database_.FindSessionByRequest(merchant_id, request_id); });
  }
  void LeaseDue(Lease lease, Done<std::vector<SessionRecord>> done) override {
    Run(std::move(done), [=, this] { return database_.LeaseDue(lease); });
  }
  void FindIntent(std::string merchant_id, std::string request_id,
                  Done<IntentRecord> done) override {
    Run(std::move(done), [=, this] { return database_.FindIntent(merchant_id, request_id); });
  }
  void ListIntents(IntentQuery query, Done<std::vector<IntentRecord>> done) override {
    Run(std::move(done), [=, this] { return database_.ListIntents(query); });
  }
  void AreSettled(std::vector<IntentKey> creates, Done<std::vector<bool>> done) override {
    Run(std::move(done), [=, this] { return database_.AreSettled(creates); });
  }
  void CountIntents(Done<IntentCounts> done) override {
    Run(std::move(done), [this] { return database_.CountIntents(); });
  }
  void OrphanIntents(Orphans which, Done<std::vector<IntentRecord>> done) override {
    Run(std::move(done), [=, this] { return database_.OrphanIntents(which); });
  }
  bool exclusive() const override { return true; }
  void CountOpen(absl::Time overdue_before, Done<OpenSessions> done) override {
    Run(std::move(done), [=, this] { return database_.CountOpen(overdue_before); });
  }
  void SearchSessions(SessionQuery query, Done<SessionPage> done) override {
    Run(std::move(done), [=, this]() -> absl::StatusOr<SessionPage> {
      absl::StatusOr<SessionScan> scan = database_.ScanSessions(query);
      if (!scan.ok()) return scan.status();
      return PageOf(query, *std::move(scan));
    });
  }
  void ListCancels(std::string merchant_id, std::string session_id, int limit,
                   Done<std::vector<AskedCancel>> done) override {
    Run(std::move(done),
        [=, this] { return database_.ListCancels(merchant_id, session_id, limit); });
  }
  void ReadSessionEvents(std::string merchant_id, std::string session_id, int64_t after, int limit,
                         Done<std::vector<StoredEvent>> done) override {
    Run(std::move(done),
        [=, this] { return database_.ReadSessionEvents(merchant_id, session_id, after, limit); });
  }
  void ReadEvents(int64_t after, int limit, Done<std::vector<StoredEvent>> done) override {
    Run(std::move(done), [=, this] { return database_.ReadEvents(after, limit); });
  }
  void FindPosition(absl::Time time, Done<int64_t> done) override {
    Run(std::move(done), [=, this] { return database_.FindPosition(time); });
  }
  void ChangeShared(SharedChange change, Done<std::any> done) override {
    Run(std::move(done), [=, this]() -> absl::StatusOr<std::any> {
      std::any result;
      const absl::Status changed =
          database_.InShared(clock_->Now(), [&](SharedTables& tables) -> absl::Status {
            absl::StatusOr<std::any> worked = change.work(tables);
            if (worked.ok()) result = *std::move(worked);
            return worked.status();
          });
      if (!changed.ok()) return changed;
      return result;
    });
  }
  void ReadShared(SharedRead read, Done<std::any> done) override {
    Run(std::move(done), [=, this] { return read(database_.shared()); });
  }
  absl::Time Now() const override {
    MutexLock lock(&mutex_);
    return clock_->Now() + ahead_;
  }
  LogBounds bounds() const override { return database_.With(&FakeDatabase::BoundsOf); }
  void BeginEpoch(NewEpoch epoch, Done<LogBounds> done) override {
    Run(std::move(done), [=, this] {
      absl::StatusOr<LogBounds> begun = database_.BeginEpoch(epoch);
      listener_.Run(begun->latest, {});
      return begun;
    });
  }
  void RefreshBounds(Done<LogBounds> done) override {
    Run(std::move(done), [this] { return database_.ReadBounds(); });
  }
  const std::string& log_id() const override { return log_id_; }
  void SetListener(Listener listener) override { listener_.Set(std::move(listener)); }
  absl::Status health() const override { return database_.commit_failure(); }

 private:
  using Work = absl::AnyInvocable<void(absl::Status admitted) &&>;

  void SetHeld(bool held) {
    {
      MutexLock lock(&mutex_);
      held_ = held;
    }
    changed_.SignalAll();
  }

  void Enqueue(Work work) {
    {
      MutexLock lock(&mutex_);
      if (queue_.size() >= max_queue_) {
        // Not inside the call that took it: refused calls have a place of their own.
        work = [work = std::move(work)](absl::Status) mutable {
          std::move(work)(absl::ResourceExhaustedError("the store's queue is full"));
        };
        refused_.push_back(std::move(work));
      } else {
        queue_.push_back(std::move(work));
      }
    }
    changed_.SignalAll();
  }

  template <typename T, typename F>
  void Run(Done<T> done, F call) {
    Enqueue([call = std::move(call), done = std::move(done)](absl::Status admitted) mutable {
      if (!admitted.ok()) return std::move(done)(admitted);
      std::move(done)(call());
    });
  }

  absl::StatusOr<Committed> CommitAsTold(const Transaction& transaction) {
    absl::Status lost;
    bool twice = false;
    {
      MutexLock lock(&mutex_);
      lost = std::exchange(lost_answer_, absl::OkStatus());
      twice = std::exchange(twice_, false);
    }
    absl::StatusOr<Committed> committed = CommitNow(transaction);
    if (twice) committed = CommitNow(transaction);
    if (!lost.ok()) return lost;
    return committed;
  }

  absl::StatusOr<Committed> CommitNow(const Transaction& transaction) {
    const Transaction* const batch[] = {&transaction};
    const absl::Time now = Now();
    IPP_ASSIGN_OR_RETURN(BatchReads reads, database_.Read(KeysOf(batch), now));
    IPP_ASSIGN_OR_RETURN(BatchWrites writes, Decide(batch, std::move(reads), now));
    IPP_RETURN_IF_ERROR(database_.Write(writes));
    bool gives_rows = false;
    {
      MutexLock lock(&mutex_);
      ++commits_;
      gives_rows = gives_rows_;
    }
    if (!writes.events.empty()) {
      if (!gives_rows) writes.events.clear();
      listener_.Run(writes.last_position, std::move(writes.events));
    }
    return std::move(writes.committed.front());
  }

  bool RunOne() {
    Work work;
    {
      MutexLock lock(&mutex_);
      std::deque<Work>& from = refused_.empty() ? queue_ : refused_;
      if (from.empty() || (held_ && &from == &queue_)) return false;
      work = std::move(from.front());
      from.pop_front();
    }
    std::move(work)(absl::OkStatus());
    return true;
  }

  void Loop() {
    while (true) {
      {
        MutexLock lock(&mutex_);
        while (!stopping_ && refused_.empty() && (held_ || queue_.empty())) changed_.Wait(&mutex_);
        if (stopping_ && refused_.empty()) return;
      }
      RunOne();
    }
  }

  Clock* const clock_;
  const size_t max_queue_;
  const std::string log_id_;
  FakeDatabase database_;
  ListenerSlot listener_;
  mutable Mutex mutex_;
  CondVar changed_;
  std::deque<Work> queue_ ABSL_GUARDED_BY(mutex_);
  std::deque<Work> refused_ ABSL_GUARDED_BY(mutex_);
  bool held_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Duration ahead_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool gives_rows_ ABSL_GUARDED_BY(mutex_) = true;
  absl::Status lost_answer_ ABSL_GUARDED_BY(mutex_);
  bool twice_ ABSL_GUARDED_BY(mutex_) = false;
  int commits_ ABSL_GUARDED_BY(mutex_) = 0;
  std::thread thread_;
};

}  // namespace ipp::store
