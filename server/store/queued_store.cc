#include "server/store/queued_store.h"

#include <algorithm>
#include <chrono>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "server/base/log.h"
#include "server/base/status_macros.h"
#include "server/base/this_thread.h"
#include "server/store/keepable.h"

namespace ipp::store {
namespace {

using std::chrono::steady_clock;

// The pause between two trimming steps when there is more to trim; commits run in between.
constexpr std::chrono::milliseconds kTrimPause{5};

void ReportLoss(int64_t seen, int64_t there) {
  LogError(
      "the log in the database has lost events: was a standby that lagged promoted, or a "
      "backup restored?",
      {{"seen", absl::StrCat(seen)}, {"there", absl::StrCat(there)}});
}

}  // namespace

QueuedStore::QueuedStore(Backend backend, const QueueOptions& options, Clock* clock,
                         Metrics* metrics)
    : options_(options),
      clock_(clock),
      metrics_(metrics),
      commit_seconds_(metrics->histogram("ipp_store_commit_seconds",
                                         "Time of one commit to the store, a batch each.")),
      commits_(metrics->counter("ipp_store_commits_total", "Transactions made durable.")),
      commit_failures_(
          metrics->counter("ipp_store_commit_failures_total", "Transactions that failed.")),
      events_appended_(
          metrics->counter("ipp_events_appended_total", "Events appended to the log.")),
      size_bytes_(metrics->gauge(
          "ipp_store_size_bytes",
          "Bytes that the store takes up, indexes included; measured once a minute.")),
      held_(std::move(backend.held)),
      writer_(std::move(backend.writer)),
      reader_(std::move(backend.reader)),
      log_id_(std::move(backend.log_id)),
      exclusive_(backend.exclusive),
      name_(std::move(backend.name)),
      log_(std::move(backend.bounds)),
      retention_(options.retention, backend.last_used, clock, metrics),
      writes_(options.max_queue,
              &metrics->gauge("ipp_store_queue_depth", "Calls that wait for the store.",
                              {{"queue", "write"}})),
      reads_(options.max_queue,
             &metrics->gauge("ipp_store_queue_depth", "Calls that wait for the store.",
                             {{"queue", "read"}})) {
  if (backend.now) SetDatabaseTime(*backend.now);
  write_thread_ = std::thread([this] {
    NameThisThread("store-writer");
    WakeThisThreadAtOnce();
    WriteLoop();
  });
  read_thread_ = std::thread([this] {
    NameThisThread("store-reader");
    WakeThisThreadAtOnce();
    ReadLoop();
  });
}

QueuedStore::~QueuedStore() {
  writes_.Stop();
  reads_.Stop();
  write_thread_.join();
  read_thread_.join();
  // Its callbacks may call the store once more: they get CANCELLED while everything is still there.
  answers_.Finish();
}

// ---- Writes. ----

void QueuedStore::PushWrite(WriteCall call) {
  if (!writes_.Push(call)) Refuse(call, writes_.stopped() ? Closing() : QueueFull());
}

void QueuedStore::Commit(Transaction transaction, Done<store::Committed> done) {
  transaction.dedup_key = KeptDedupKey(std::move(transaction.dedup_key));
  PushWrite(CommitCall{std::move(transaction), std::move(done)});
}

void QueuedStore::LeaseDue(Lease lease, Done<std::vector<SessionRecord>> done) {
  PushWrite(LeaseCall{std::move(lease), std::move(done)});
}

void QueuedStore::OrphanIntents(Orphans which, Done<std::vector<IntentRecord>> done) {
  PushWrite(OrphanCall{which, std::move(done)});
}

void QueuedStore::BeginEpoch(NewEpoch epoch, Done<LogBounds> done) {
  PushWrite(EpochCall{epoch, std::move(done)});
}

void QueuedStore::ChangeShared(SharedChange change, Done<std::any> done) {
  PushWrite(SharedCall{std::move(change), std::move(done)});
}

void QueuedStore::WriteLoop() {
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
// it. Changes of shared subscriptions concern other rows than everything else: they come last, in
// one transaction. After an error of the database the rest is not tried.
void QueuedStore::DoWrites(std::vector<WriteCall> writes) {
  absl::Status trouble;
  std::vector<CommitCall> batch;
  std::vector<SharedCall> shared;
  const auto commit = [&] {
    if (!batch.empty()) trouble = CommitBatch(std::move(batch));
    batch.clear();
  };
  for (WriteCall& write : writes) {
    if (auto* change = std::get_if<SharedCall>(&write)) {
      shared.push_back(std::move(*change));
      continue;
    }
    auto* transaction = std::get_if<CommitCall>(&write);
    if (transaction == nullptr && trouble.ok()) commit();
    if (!trouble.ok()) {
      Fail(write, trouble);
    } else if (transaction != nullptr) {
      batch.push_back(std::move(*transaction));
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
  DoShared(std::move(shared), trouble);
}

void QueuedStore::Fail(WriteCall& call, const absl::Status& trouble) {
  if (std::holds_alternative<CommitCall>(call)) commit_failures_.Add();
  Refuse(call, ForCaller(trouble));
}

void QueuedStore::Refuse(WriteCall& call, const absl::Status& status) {
  answers_.Push([call = std::move(call), code = status.code(),
                 message = std::string(status.message())]() mutable {
    std::visit([&](auto& refused) { std::move(refused.done)(absl::Status(code, message)); }, call);
  });
}

absl::StatusOr<BatchWrites> QueuedStore::CommitNow(absl::Span<const Transaction* const> batch,
                                                   const LogBounds& known) {
  const absl::Time now = Now();
  IPP_ASSIGN_OR_RETURN(BatchReads reads, writer_->Read(KeysOf(batch), now));
  const int64_t before = reads.last_position;
  absl::StatusOr<BatchWrites> writes = Decide(batch, std::move(reads), now);
  if (!writes.ok()) {
    writer_->Abandon(writes.status());
    return writes;
  }
  if (before < known.latest) writes->loss = {before, known.epoch().sequence};
  IPP_RETURN_IF_ERROR(writer_->Write(*writes));
  return writes;
}

absl::Status QueuedStore::CommitBatch(std::vector<CommitCall> batch) {
  std::vector<const Transaction*> transactions;
  transactions.reserve(batch.size());
  for (const CommitCall& call : batch) transactions.push_back(&call.transaction);

  const LogBounds known = bounds();
  const auto start = steady_clock::now();
  absl::StatusOr<BatchWrites> writes = CommitNow(transactions, known);
  commit_seconds_.Observe(std::chrono::duration<double>(steady_clock::now() - start).count());

  const bool its_own = IsItsOwn(writes.status());
  if (its_own && batch.size() > 1) {
    // One of them can never be written. Commit each alone, so that only that one fails.
    absl::Status trouble;
    for (CommitCall& call : batch) {
      if (trouble.ok()) {
        std::vector<CommitCall> alone;
        alone.push_back(std::move(call));
        trouble = CommitBatch(std::move(alone));
      } else {
        WriteCall left = std::move(call);
        Fail(left, trouble);
      }
    }
    return trouble;
  }
  // A transaction that broke a rule says nothing about the database.
  absl::Status trouble = its_own ? absl::OkStatus() : writes.status();
  SetHealth(trouble);
  if (!writes.ok()) {
    for (CommitCall& call : batch) {
      WriteCall failed = std::move(call);
      Fail(failed, writes.status());
    }
    return trouble;
  }
  commits_.Add(static_cast<double>(batch.size()));
  events_appended_.Add(static_cast<double>(writes->events.size()));
  Publish(known.latest, &*writes);
  answers_.Push([batch = std::move(batch), committed = std::move(writes->committed)]() mutable {
    for (size_t i = 0; i < batch.size(); ++i) {
      std::move(batch[i].done)(std::move(committed[i]));
    }
  });
  return absl::OkStatus();
}

void QueuedStore::Publish(int64_t known, BatchWrites* writes) {
  if (writes->loss) {
    ReportLoss(known, writes->loss->last_position);
    if (const absl::StatusOr<LogBounds> now = writer_->ReadBounds(); now.ok()) log_.Learn(*now);
    return;
  }
  log_.Learn({.oldest = 0, .latest = writes->last_position},
             exclusive_ ? std::move(writes->events) : std::vector<StoredEvent>());
}

template <typename T>
absl::Status QueuedStore::Finish(absl::StatusOr<T> result, Done<T>& done) {
  SetHealth(result.status());
  absl::Status trouble = result.status();
  answers_.Push([result = ResultForCaller(std::move(result)), done = std::move(done)]() mutable {
    std::move(done)(std::move(result));
  });
  return trouble;
}

absl::Status QueuedStore::Do(LeaseCall& call) {
  return Finish(writer_->LeaseDue(call.lease), call.done);
}

absl::Status QueuedStore::Do(OrphanCall& call) {
  return Finish(writer_->OrphanIntents(call.which), call.done);
}

absl::Status QueuedStore::Do(EpochCall& call) {
  absl::StatusOr<LogBounds> begun = writer_->BeginEpoch(call.epoch);
  if (begun.ok()) log_.Learn(*begun);
  return Finish(std::move(begun), call.done);
}

// ---- Maintenance. ----

absl::Time QueuedStore::Now() const {
  MutexLock lock(&mutex_);
  if (!ahead_of_monotonic_) return clock_->Now();
  return absl::UnixEpoch() + *ahead_of_monotonic_ + clock_->Monotonic();
}

void QueuedStore::SetDatabaseTime(absl::Time now) {
  {
    MutexLock lock(&mutex_);
    ahead_of_monotonic_ = now - absl::UnixEpoch() - clock_->Monotonic();
  }
  metrics_
      ->gauge("ipp_store_clock_difference_seconds",
              "How far the gateway's clock is ahead of the database's.")
      .Set(absl::ToDoubleSeconds(clock_->Now() - now));
}

bool QueuedStore::Maintain() {
  if (failing_) {
    SetHealth(writer_->Probe());
    return false;
  }
  const absl::StatusOr<std::optional<absl::Time>> database = writer_->ReadClock();
  if (!database.ok()) {
    SetHealth(database.status());
    return false;
  }
  if (*database) SetDatabaseTime(**database);
  const absl::StatusOr<bool> to_index = writer_->IndexSessions();
  SetHealth(to_index.status());
  if (!to_index.ok()) return false;
  return Trim(*database) || *to_index;
}

bool QueuedStore::Trim(std::optional<absl::Time> database) {
  const std::optional<Cutoffs> cutoffs = retention_.Next(database);
  if (!cutoffs) return false;
  const absl::StatusOr<WriteBackend::Trimmed> trimmed = writer_->Trim(*cutoffs, clock_->Now());
  SetHealth(trimmed.status());
  if (!trimmed.ok()) return false;
  log_.Learn({.oldest = trimmed->oldest, .latest = 0});
  return trimmed->more;
}

void QueuedStore::SetHealth(const absl::Status& status) {
  {
    MutexLock lock(&mutex_);
    trouble_ = std::string(ForCaller(status).message());
  }
  if (failing_ == !status.ok()) return;
  failing_ = !status.ok();
  if (status.ok()) {
    LogInfo("store can be written again", {{name_.first, name_.second}});
  } else if (!absl::IsCancelled(status)) {
    LogError("store cannot be written",
             {{name_.first, name_.second}, {"error", std::string(status.message())}});
  }
}

absl::Status QueuedStore::health() const {
  MutexLock lock(&mutex_);
  return trouble_.empty() ? absl::OkStatus() : absl::UnavailableError(trouble_);
}

void QueuedStore::Learn(const LogBounds& known, const LogBounds& read) {
  const std::optional<int64_t> after = LostAfter(known, read);
  if (after && bounds().epochs == known.epochs && !noting_loss_.exchange(true)) {
    ReportLoss(known.latest, read.latest);
    BeginEpoch({.starts_after = *after, .after_sequence = known.epoch().sequence},
               [this](const absl::StatusOr<LogBounds>&) {
                 noting_loss_ = false;  // if it failed, the next poll detects the loss again
               });
  }
  log_.Learn(read);
}

}  // namespace ipp::store
