#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "server/base/clock.h"
#include "server/base/metrics.h"
#include "server/base/mutex.h"
#include "server/store/answers.h"
#include "server/store/backend.h"
#include "server/store/inbox.h"
#include "server/store/log_view.h"
#include "server/store/retention.h"
#include "server/store/store.h"
#include "server/store/store_calls.h"

namespace ipp::store {

struct QueueOptions {
  size_t max_batch = 256;    // transactions in one commit
  size_t max_queue = 10000;  // a longer queue refuses calls: RESOURCE_EXHAUSTED
  Retention retention = {};  // open sessions are never removed
  // How often the writer, between commits, removes what is too old, or probes whether it can write
  // again after an error.
  absl::Duration maintenance_interval = absl::Seconds(1);
  // How often the reader, between two reads, measures the size of the store.
  absl::Duration size_interval = absl::Minutes(1);
};

// A Store over the synchronous calls of a database (backend.h). See store.h for the algorithm.
//
// Threads: a writer (group commit and maintenance), a reader, and one for callbacks (answers.h).
// The callbacks of reads run on the reader thread. All are joined by the destructor, which answers
// with CANCELLED what still waits.
//
// Time: where the database has a clock of its own it is read before the first commit and at each
// maintenance step, and what replicas must agree on (`recorded_at`, leases, orphans) follows it.
// Otherwise it would depend on which gateway's clock is wrong.
class QueuedStore : public Store {
 public:
  // `clock` and `metrics` must outlive the store.
  QueuedStore(Backend backend, const QueueOptions& options, Clock* clock, Metrics* metrics);
  ~QueuedStore() override;

  void Commit(Transaction transaction, Done<Committed> done) final;
  void FindSession(std::string merchant_id, std::string session_id, Done<SessionRecord> done) final;
  void FindSessionByRequest(std::string merchant_id, std::string request_id,
                            Done<SessionRecord> done) final;
  void LeaseDue(Lease lease, Done<std::vector<SessionRecord>> done) final;
  void CountOpen(absl::Time overdue_before, Done<OpenSessions> done) final;
  void SearchSessions(SessionQuery query, Done<SessionPage> done) final;
  void ListCancels(std::string merchant_id, std::string session_id, int limit,
                   Done<std::vector<AskedCancel>> done) final;
  void FindIntent(std::string merchant_id, std::string request_id, Done<IntentRecord> done) final;
  void ListIntents(IntentQuery query, Done<std::vector<IntentRecord>> done) final;
  void AreSettled(std::vector<IntentKey> creates, Done<std::vector<bool>> done) final;
  void CountIntents(Done<IntentCounts> done) final;
  void OrphanIntents(Orphans which, Done<std::vector<IntentRecord>> done) final;
  void ChangeShared(SharedChange change, Done<std::any> done) final;
  void ReadShared(SharedRead read, Done<std::any> done) final;
  absl::Time Now() const final;
  bool exclusive() const final { return exclusive_; }
  void ReadEvents(int64_t after, int limit, Done<std::vector<StoredEvent>> done) final;
  void ReadSessionEvents(std::string merchant_id, std::string session_id, int64_t after, int limit,
                         Done<std::vector<StoredEvent>> done) final;
  void FindPosition(absl::Time time, Done<int64_t> done) final;
  LogBounds bounds() const final { return log_.bounds(); }
  void RefreshBounds(Done<LogBounds> done) final;
  void BeginEpoch(NewEpoch epoch, Done<LogBounds> done) final;
  const std::string& log_id() const final { return log_id_; }
  void SetListener(Listener listener) final { log_.SetListener(std::move(listener)); }
  absl::Status health() const final;

  // Takes in the bounds that were read from a log to which other replicas append too. If `read`
  // lacks events or epochs of `known`, which must have been taken from bounds() before it was read,
  // the log has lost them, and an epoch begins. Thread-safe.
  void Learn(const LogBounds& known, const LogBounds& read);

 private:
  // Called with the reader, or with the error that the read is refused with.
  using Read = absl::AnyInvocable<void(absl::StatusOr<ReadBackend*>) &&>;

  void PushWrite(WriteCall call);
  template <typename T, typename F>
  void PushRead(F read, Done<T> done);

  // The writer thread.
  void WriteLoop();
  void DoWrites(std::vector<WriteCall> writes);
  // Each returns the error of the database; OK also when one transaction failed by a fault of its
  // own.
  absl::Status CommitBatch(std::vector<CommitCall> batch);
  // The changes of one batch; each fails if there is trouble.
  void DoShared(std::vector<SharedCall> changes, absl::Status trouble);
  absl::Status CommitShared(std::vector<SharedCall> batch);
  absl::Status Do(LeaseCall& call);
  absl::Status Do(OrphanCall& call);
  absl::Status Do(EpochCall& call);
  template <typename T>
  absl::Status Finish(absl::StatusOr<T> result, Done<T>& done);
  // `known`: the last position that this replica has seen.
  absl::StatusOr<BatchWrites> CommitNow(absl::Span<const Transaction* const> batch,
                                        const LogBounds& known);
  void Fail(WriteCall& call, const absl::Status& trouble);
  void Refuse(WriteCall& call, const absl::Status& status);  // any thread
  // Takes in what a commit has appended.
  void Publish(int64_t known, BatchWrites* writes);
  bool Maintain();                                // true: there is more to do
  bool Trim(std::optional<absl::Time> database);  // true: there is more to remove
  void SetDatabaseTime(absl::Time now);
  // Makes `status` the health of the store, and logs when that begins or ceases to be an error.
  void SetHealth(const absl::Status& status);

  // The reader thread.
  void ReadLoop();
  void MeasureSize();

  const QueueOptions options_;
  Clock* const clock_;
  Metrics* const metrics_;
  Histogram& commit_seconds_;
  Counter& commits_;
  Counter& commit_failures_;
  Counter& events_appended_;
  Gauge& size_bytes_;
  const std::shared_ptr<void> held_;            // outlives both halves
  const std::unique_ptr<WriteBackend> writer_;  // writer thread only
  const std::unique_ptr<ReadBackend> reader_;   // reader thread only
  const std::string log_id_;
  const bool exclusive_;
  const std::pair<std::string, std::string> name_;
  LogView log_;
  std::atomic<bool> noting_loss_ = false;
  // Writer thread only.
  RetentionGuard retention_;
  bool failing_ = false;

  mutable Mutex mutex_;
  // Why the store cannot be written; empty when it can. Not an absl::Status: threads would share
  // its reference count, which the thread sanitizer cannot see in the packaged library.
  std::string trouble_ ABSL_GUARDED_BY(mutex_);
  std::optional<absl::Duration> ahead_of_monotonic_ ABSL_GUARDED_BY(mutex_);  // database's clock

  Answers answers_;
  Inbox<WriteCall> writes_;
  Inbox<Read> reads_;
  std::thread write_thread_;
  std::thread read_thread_;
};

}  // namespace ipp::store
