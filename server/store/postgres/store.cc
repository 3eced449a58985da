#include "server/store/postgres/store.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "server/base/log.h"
#include "server/base/mutex.h"
#include "server/base/status_macros.h"
#include "server/base/thread_name.h"
#include "server/store/inbox.h"
#include "server/store/keepable.h"
#include "server/store/log_view.h"
#include "server/store/postgres/connection_settings.h"
#include "server/store/postgres/reader.h"
#include "server/store/postgres/reconnecting_connection.h"
#include "server/store/postgres/writer.h"
#include "server/store/read_queue.h"
#include "server/store/store_calls.h"

namespace ipp::store {
namespace {

using std::chrono::steady_clock;

// How long work under way may take to end when the store is closed.
constexpr std::chrono::seconds kGrace{2};
// The pause between two trimming steps when there is more to trim; commits run in between.
constexpr std::chrono::milliseconds kTrimPause{5};

void LogLoss(int64_t seen, int64_t there) {
  LogError(
      "the log in the database has lost events: was a standby that lagged promoted, or a "
      "backup restored?",
      {{"seen", absl::StrCat(seen)}, {"there", absl::StrCat(there)}});
}

class PostgresStore final : public Store {
 public:
  PostgresStore(const PostgresOptions& options, Clock* clock, Metrics* metrics, std::string log_id,
                LogBounds bounds);
  ~PostgresStore() override;

  void Commit(Transaction transaction,
              absl::AnyInvocable<void(absl::StatusOr<Committed>) &&> done) override {
    transaction.dedup_key = KeptDedupKey(std::move(transaction.dedup_key));
    writes_.Push(CommitCall{std::move(transaction), std::move(done)});
  }
  void LeaseDue(
      Lease lease,
      absl::AnyInvocable<void(absl::StatusOr<std::vector<SessionRecord>>) &&> done) override {
    writes_.Push(LeaseCall{std::move(lease), std::move(done)});
  }
  void FindSession(std::string merchant_id, std::string session_id,
                   absl::AnyInvocable<void(absl::StatusOr<SessionRecord>) &&> done) override;
  void FindSessionByRequest(
      std::string merchant_id, std::string request_id,
      absl::AnyInvocable<void(absl::StatusOr<SessionRecord>) &&> done) override;
  void OrphanIntents(
      Orphans which,
      absl::AnyInvocable<void(absl::StatusOr<std::vector<IntentRecord>>) &&> done) override {
    writes_.Push(OrphanCall{which, std::move(done)});
  }
  void FindIntent(std::string merchant_id, std::string request_id,
                  absl::AnyInvocable<void(absl::StatusOr<IntentRecord>) &&> done) override;
  void ListIntents(
      IntentQuery query,
      absl::AnyInvocable<void(absl::StatusOr<std::vector<IntentRecord>>) &&> done) override;
  void CountIntents(absl::AnyInvocable<void(absl::StatusOr<IntentCounts>) &&> done) override;
  bool exclusive() const override { return false; }
  void CountOpen(absl::Time overdue_before,
                 absl::AnyInvocable<void(absl::StatusOr<OpenSessions>) &&> done) override;
  void ReadEvents(
      int64_t after, int limit,
      absl::AnyInvocable<void(absl::StatusOr<std::vector<StoredEvent>>) &&> done) override;
  void FindPosition(absl::Time time,
                    absl::AnyInvocable<void(absl::StatusOr<int64_t>) &&> done) override;
  LogBounds bounds() const override { return log_.bounds(); }
  void RefreshBounds(absl::AnyInvocable<void(absl::StatusOr<LogBounds>) &&> done) override;
  void BeginEpoch(NewEpoch epoch,
                  absl::AnyInvocable<void(absl::StatusOr<LogBounds>) &&> done) override {
    writes_.Push(EpochCall{epoch, std::move(done)});
  }
  const std::string& log_id() const override { return log_id_; }
  void SetListener(std::function<void(int64_t latest)> listener) override {
    log_.SetListener(std::move(listener));
  }
  absl::Status health() const override;

 private:
  ReconnectingConnection::Options LinkOptions(const std::string& name, PostgresRole role,
                                              std::vector<PostgresStatement> statements,
                                              Metrics* metrics);
  void WriteLoop();
  void ListenLoop();
  void DoWrites(std::vector<WriteCall> writes);
  // Returns the error of the database; OK also when one transaction failed by a fault of its own.
  absl::Status CommitBatch(absl::Span<CommitCall> batch);
  absl::Status Do(LeaseCall& call) {
    if (ahead_of_monotonic_) call.lease.now = Now();
    return Tell(writer_.LeaseDue(call.lease), call);
  }
  absl::Status Do(OrphanCall& call) {
    // By the later clock, a create of another replica would be orphaned while it is under way.
    if (call.which.under_way_before == call.which.now) {
      call.which.under_way_before = std::min(call.which.now, Now());
    }
    return Tell(writer_.OrphanIntents(call.which), call);
  }
  // The time by the database's clock, once it was read: what replicas agree on must not depend on
  // which gateway's clock is wrong.
  absl::Time Now() {
    if (!ahead_of_monotonic_) return clock_->Now();
    return absl::UnixEpoch() + *ahead_of_monotonic_ + clock_->Monotonic();
  }
  absl::Status Do(EpochCall& call) {
    absl::StatusOr<LogBounds> begun = writer_.BeginEpoch(call.epoch);
    if (begun.ok()) log_.Learn(*begun);
    return Tell(std::move(begun), call);
  }
  // Begins an epoch if `now` lacks events or epochs of `known`, which must have been taken before
  // `now` was read.
  void NoteLoss(const LogBounds& known, const LogBounds& now);
  template <typename Result, typename Call>
  absl::Status Tell(Result result, Call& call);
  void TellFailed(WriteCall& write, const absl::Status& trouble);
  bool Maintain();  // true: there is more to do
  void Publish(const absl::Status& status);

  const PostgresOptions options_;
  Clock* const clock_;
  const std::string log_id_;
  const PostgresLimits limits_;
  Histogram& commit_seconds_;
  Counter& commits_;
  Counter& commit_failures_;
  Counter& events_appended_;
  Gauge& clock_difference_;
  LogView log_;
  std::atomic<bool> noting_loss_ = false;
  // Writer thread only.
  RetentionGuard retention_;
  std::optional<absl::Duration> ahead_of_monotonic_;
  bool failing_ = false;

  mutable Mutex mutex_;
  // Why the store cannot be written; empty when it can. Not an absl::Status: threads would share
  // its reference count, which the thread sanitizer cannot see in the packaged library.
  std::string trouble_ ABSL_GUARDED_BY(mutex_);

  StopSignal stop_;
  // Each is used by one thread only.
  ReconnectingConnection write_link_, read_link_, listen_link_;
  PostgresWriter writer_;
  PostgresReader reader_;
  PostgresReader tail_;

  Inbox<WriteCall> writes_;
  ReadQueue<PostgresReader> reads_;
  std::thread write_thread_;
  std::thread read_thread_;
  std::thread listen_thread_;
};

PostgresStore::PostgresStore(const PostgresOptions& options, Clock* clock, Metrics* metrics,
                             std::string log_id, LogBounds bounds)
    : options_(options),
      clock_(clock),
      log_id_(std::move(log_id)),
      limits_(absl::ToChronoNanoseconds(options.answer_timeout)),
      commit_seconds_(metrics->histogram("ipp_store_commit_seconds",
                                         "Time of one commit to the store, a batch each.")),
      commits_(metrics->counter("ipp_store_commits_total", "Transactions made durable.")),
      commit_failures_(
          metrics->counter("ipp_store_commit_failures_total", "Transactions that failed.")),
      events_appended_(
          metrics->counter("ipp_events_appended_total", "Events appended to the log.")),
      clock_difference_(metrics->gauge("ipp_store_clock_difference_seconds",
                                       "How far the gateway's clock is ahead of the database's.")),
      log_(bounds),
      retention_(options.retention, std::nullopt, clock, metrics),
      write_link_(LinkOptions("writer", PostgresRole::kWrite, PostgresWriterStatements(), metrics)),
      read_link_(LinkOptions("reader", PostgresRole::kRead, PostgresReaderStatements(), metrics)),
      listen_link_(
          LinkOptions("listener", PostgresRole::kListen, PostgresReaderStatements(), metrics)),
      writer_(&write_link_, limits_),
      reader_(&read_link_, limits_),
      tail_(&listen_link_, limits_),
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
    reads_.Run(&reader_);
  });
  listen_thread_ = std::thread([this] {
    NameThisThread("store-listener");
    ListenLoop();
  });
}

PostgresStore::~PostgresStore() {
  stop_.Stop();
  writes_.Stop();
  reads_.Stop();
  write_thread_.join();
  read_thread_.join();
  listen_thread_.join();
}

ReconnectingConnection::Options PostgresStore::LinkOptions(
    const std::string& name, PostgresRole role, std::vector<PostgresStatement> statements,
    Metrics* metrics) {
  return {.name = name,
          .files = {options_.dsn_file, options_.password_file},
          .role = role,
          .grace = kGrace,
          .stop = &stop_,
          .reconnects =
              &metrics->counter("ipp_store_reconnects_total",
                                "Connections to the database made again.", {{"connection", name}}),
          .set_up = [this, role, statements = std::move(statements)](PostgresConnection& made) {
            absl::Status status = SetUpConnection(made, role, limits_);
            if (status.ok()) status = CheckLog(made, log_id_, limits_).status();
            return status.ok() ? made.Prepare(statements, limits_.answer) : status;
          }};
}

// ---- The writer's thread. ----

void PostgresStore::WriteLoop() {
  const auto interval = absl::ToChronoNanoseconds(options_.maintenance_interval);
  auto maintain_at = steady_clock::now() + interval;
  while (true) {
    // After a failure take everything that waits, so that one failed attempt answers all calls, not
    // one batch at a time.
    Inbox<WriteCall>::Taken taken = writes_.Take(failing_ ? options_.max_queue : options_.max_batch,
                                                 maintain_at - steady_clock::now());
    if (taken.stopping) {
      for (WriteCall& write : taken.work) Refuse(write, Closing());
      return;
    }
    DoWrites(std::move(taken.work));
    // Under constant load maintenance still gets a step once per interval.
    if (steady_clock::now() < maintain_at) continue;
    const bool more = Maintain();
    maintain_at = steady_clock::now() + (more ? kTrimPause : interval);
  }
}

// Handles the calls in order. Adjacent transactions form one commit; a call of another kind ends
// it.
void PostgresStore::DoWrites(std::vector<WriteCall> writes) {
  absl::Status trouble;
  std::vector<CommitCall> batch;
  const auto commit = [&] {
    if (!batch.empty()) trouble = CommitBatch(absl::MakeSpan(batch));
    batch.clear();
  };
  for (WriteCall& write : writes) {
    auto* call = std::get_if<CommitCall>(&write);
    if (call == nullptr && trouble.ok()) commit();
    if (!trouble.ok()) {
      TellFailed(write, trouble);
    } else if (call != nullptr) {
      batch.push_back(std::move(*call));
      if (batch.size() == options_.max_batch) commit();
    } else if (auto* lease = std::get_if<LeaseCall>(&write)) {
      trouble = Do(*lease);
    } else if (auto* orphans = std::get_if<OrphanCall>(&write)) {
      trouble = Do(*orphans);
    } else {
      trouble = Do(std::get<EpochCall>(write));
    }
  }
  if (trouble.ok()) commit();
}

void PostgresStore::TellFailed(WriteCall& write, const absl::Status& trouble) {
  if (std::holds_alternative<CommitCall>(write)) commit_failures_.Add();
  Refuse(write, ForCaller(trouble));
}

template <typename Result, typename Call>
absl::Status PostgresStore::Tell(Result result, Call& call) {
  Publish(result.status());
  absl::Status trouble = result.status();
  std::move(call.done)(result.ok() ? std::move(result) : ForCaller(trouble));
  return trouble;
}

absl::Status PostgresStore::CommitBatch(absl::Span<CommitCall> batch) {
  std::vector<const Transaction*> transactions;
  transactions.reserve(batch.size());
  for (const CommitCall& call : batch) transactions.push_back(&call.transaction);

  const int64_t known = bounds().latest;
  const auto start = steady_clock::now();
  absl::StatusOr<PostgresWriter::Done> done = writer_.Commit(transactions, Now(), known);
  commit_seconds_.Observe(std::chrono::duration<double>(steady_clock::now() - start).count());

  const bool its_own = IsItsOwn(done.status());
  if (its_own && batch.size() > 1) {
    // One of them can never be written. Commit each alone, so that only that one fails.
    absl::Status trouble;
    for (CommitCall& call : batch) {
      if (trouble.ok()) {
        trouble = CommitBatch(absl::MakeSpan(&call, 1));
      } else {
        commit_failures_.Add();
        std::move(call.done)(ForCaller(trouble));
      }
    }
    return trouble;
  }
  // A transaction that broke a rule says nothing about the database.
  absl::Status trouble = its_own ? absl::OkStatus() : done.status();
  Publish(trouble);
  if (!done.ok()) {
    commit_failures_.Add(static_cast<double>(batch.size()));
    for (CommitCall& call : batch) std::move(call.done)(ForCaller(done.status()));
    return trouble;
  }
  commits_.Add(static_cast<double>(batch.size()));
  events_appended_.Add(static_cast<double>(done->latest - done->before));
  if (done->before < known) {
    LogLoss(known, done->before);
    if (const absl::StatusOr<LogBounds> now = writer_.ReadBounds(); now.ok()) log_.Learn(*now);
  } else {
    log_.Learn({.oldest = 0, .latest = done->latest});
  }
  for (size_t i = 0; i < batch.size(); ++i) {
    std::move(batch[i].done)(std::move(done->committed[i]));
  }
  return absl::OkStatus();
}

bool PostgresStore::Maintain() {
  if (failing_) {
    Publish(writer_.Probe());
    return false;
  }
  std::optional<absl::Time> database;
  if (options_.database_clock) {
    const absl::StatusOr<absl::Time> read = writer_.ReadClock();
    if (!read.ok()) {
      Publish(read.status());
      return false;
    }
    database = *read;
    ahead_of_monotonic_ = *read - absl::UnixEpoch() - clock_->Monotonic();
    clock_difference_.Set(absl::ToDoubleSeconds(clock_->Now() - *read));
  }
  const std::optional<Cutoffs> cutoffs = retention_.Next(database);
  if (!cutoffs) return false;
  const absl::StatusOr<bool> more = writer_.Trim(*cutoffs);
  Publish(more.status());
  return more.ok() && *more;
}

void PostgresStore::Publish(const absl::Status& status) {
  {
    MutexLock lock(&mutex_);
    trouble_ = std::string(ForCaller(status).message());
  }
  if (failing_ == !status.ok()) return;
  failing_ = !status.ok();
  if (status.ok()) {
    LogInfo("store can be written again", {{"dsn_file", options_.dsn_file}});
  } else if (!absl::IsCancelled(status)) {
    LogError("store cannot be written",
             {{"dsn_file", options_.dsn_file}, {"error", std::string(status.message())}});
  }
}

// ---- The listener's thread. ----

void PostgresStore::ListenLoop() {
  const auto interval = absl::ToChronoNanoseconds(options_.poll_interval);
  while (!stop_.stopped()) {
    if (!listen_link_.Get(ReconnectingConnection::InPause::kWait).ok()) continue;
    const LogBounds known = bounds();
    const absl::StatusOr<LogBounds> read = tail_.ReadBounds();
    if (!read.ok()) continue;
    NoteLoss(known, *read);
    log_.Learn(*read);
    const auto poll_at = steady_clock::now() + interval;
    while (true) {
      const absl::StatusOr<PostgresConnection*> connection =
          listen_link_.Get(ReconnectingConnection::InPause::kWait);
      if (!connection.ok()) break;
      const absl::StatusOr<int64_t> told =
          (*connection)->WaitForNotification(poll_at - steady_clock::now());
      if (!told.ok()) listen_link_.Drop(told.status());
      // Read the bounds again at the end of the interval (0), or when the position is new. The
      // position of one of our own commits is already known.
      if (!told.ok() || *told == 0 || *told > bounds().latest) break;
    }
  }
}

void PostgresStore::NoteLoss(const LogBounds& known, const LogBounds& now) {
  const std::optional<int64_t> after = LostAfter(known, now);
  if (!after || bounds().epochs != known.epochs || noting_loss_.exchange(true)) return;
  LogLoss(known.latest, now.latest);
  BeginEpoch({.starts_after = *after, .after_sequence = known.epoch().sequence},
             [this](const absl::StatusOr<LogBounds>&) {
               noting_loss_ = false;  // if it failed, the next poll detects the loss again
             });
}

// ---- Reads. ----

void PostgresStore::FindSession(std::string merchant_id, std::string session_id,
                                absl::AnyInvocable<void(absl::StatusOr<SessionRecord>) &&> done) {
  reads_.Push<SessionRecord>(
      [merchant_id = std::move(merchant_id), session_id = std::move(session_id)](
          PostgresReader* reader) { return reader->FindSession(merchant_id, session_id); },
      std::move(done));
}

void PostgresStore::FindSessionByRequest(
    std::string merchant_id, std::string request_id,
    absl::AnyInvocable<void(absl::StatusOr<SessionRecord>) &&> done) {
  reads_.Push<SessionRecord>(
      [merchant_id = std::move(merchant_id), request_id = std::move(request_id)](
          PostgresReader* reader) { return reader->FindSessionByRequest(merchant_id, request_id); },
      std::move(done));
}

void PostgresStore::FindIntent(std::string merchant_id, std::string request_id,
                               absl::AnyInvocable<void(absl::StatusOr<IntentRecord>) &&> done) {
  reads_.Push<IntentRecord>(
      [merchant_id = std::move(merchant_id), request_id = std::move(request_id)](
          PostgresReader* reader) { return reader->FindIntent(merchant_id, request_id); },
      std::move(done));
}

void PostgresStore::ListIntents(
    IntentQuery query,
    absl::AnyInvocable<void(absl::StatusOr<std::vector<IntentRecord>>) &&> done) {
  reads_.Push<std::vector<IntentRecord>>(
      [query = std::move(query)](PostgresReader* reader) { return reader->ListIntents(query); },
      std::move(done));
}

void PostgresStore::CountIntents(absl::AnyInvocable<void(absl::StatusOr<IntentCounts>) &&> done) {
  reads_.Push<IntentCounts>([](PostgresReader* reader) { return reader->CountIntents(); },
                            std::move(done));
}

void PostgresStore::CountOpen(absl::Time overdue_before,
                              absl::AnyInvocable<void(absl::StatusOr<OpenSessions>) &&> done) {
  reads_.Push<OpenSessions>(
      [overdue_before](PostgresReader* reader) { return reader->CountOpen(overdue_before); },
      std::move(done));
}

void PostgresStore::ReadEvents(
    int64_t after, int limit,
    absl::AnyInvocable<void(absl::StatusOr<std::vector<StoredEvent>>) &&> done) {
  reads_.Push<std::vector<StoredEvent>>(
      [after, limit](PostgresReader* reader) { return reader->ReadEvents(after, limit); },
      std::move(done));
}

void PostgresStore::FindPosition(absl::Time time,
                                 absl::AnyInvocable<void(absl::StatusOr<int64_t>) &&> done) {
  reads_.Push<int64_t>([time](PostgresReader* reader) { return reader->FindPosition(time); },
                       std::move(done));
}

void PostgresStore::RefreshBounds(absl::AnyInvocable<void(absl::StatusOr<LogBounds>) &&> done) {
  reads_.Push<LogBounds>(
      [this](PostgresReader* reader) -> absl::StatusOr<LogBounds> {
        IPP_ASSIGN_OR_RETURN(const LogBounds read, reader->ReadBounds());
        log_.Learn(read);
        return bounds();
      },
      std::move(done));
}

absl::Status PostgresStore::health() const {
  MutexLock lock(&mutex_);
  return trouble_.empty() ? absl::OkStatus() : absl::UnavailableError(trouble_);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Store>> OpenPostgresStore(PostgresOptions options, Clock* clock,
                                                         Metrics* metrics) {
  const PostgresLimits limits(absl::ToChronoNanoseconds(options.answer_timeout));
  const absl::StatusOr<LogAtStart> opened =
      OpenLog({options.dsn_file, options.password_file}, limits);
  if (!opened.ok()) {
    return absl::Status(opened.status().code(),
                        absl::StrCat("cannot open the store of ", options.dsn_file, ": ",
                                     opened.status().message()));
  }
  return std::make_unique<PostgresStore>(options, clock, metrics, opened->id, opened->bounds);
}

}  // namespace ipp::store
