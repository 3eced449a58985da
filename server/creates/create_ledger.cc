#include "server/creates/create_ledger.h"

#include <algorithm>
#include <any>
#include <limits>
#include <utility>

#include "absl/random/random.h"
#include "absl/strings/str_cat.h"
#include "server/base/error.h"
#include "server/base/log.h"

namespace ipp::creates {
namespace {

using store::IntentRecord;
using store::IntentState;

constexpr absl::Duration kCountInterval = absl::Seconds(10);
constexpr absl::Duration kLongestLook = absl::Milliseconds(500);
constexpr size_t kMostKept = 10'000;
constexpr char kCreateSession[] = "CreateSession";

std::string RandomId() {
  absl::BitGen random;
  return absl::StrCat(absl::Hex(absl::Uniform<uint64_t>(random), absl::kZeroPad16));
}

const char* OutcomeLabel(IntentState state) {
  switch (state) {
    case IntentState::kUnderWay:
      return "under_way";
    case IntentState::kNotSent:
      return "not_sent";
    case IntentState::kRejected:
      return "rejected";
    case IntentState::kExecuted:
      return "executed";
    case IntentState::kUnknown:
      return "unknown";
  }
  return "unknown";
}

}  // namespace

// A caller that waits for an answer.
struct CreateLedger::Waiter {
  Create create;
  absl::Time deadline;
  std::function<bool()> wanted;
  absl::AnyInvocable<void(absl::StatusOr<Reservation>) &&> done;
  bool may_send = true;  // may reserve the create if it was not sent
  absl::Duration pause;  // before the next read
};

CreateLedger::CreateLedger(store::Store* store, Clock* clock, Scheduler* scheduler,
                           Metrics* metrics, LedgerOptions options)
    : store_(store),
      clock_(clock),
      scheduler_(scheduler),
      metrics_(metrics),
      options_(options),
      owner_(RandomId()),
      orphaned_(metrics->counter("ipp_creates_orphaned_total",
                                 "Creates whose process died before their outcome was known.")),
      under_way_(metrics->gauge("ipp_creates_under_way", "Creates that are being sent.")),
      unknown_(metrics->gauge("ipp_creates_unknown", "Creates whose outcome is not known.")),
      oldest_unknown_(
          metrics->gauge("ipp_creates_oldest_unknown_seconds",
                         "Age of the oldest create whose outcome is not known; 0: none.")),
      sweeps_(scheduler, options.sweep, [this](PeriodicTask::Run run) {
        // At the start, if no other process can use the store, every owner is dead.
        const bool all = !std::exchange(has_swept_, true) && store_->exclusive();
        Sweep(all, std::move(run));
      }) {
  // Create the counters at start-up, so that an alarm sees the first increment.
  for (const char* rpc : {"CreateSession", "CreateEnrollment", "CreateSimulatedDevice"}) {
    for (const char* result : {"sent", "replayed", "refused", "joined", "differs"}) {
      RequestCounter(rpc, result);
    }
    for (const IntentState state : {IntentState::kNotSent, IntentState::kRejected,
                                    IntentState::kExecuted, IntentState::kUnknown}) {
      CompletionCounter(rpc, state);
    }
  }
}

CreateLedger::~CreateLedger() {
  Stop();
  MutexLock lock(&mutex_);
  while (busy_ > 0) changed_.Wait(&mutex_);
}

void CreateLedger::Start() {
  {
    MutexLock lock(&mutex_);
    running_ = true;
  }
  sweeps_.Start();
}

void CreateLedger::Stop() {
  {
    MutexLock lock(&mutex_);
    running_ = false;
  }
  sweeps_.Stop();
}

Counter& CreateLedger::RequestCounter(const std::string& rpc, const char* result) {
  return metrics_->counter("ipp_creates_total", "Creates that callers asked for.",
                           {{"rpc", rpc}, {"result", result}});
}

Counter& CreateLedger::CompletionCounter(const std::string& rpc, IntentState state) {
  return metrics_->counter("ipp_creates_closed_total", "Creates by what became of them.",
                           {{"rpc", rpc}, {"outcome", OutcomeLabel(state)}});
}

void CreateLedger::Reserve(Create create, absl::Time deadline, std::function<bool()> wanted,
                           absl::AnyInvocable<void(absl::StatusOr<Reservation>) &&> done) {
  auto waiter = std::make_shared<Waiter>();
  waiter->create = std::move(create);
  waiter->deadline = deadline;
  waiter->wanted = std::move(wanted);
  waiter->done = std::move(done);
  waiter->pause = options_.look;
  Reserve(std::move(waiter));
}

void CreateLedger::Reserve(std::shared_ptr<Waiter> waiter) {
  const auto reserved = std::make_shared<IntentRecord>();
  IntentRecord& fresh = *reserved;
  fresh.merchant_id = waiter->create.merchant_id;
  fresh.request_id = waiter->create.request_id;
  fresh.rpc = waiter->create.rpc;
  fresh.caller = waiter->create.caller;
  fresh.trace = waiter->create.trace;
  fresh.request = waiter->create.request;
  // Unique for this attempt: a commit that is tried again must recognise its own write.
  fresh.owner = absl::StrCat(owner_, "-", begun_.fetch_add(1));
  fresh.created_at = fresh.updated_at = store_->Now();
  fresh.under_way_until = fresh.created_at + options_.under_way;
  fresh.settle_by =
      fresh.created_at + (waiter->create.discoverable ? options_.settle : absl::ZeroDuration());

  store::Transaction transaction;
  transaction.merchant_id = fresh.merchant_id;
  transaction.request_id = fresh.request_id;
  transaction.ask_created = fresh.rpc == kCreateSession;
  transaction.decide = [reserved](const store::Snapshot& snapshot) {
    return DecideReservation(*reserved, snapshot);
  };
  store_->Commit(std::move(transaction),
                 [this, waiter, reserved](absl::StatusOr<store::Committed> committed) mutable {
                   if (!committed.ok()) {
                     QueueRetry({clock_->Monotonic() + options_.settle, Release(*reserved)});
                     return std::move(waiter->done)(committed.status());
                   }
                   const std::string& rpc = waiter->create.rpc;
                   auto reservation = std::any_cast<Reservation>(std::move(committed->decided));
                   switch (reservation.what) {
                     case Reservation::kSend:
                       RequestCounter(rpc, "sent").Add();
                       break;
                     case Reservation::kReplay:
                       RequestCounter(rpc, "replayed").Add();
                       break;
                     case Reservation::kRefuse:
                       RequestCounter(rpc, "refused").Add();
                       break;
                     case Reservation::kDiffers:
                       RequestCounter(rpc, "differs").Add();
                       break;
                     case Reservation::kUnsettled:
                       RequestCounter(rpc, "joined").Add();
                       return OnPoll(std::move(waiter), std::move(reservation.known));
                   }
                   std::move(waiter->done)(std::move(reservation));
                 });
}

void CreateLedger::AwaitOutcome(std::string merchant_id, std::string request_id, absl::Time until,
                                std::function<bool()> wanted,
                                absl::AnyInvocable<void(absl::StatusOr<Reservation>) &&> done) {
  auto waiter = std::make_shared<Waiter>();
  waiter->create.merchant_id = std::move(merchant_id);
  waiter->create.request_id = std::move(request_id);
  waiter->deadline = until;
  waiter->wanted = std::move(wanted);
  waiter->done = std::move(done);
  waiter->may_send = false;
  waiter->pause = options_.look;
  Poll(std::move(waiter));
}

void CreateLedger::Poll(std::shared_ptr<Waiter> waiter) {
  const Create& create = waiter->create;
  store_->FindIntent(create.merchant_id, create.request_id,
                     [this, waiter](absl::StatusOr<IntentRecord> intent) mutable {
                       OnPoll(std::move(waiter), std::move(intent));
                     });
}

void CreateLedger::OnPoll(std::shared_ptr<Waiter> waiter, absl::StatusOr<IntentRecord> intent) {
  if (!intent.ok()) return std::move(waiter->done)(intent.status());
  if (IsSettled(intent->state)) return std::move(waiter->done)(OfSettledIntent(*std::move(intent)));
  // Its owner did not send it. Reserve it for this call.
  if (intent->state == IntentState::kNotSent && waiter->may_send) return Reserve(std::move(waiter));
  if (!waiter->wanted()) {
    return std::move(waiter->done)(absl::CancelledError("the caller no longer waits"));
  }
  const bool hopeless =
      intent->state == IntentState::kUnknown && store_->Now() >= intent->settle_by;
  const absl::Time now = clock_->Now();
  if (hopeless || now >= waiter->deadline || intent->state == IntentState::kNotSent) {
    return std::move(waiter->done)(Reservation{Reservation::kUnsettled, *std::move(intent)});
  }
  const absl::Duration pause = std::min(waiter->pause, waiter->deadline - now);
  waiter->pause = std::min(waiter->pause * 1.5, kLongestLook);
  scheduler_->RunAfter(pause, [this, waiter]() mutable { Poll(std::move(waiter)); });
}

CreateLedger::Write CreateLedger::Completion(const IntentRecord& reserved, IntentState state,
                                             std::string answer) {
  return [this, state, merchant_id = reserved.merchant_id, request_id = reserved.request_id,
          owner = reserved.owner, answer = std::move(answer), now = store_->Now()](Written done) {
    store::Transaction transaction;
    transaction.merchant_id = merchant_id;
    transaction.request_id = request_id;
    // `decided` is the RPC, if this write closed the create.
    transaction.decide = [state, answer, owner, now](const store::Snapshot& snapshot) {
      // Settled meanwhile, or reserved by another attempt: do not overwrite that.
      if (!snapshot.intent || IsSettled(snapshot.intent->state) ||
          snapshot.intent->owner != owner) {
        return store::Writes{};
      }
      IntentRecord intent = *snapshot.intent;
      intent.state = state;
      intent.answer = answer;
      intent.updated_at = now;
      std::any rpc = intent.rpc;
      return store::Writes{.intent = std::move(intent), .decided = std::move(rpc)};
    };
    store_->Commit(std::move(transaction), [this, state, done = std::move(done)](
                                               absl::StatusOr<store::Committed> committed) mutable {
      if (committed.ok() && committed->decided.has_value()) {
        CompletionCounter(std::any_cast<const std::string&>(committed->decided), state).Add();
      }
      std::move(done)(committed.status());
    });
  };
}

CreateLedger::Write CreateLedger::Release(const IntentRecord& intent) {
  return [this, merchant_id = intent.merchant_id, request_id = intent.request_id,
          owner = intent.owner](Written done) {
    store::Transaction transaction;
    transaction.merchant_id = merchant_id;
    transaction.request_id = request_id;
    transaction.decide = [owner, now = store_->Now()](const store::Snapshot& snapshot) {
      if (!snapshot.intent || IsSettled(snapshot.intent->state) ||
          snapshot.intent->owner != owner) {
        return store::Writes{};
      }
      IntentRecord intent = *snapshot.intent;
      intent.state = IntentState::kNotSent;
      intent.updated_at = now;
      return store::Writes{.session = {}, .events = {}, .intent = std::move(intent)};
    };
    store_->Commit(std::move(transaction),
                   [done = std::move(done)](absl::StatusOr<store::Committed> committed) mutable {
                     std::move(done)(committed.status());
                   });
  };
}

void CreateLedger::Complete(Write write, Written done) {
  Run({clock_->Monotonic() + options_.settle, std::move(write)}, std::move(done));
}

void CreateLedger::Run(PendingWrite kept, Written done) {
  {
    MutexLock lock(&mutex_);
    ++busy_;
  }
  // Shared: calling `write` may run the callback, and destroy it, before the call returns.
  const auto shared = std::make_shared<PendingWrite>(std::move(kept));
  shared->write([this, shared, done = std::move(done)](const absl::Status& status) mutable {
    if (!status.ok()) QueueRetry(*shared);
    std::move(done)(status);
    MutexLock lock(&mutex_);
    --busy_;
    changed_.SignalAll();
  });
}

void CreateLedger::QueueRetry(PendingWrite kept) {
  MutexLock lock(&mutex_);
  if (running_ && clock_->Monotonic() < kept.until && again_.size() < kMostKept) {
    again_.push_back(std::move(kept));
  }
}

void CreateLedger::WriteAgain() {
  std::vector<PendingWrite> again;
  {
    MutexLock lock(&mutex_);
    again.swap(again_);
  }
  for (PendingWrite& kept : again) Run(std::move(kept), [](const absl::Status&) {});
}

void CreateLedger::Sweep(bool all, PeriodicTask::Run run) {
  WriteAgain();
  store::Orphans which;
  which.now = store_->Now();
  which.under_way_before = all ? absl::InfiniteFuture() : which.now;
  // In one call: a second one would also orphan creates that began since.
  if (all) which.limit = std::numeric_limits<int>::max();
  store_->OrphanIntents(which, [this, all, which, run = std::move(run)](
                                   absl::StatusOr<std::vector<IntentRecord>> gone) mutable {
    if (gone.ok()) {
      orphaned_.Add(static_cast<double>(gone->size()));
      for (const IntentRecord& orphan : *gone) {
        LogWarning("a create was cut off, its outcome is not known",
                   {{"rpc", orphan.rpc},
                    {"merchant", orphan.merchant_id},
                    {"request_id", orphan.request_id},
                    {"trace_id", std::string(orphan.trace.trace_id())}});
      }
      if (static_cast<int>(gone->size()) == which.limit) return Sweep(all, std::move(run));
    }
    CountOpen(std::move(run));
  });
}

void CreateLedger::CountOpen(PeriodicTask::Run run) {
  {
    MutexLock lock(&mutex_);
    const absl::Duration now = clock_->Monotonic();
    if (!running_ || now < count_at_) return;
    count_at_ = now + kCountInterval;
  }
  store_->CountIntents([this, run = std::move(run)](absl::StatusOr<store::IntentCounts> counts) {
    if (counts.ok()) {
      under_way_.Set(static_cast<double>(counts->under_way));
      unknown_.Set(static_cast<double>(counts->unknown));
      oldest_unknown_.Set(
          counts->unknown == 0
              ? 0
              : std::max(0.0, absl::ToDoubleSeconds(store_->Now() - counts->oldest_unknown)));
    }
  });
}

}  // namespace ipp::creates
