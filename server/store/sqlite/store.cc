#include "server/store/sqlite/store.h"

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "server/base/log.h"
#include "server/base/mutex.h"
#include "server/base/status_macros.h"
#include "server/base/thread_name.h"
#include "server/store/file_lock.h"
#include "server/store/inbox.h"
#include "server/store/keepable.h"
#include "server/store/listener_slot.h"
#include "server/store/read_queue.h"
#include "server/store/sqlite/files.h"
#include "server/store/sqlite/reader.h"
#include "server/store/sqlite/writer.h"
#include "server/store/store_calls.h"

namespace ipp::store {
namespace {

using std::chrono::steady_clock;

// How often the store at least records that it is in use.
constexpr absl::Duration kNoteUse = absl::Minutes(1);

class SqliteStore final : public Store {
 public:
  SqliteStore(const SqliteOptions& options, Clock* clock, Metrics* metrics,
              std::unique_ptr<FileLock> lock, std::unique_ptr<SqliteWriter> writer,
              std::unique_ptr<SqliteReader> reader);
  ~SqliteStore() override;

  void Commit(Transaction transaction,
              absl::AnyInvocable<void(absl::StatusOr<Committed>) &&> done) override;
  void FindSession(std::string merchant_id, std::string session_id,
                   absl::AnyInvocable<void(absl::StatusOr<SessionRecord>) &&> done) override;
  void FindSessionByRequest(
      std::string merchant_id, std::string request_id,
      absl::AnyInvocable<void(absl::StatusOr<SessionRecord>) &&> done) override;
  void LeaseDue(
      Lease lease,
      absl::AnyInvocable<void(absl::StatusOr<std::vector<SessionRecord>>) &&> done) override {
    writes_.Push(LeaseCall{std::move(lease), std::move(done)});
  }
  void FindIntent(std::string merchant_id, std::string request_id,
                  absl::AnyInvocable<void(absl::StatusOr<IntentRecord>) &&> done) override;
  void ListIntents(
      IntentQuery query,
      absl::AnyInvocable<void(absl::StatusOr<std::vector<IntentRecord>>) &&> done) override;
  void CountIntents(absl::AnyInvocable<void(absl::StatusOr<IntentCounts>) &&> done) override;
  void OrphanIntents(
      Orphans which,
      absl::AnyInvocable<void(absl::StatusOr<std::vector<IntentRecord>>) &&> done) override {
    writes_.Push(OrphanCall{which, std::move(done)});
  }
  bool exclusive() const override { return true; }
  void CountOpen(absl::Time overdue_before,
                 absl::AnyInvocable<void(absl::StatusOr<OpenSessions>) &&> done) override;
  void ReadEvents(
      int64_t after, int limit,
      absl::AnyInvocable<void(absl::StatusOr<std::vector<StoredEvent>>) &&> done) override;
  void FindPosition(absl::Time time,
                    absl::AnyInvocable<void(absl::StatusOr<int64_t>) &&> done) override;
  LogBounds bounds() const override;
  void RefreshBounds(absl::AnyInvocable<void(absl::StatusOr<LogBounds>) &&> done) override;
  void BeginEpoch(NewEpoch epoch,
                  absl::AnyInvocable<void(absl::StatusOr<LogBounds>) &&> done) override {
    writes_.Push(EpochCall{epoch, std::move(done)});
  }
  const std::string& log_id() const override { return log_id_; }
  void SetListener(std::function<void(int64_t latest)> listener) override {
    listener_.Set(std::move(listener));
  }
  absl::Status health() const override;

 private:
  void WriteLoop();
  void DoWrites(std::vector<WriteCall> writes);
  void Do(LeaseCall& call) { Tell(writer_->LeaseDue(call.lease), call); }
  void Do(OrphanCall& call) { Tell(writer_->OrphanIntents(call.which), call); }
  void Do(EpochCall& call);
  template <typename Result, typename Call>
  void Tell(Result result, Call& call);
  void CommitBatch(absl::Span<CommitCall> batch);
  void Maintain();
  void Publish(const absl::Status& status);

  const SqliteOptions options_;
  Clock* const clock_;
  Histogram& commit_seconds_;
  Counter& commits_;
  Counter& commit_failures_;
  Counter& events_appended_;
  const std::unique_ptr<FileLock> lock_;        // outlives both connections
  const std::unique_ptr<SqliteWriter> writer_;  // writer thread only
  const std::unique_ptr<SqliteReader> reader_;  // reader thread only
  const std::string log_id_;
  ListenerSlot listener_;
  RetentionGuard retention_;  // writer thread only
  bool trim_more_ = false;    // writer thread only
  bool failing_ = false;      // writer thread only

  mutable Mutex mutex_;
  LogBounds bounds_ ABSL_GUARDED_BY(mutex_);
  // Why the store cannot be written; empty when it can. Not an absl::Status: threads would share
  // its reference count, which the thread sanitizer cannot see in the packaged library.
  std::string trouble_ ABSL_GUARDED_BY(mutex_);

  Inbox<WriteCall> writes_;
  ReadQueue<SqliteReader> reads_;
  std::thread write_thread_;
  std::thread read_thread_;
};

SqliteStore::SqliteStore(const SqliteOptions& options, Clock* clock, Metrics* metrics,
                         std::unique_ptr<FileLock> lock, std::unique_ptr<SqliteWriter> writer,
                         std::unique_ptr<SqliteReader> reader)
    : options_(options),
      clock_(clock),
      commit_seconds_(metrics->histogram("ipp_store_commit_seconds",
                                         "Time of one commit to the store, a batch each.")),
      commits_(metrics->counter("ipp_store_commits_total", "Transactions made durable.")),
      commit_failures_(
          metrics->counter("ipp_store_commit_failures_total", "Transactions that failed.")),
      events_appended_(
          metrics->counter("ipp_events_appended_total", "Events appended to the log.")),
      lock_(std::move(lock)),
      writer_(std::move(writer)),
      reader_(std::move(reader)),
      log_id_(writer_->log_id()),
      retention_(options.retention, writer_->last_used(), clock, metrics),
      bounds_(writer_->bounds()),
      writes_(options.max_queue,
              &metrics->gauge("ipp_store_queue_depth", "Calls that wait for the store.",
                              {{"queue", "write"}}),
              [](WriteCall& write) { Refuse(write, QueueFull()); }),
      reads_(options.max_queue,
             &metrics->gauge("ipp_store_queue_depth", "Calls that wait for the store.",
                             {{"queue", "read"}})) {
  write_thread_ = std::thread([this] {
    NameThisThread("store-writer");
    WriteLoop();
  });
  read_thread_ = std::thread([this] {
    NameThisThread("store-reader");
    reads_.Run(reader_.get());
  });
}

SqliteStore::~SqliteStore() {
  writes_.Stop();
  reads_.Stop();
  write_thread_.join();
  read_thread_.join();
}

void SqliteStore::Commit(Transaction transaction,
                         absl::AnyInvocable<void(absl::StatusOr<Committed>) &&> done) {
  transaction.dedup_key = KeptDedupKey(std::move(transaction.dedup_key));
  writes_.Push(CommitCall{std::move(transaction), std::move(done)});
}

void SqliteStore::WriteLoop() {
  const auto interval = absl::ToChronoNanoseconds(options_.maintenance_interval);
  auto maintain_at = steady_clock::now() + interval;
  while (true) {
    const auto patience =
        trim_more_ ? steady_clock::duration::zero() : maintain_at - steady_clock::now();
    Inbox<WriteCall>::Taken taken = writes_.Take(options_.max_batch, patience);
    if (taken.stopping) {
      for (WriteCall& write : taken.work) Refuse(write, Closing());
      return;
    }
    const bool idle = taken.work.empty();
    DoWrites(std::move(taken.work));
    // Under constant load maintenance still gets a step once per interval.
    if ((idle && trim_more_) || steady_clock::now() >= maintain_at) {
      Maintain();
      maintain_at = steady_clock::now() + interval;
    }
  }
}

// Handles the calls in order. Adjacent transactions form one commit; a call of another kind ends
// it.
void SqliteStore::DoWrites(std::vector<WriteCall> writes) {
  std::vector<CommitCall> batch;
  for (WriteCall& write : writes) {
    if (auto* commit = std::get_if<CommitCall>(&write)) {
      batch.push_back(std::move(*commit));
      continue;
    }
    if (!batch.empty()) CommitBatch(absl::MakeSpan(batch));
    batch.clear();
    if (auto* lease = std::get_if<LeaseCall>(&write)) {
      Do(*lease);
    } else if (auto* orphans = std::get_if<OrphanCall>(&write)) {
      Do(*orphans);
    } else {
      Do(std::get<EpochCall>(write));
    }
  }
  if (!batch.empty()) CommitBatch(absl::MakeSpan(batch));
}

void SqliteStore::Do(EpochCall& call) {
  absl::StatusOr<LogBounds> begun = writer_->BeginEpoch(call.epoch);
  Publish(begun.status());
  if (begun.ok()) listener_.Run(begun->latest);
  std::move(call.done)(begun.ok() ? std::move(begun) : ForCaller(begun.status()));
}

template <typename Result, typename Call>
void SqliteStore::Tell(Result result, Call& call) {
  Publish(result.status());
  std::move(call.done)(result.ok() ? std::move(result) : ForCaller(result.status()));
}

void SqliteStore::CommitBatch(absl::Span<CommitCall> batch) {
  std::vector<const Transaction*> transactions;
  transactions.reserve(batch.size());
  for (const CommitCall& write : batch) transactions.push_back(&write.transaction);

  const auto start = steady_clock::now();
  absl::StatusOr<std::vector<Committed>> committed = writer_->Commit(transactions, clock_->Now());
  commit_seconds_.Observe(std::chrono::duration<double>(steady_clock::now() - start).count());

  const bool its_own = IsItsOwn(committed.status());
  if (its_own && batch.size() > 1) {
    // One of them can never be written. Commit each alone, so that only that one fails.
    for (CommitCall& write : batch) CommitBatch(absl::MakeSpan(&write, 1));
    return;
  }
  // A transaction that broke a rule says nothing about the file.
  Publish(its_own ? absl::OkStatus() : committed.status());
  if (!committed.ok()) {
    commit_failures_.Add(static_cast<double>(batch.size()));
    for (CommitCall& write : batch) std::move(write.done)(ForCaller(committed.status()));
    return;
  }
  commits_.Add(static_cast<double>(batch.size()));
  size_t appended = 0;
  for (const Committed& one : *committed) appended += one.positions.size();
  if (appended > 0) {
    events_appended_.Add(static_cast<double>(appended));
    listener_.Run(writer_->bounds().latest);
  }
  for (size_t i = 0; i < batch.size(); ++i) std::move(batch[i].done)(std::move((*committed)[i]));
}

void SqliteStore::Maintain() {
  trim_more_ = false;
  if (failing_) {
    Publish(writer_->Probe());
    return;
  }
  const std::optional<Cutoffs> cutoffs = retention_.Next();
  if (!cutoffs) return;
  const absl::StatusOr<bool> more = writer_->Trim(*cutoffs);
  trim_more_ = more.ok() && *more;
  absl::Status status = more.status();
  const absl::Time now = clock_->Now();
  if (status.ok() && now - writer_->last_used().value_or(absl::InfinitePast()) >= kNoteUse) {
    status = writer_->NoteUse(now);
  }
  Publish(status);
}

void SqliteStore::Publish(const absl::Status& status) {
  {
    MutexLock lock(&mutex_);
    bounds_ = writer_->bounds();
    trouble_ = std::string(ForCaller(status).message());
  }
  if (failing_ == !status.ok()) return;
  failing_ = !status.ok();
  if (status.ok()) {
    LogInfo("store can be written again", {{"path", options_.path}});
  } else {
    LogError("store cannot be written",
             {{"path", options_.path}, {"error", std::string(status.message())}});
  }
}

void SqliteStore::FindSession(std::string merchant_id, std::string session_id,
                              absl::AnyInvocable<void(absl::StatusOr<SessionRecord>) &&> done) {
  reads_.Push<SessionRecord>(
      [merchant_id = std::move(merchant_id), session_id = std::move(session_id)](
          SqliteReader* reader) { return reader->FindSession(merchant_id, session_id); },
      std::move(done));
}

void SqliteStore::FindSessionByRequest(
    std::string merchant_id, std::string request_id,
    absl::AnyInvocable<void(absl::StatusOr<SessionRecord>) &&> done) {
  reads_.Push<SessionRecord>(
      [merchant_id = std::move(merchant_id), request_id = std::move(request_id)](
          SqliteReader* reader) { return reader->FindSessionByRequest(merchant_id, request_id); },
      std::move(done));
}

void SqliteStore::FindIntent(std::string merchant_id, std::string request_id,
                             absl::AnyInvocable<void(absl::StatusOr<IntentRecord>) &&> done) {
  reads_.Push<IntentRecord>(
      [merchant_id = std::move(merchant_id), request_id = std::move(request_id)](
          SqliteReader* reader) { return reader->FindIntent(merchant_id, request_id); },
      std::move(done));
}

void SqliteStore::ListIntents(
    IntentQuery query,
    absl::AnyInvocable<void(absl::StatusOr<std::vector<IntentRecord>>) &&> done) {
  reads_.Push<std::vector<IntentRecord>>(
      [query = std::move(query)](SqliteReader* reader) { return reader->ListIntents(query); },
      std::move(done));
}

void SqliteStore::CountIntents(absl::AnyInvocable<void(absl::StatusOr<IntentCounts>) &&> done) {
  reads_.Push<IntentCounts>([](SqliteReader* reader) { return reader->CountIntents(); },
                            std::move(done));
}

void SqliteStore::CountOpen(absl::Time overdue_before,
                            absl::AnyInvocable<void(absl::StatusOr<OpenSessions>) &&> done) {
  reads_.Push<OpenSessions>(
      [overdue_before](SqliteReader* reader) { return reader->CountOpen(overdue_before); },
      std::move(done));
}

// Reads the file: between a commit and its Publish() the bounds in memory are older than what a
// read may already have seen.
void SqliteStore::RefreshBounds(absl::AnyInvocable<void(absl::StatusOr<LogBounds>) &&> done) {
  reads_.Push<LogBounds>(
      [this](SqliteReader* reader) -> absl::StatusOr<LogBounds> {
        IPP_ASSIGN_OR_RETURN(const LogBounds read, reader->ReadBounds());
        MutexLock lock(&mutex_);
        bounds_.oldest = std::max(bounds_.oldest, read.oldest);
        bounds_.latest = std::max(bounds_.latest, read.latest);
        return bounds_;
      },
      std::move(done));
}

void SqliteStore::ReadEvents(
    int64_t after, int limit,
    absl::AnyInvocable<void(absl::StatusOr<std::vector<StoredEvent>>) &&> done) {
  reads_.Push<std::vector<StoredEvent>>(
      [after, limit](SqliteReader* reader) { return reader->ReadEvents(after, limit); },
      std::move(done));
}

void SqliteStore::FindPosition(absl::Time time,
                               absl::AnyInvocable<void(absl::StatusOr<int64_t>) &&> done) {
  reads_.Push<int64_t>(
      [this, time](SqliteReader* reader) { return reader->FindPosition(time, bounds()); },
      std::move(done));
}

LogBounds SqliteStore::bounds() const {
  MutexLock lock(&mutex_);
  return bounds_;
}

absl::Status SqliteStore::health() const {
  MutexLock lock(&mutex_);
  return trouble_.empty() ? absl::OkStatus() : absl::UnavailableError(trouble_);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Store>> OpenSqliteStore(SqliteOptions options, Clock* clock,
                                                       Metrics* metrics) {
  IPP_ASSIGN_OR_RETURN(std::unique_ptr<FileLock> lock, FileLock::Acquire(options.path + ".lock"));
  IPP_RETURN_IF_ERROR(SecureSqliteFiles(options.path));
  IPP_ASSIGN_OR_RETURN(std::unique_ptr<SqliteWriter> writer, SqliteWriter::Open(options.path));
  IPP_ASSIGN_OR_RETURN(std::unique_ptr<SqliteReader> reader, SqliteReader::Open(options.path));
  return std::make_unique<SqliteStore>(options, clock, metrics, std::move(lock), std::move(writer),
                                       std::move(reader));
}

}  // namespace ipp::store
