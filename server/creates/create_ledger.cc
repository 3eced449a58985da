#include "server/creates/create_ledger.h"

#include <algorithm>
#include <any>
#include <limits>
#include <utility>

#include "absl/random/random.h"
#include "absl/strings/str_cat.h"
#include "server/base/error.h"
#include "server/base/log.h"
#include "server/creates/create_request.h"

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

bool IsSettled(IntentState state) {
  return state == IntentState::kExecuted || state == IntentState::kRejected;
}

// Handles a create that the ledger does not have, although a session with its request_id exists.
Begun KnownBySession(IntentRecord fresh, const kustom::ipp::v1::Session& session) {
  if (!MayHaveMade(fresh, session)) {
    // Rebuild the earlier request from the session, so that the error can name what differs.
    kustom::ipp::v1::CreateSessionRequest request;
    request.ParseFromString(fresh.request);
    request.set_device_id(session.device_id());
    request.set_order_amount(session.order_amount());
    request.set_purchase_currency(session.purchase_currency());
    fresh.request = request.SerializeAsString();
    fresh.state = IntentState::kExecuted;
    fresh.session_id = session.session_id();
    return {Begun::kDiffers, std::move(fresh)};
  }
  fresh.state = IntentState::kExecuted;
  fresh.session_id = session.session_id();
  fresh.answer = AnswerOf(session);
  return {Begun::kReplay, std::move(fresh)};
}

// The answer was trimmed, but the outcome is known: rebuilds an answer from that.
void AnswerForTombstone(const std::optional<store::SessionRecord>& created, IntentRecord* known) {
  if (known->state == IntentState::kRejected) {
    known->answer = SerializeError(RefusalOf(*known));
  } else if (known->state == IntentState::kExecuted && !known->session_id.empty()) {
    kustom::ipp::v1::Session session;
    session.set_session_id(known->session_id);
    if (created && created->session.session_id() == known->session_id) session = created->session;
    known->answer = AnswerOf(session);
  }
}

Begun Settled(IntentRecord known) {
  const Begun::What what = known.state == IntentState::kExecuted ? Begun::kReplay : Begun::kRefuse;
  return {what, std::move(known)};
}

// Decides what to do with a create, inside the transaction of Begin.
store::Writes DecideBegin(const IntentRecord& fresh, const store::Snapshot& snapshot) {
  const std::optional<IntentRecord>& known = snapshot.intent;
  if (!known && snapshot.created) {
    // The ledger has lost the create, for example after a restore; its session answers it.
    Begun begun = KnownBySession(fresh, snapshot.created->session);
    if (begun.what != Begun::kReplay) return {.decided = std::move(begun)};
    IntentRecord kept = begun.known;
    return {.intent = std::move(kept), .decided = std::move(begun)};
  }
  if (known && (known->rpc != fresh.rpc || !IsSameRequest(*known, fresh.request))) {
    return {.decided = Begun{Begun::kDiffers, *known}};
  }
  if (known && known->state == IntentState::kUnderWay && known->owner == fresh.owner) {
    return {.decided = Begun{Begun::kSend, *known}};
  }
  if (known && known->state != IntentState::kNotSent) {
    Begun begun = IsSettled(known->state) ? Settled(*known) : Begun{Begun::kUnsettled, *known};
    if (known->trimmed) AnswerForTombstone(snapshot.created, &begun.known);
    return {.decided = std::move(begun)};
  }
  Begun begun{Begun::kSend, fresh};
  if (known) begun.known.created_at = known->created_at;
  return {.intent = begun.known, .decided = begun};
}

}  // namespace

// A caller that waits for an answer.
struct CreateLedger::Waiter {
  Create create;
  absl::Time deadline;
  std::function<bool()> wanted;
  absl::AnyInvocable<void(absl::StatusOr<Begun>) &&> done;
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
                         "Age of the oldest create whose outcome is not known; 0: none.")) {
  // Create the counters at start-up, so that an alarm sees the first increment.
  for (const char* rpc : {"CreateSession", "CreateEnrollment", "CreateSimulatedDevice"}) {
    for (const char* result : {"sent", "replayed", "refused", "joined", "differs"}) {
      Told(rpc, result);
    }
    for (const IntentState state : {IntentState::kNotSent, IntentState::kRejected,
                                    IntentState::kExecuted, IntentState::kUnknown}) {
      Closed(rpc, state);
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
    ++busy_;
  }
  // If no other process can use the store, every owner is dead.
  Sweep(store_->exclusive());
}

void CreateLedger::Stop() {
  Scheduler::TaskId task = 0;
  {
    MutexLock lock(&mutex_);
    running_ = false;
    task = std::exchange(task_, 0);
  }
  if (task == 0 || !scheduler_->Cancel(task)) return;
  MutexLock lock(&mutex_);
  --busy_;
}

Counter& CreateLedger::Told(const std::string& rpc, const char* result) {
  return metrics_->counter("ipp_creates_total", "Creates that callers asked for.",
                           {{"rpc", rpc}, {"result", result}});
}

Counter& CreateLedger::Closed(const std::string& rpc, IntentState state) {
  return metrics_->counter("ipp_creates_closed_total", "Creates by what became of them.",
                           {{"rpc", rpc}, {"outcome", OutcomeLabel(state)}});
}

void CreateLedger::Begin(Create create, absl::Time deadline, std::function<bool()> wanted,
                         absl::AnyInvocable<void(absl::StatusOr<Begun>) &&> done) {
  auto waiter = std::make_shared<Waiter>();
  waiter->create = std::move(create);
  waiter->deadline = deadline;
  waiter->wanted = std::move(wanted);
  waiter->done = std::move(done);
  waiter->pause = options_.look;
  Begin(std::move(waiter));
}

void CreateLedger::Begin(std::shared_ptr<Waiter> waiter) {
  IntentRecord fresh;
  fresh.merchant_id = waiter->create.merchant_id;
  fresh.request_id = waiter->create.request_id;
  fresh.rpc = waiter->create.rpc;
  fresh.caller = waiter->create.caller;
  fresh.trace = waiter->create.trace;
  fresh.request = waiter->create.request;
  // Unique for this attempt: a commit that is tried again must recognise its own write.
  fresh.owner = absl::StrCat(owner_, "-", begun_.fetch_add(1));
  fresh.created_at = fresh.updated_at = clock_->Now();
  fresh.under_way_until = fresh.created_at + options_.under_way;
  fresh.settle_by =
      fresh.created_at + (waiter->create.turns_up ? options_.settle : absl::ZeroDuration());

  store::Transaction transaction;
  transaction.merchant_id = fresh.merchant_id;
  transaction.request_id = fresh.request_id;
  transaction.ask_created = fresh.rpc == kCreateSession;
  transaction.decide = [fresh](const store::Snapshot& snapshot) {
    return DecideBegin(fresh, snapshot);
  };
  store_->Commit(std::move(transaction),
                 [this, waiter, fresh](absl::StatusOr<store::Committed> committed) mutable {
                   if (!committed.ok()) {
                     Later({clock_->Monotonic() + options_.settle, Forgetting(fresh)});
                     return std::move(waiter->done)(committed.status());
                   }
                   const std::string& rpc = waiter->create.rpc;
                   auto begun = std::any_cast<Begun>(std::move(committed->decided));
                   switch (begun.what) {
                     case Begun::kSend:
                       Told(rpc, "sent").Add();
                       break;
                     case Begun::kReplay:
                       Told(rpc, "replayed").Add();
                       break;
                     case Begun::kRefuse:
                       Told(rpc, "refused").Add();
                       break;
                     case Begun::kDiffers:
                       Told(rpc, "differs").Add();
                       break;
                     case Begun::kUnsettled:
                       Told(rpc, "joined").Add();
                       return Looked(std::move(waiter), std::move(begun.known));
                   }
                   std::move(waiter->done)(std::move(begun));
                 });
}

void CreateLedger::Await(std::string merchant_id, std::string request_id, absl::Time until,
                         std::function<bool()> wanted,
                         absl::AnyInvocable<void(absl::StatusOr<Begun>) &&> done) {
  auto waiter = std::make_shared<Waiter>();
  waiter->create.merchant_id = std::move(merchant_id);
  waiter->create.request_id = std::move(request_id);
  waiter->deadline = until;
  waiter->wanted = std::move(wanted);
  waiter->done = std::move(done);
  waiter->may_send = false;
  waiter->pause = options_.look;
  Look(std::move(waiter));
}

void CreateLedger::Look(std::shared_ptr<Waiter> waiter) {
  const Create& create = waiter->create;
  store_->FindIntent(create.merchant_id, create.request_id,
                     [this, waiter](absl::StatusOr<IntentRecord> intent) mutable {
                       Looked(std::move(waiter), std::move(intent));
                     });
}

void CreateLedger::Looked(std::shared_ptr<Waiter> waiter, absl::StatusOr<IntentRecord> intent) {
  if (!intent.ok()) return std::move(waiter->done)(intent.status());
  if (IsSettled(intent->state)) return std::move(waiter->done)(Settled(*std::move(intent)));
  // Its owner did not send it. Reserve it for this call.
  if (intent->state == IntentState::kNotSent && waiter->may_send) return Begin(std::move(waiter));
  if (!waiter->wanted()) {
    return std::move(waiter->done)(absl::CancelledError("the caller no longer waits"));
  }
  const absl::Time now = clock_->Now();
  const bool hopeless = intent->state == IntentState::kUnknown && now >= intent->settle_by;
  if (hopeless || now >= waiter->deadline || intent->state == IntentState::kNotSent) {
    return std::move(waiter->done)(Begun{Begun::kUnsettled, *std::move(intent)});
  }
  const absl::Duration pause = std::min(waiter->pause, waiter->deadline - now);
  waiter->pause = std::min(waiter->pause * 1.5, kLongestLook);
  scheduler_->RunAfter(pause, [this, waiter]() mutable { Look(std::move(waiter)); });
}

CreateLedger::Write CreateLedger::Closing(const IntentRecord& begun, IntentState state,
                                          std::string answer) {
  return [this, state, merchant_id = begun.merchant_id, request_id = begun.request_id,
          owner = begun.owner, answer = std::move(answer), now = clock_->Now()](Written done) {
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
        Closed(std::any_cast<const std::string&>(committed->decided), state).Add();
      }
      std::move(done)(committed.status());
    });
  };
}

CreateLedger::Write CreateLedger::Forgetting(const IntentRecord& intent) {
  return [this, merchant_id = intent.merchant_id, request_id = intent.request_id,
          owner = intent.owner](Written done) {
    store::Transaction transaction;
    transaction.merchant_id = merchant_id;
    transaction.request_id = request_id;
    transaction.decide = [owner, now = clock_->Now()](const store::Snapshot& snapshot) {
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

void CreateLedger::Keep(Write write, Written done) {
  Run({clock_->Monotonic() + options_.settle, std::move(write)}, std::move(done));
}

void CreateLedger::Run(Kept kept, Written done) {
  {
    MutexLock lock(&mutex_);
    ++busy_;
  }
  const Write& write = kept.write;
  write([this, kept, done = std::move(done)](const absl::Status& status) mutable {
    if (!status.ok()) Later(std::move(kept));
    std::move(done)(status);
    MutexLock lock(&mutex_);
    --busy_;
    changed_.SignalAll();
  });
}

void CreateLedger::Later(Kept kept) {
  MutexLock lock(&mutex_);
  if (running_ && clock_->Monotonic() < kept.until && again_.size() < kMostKept) {
    again_.push_back(std::move(kept));
  }
}

void CreateLedger::WriteAgain() {
  std::vector<Kept> again;
  {
    MutexLock lock(&mutex_);
    again.swap(again_);
  }
  for (Kept& kept : again) Run(std::move(kept), [](const absl::Status&) {});
}

// A sweep under way counts in busy_.
void CreateLedger::Sweep(bool all) {
  WriteAgain();
  store::Orphans which;
  which.now = clock_->Now();
  which.under_way_before = all ? absl::InfiniteFuture() : which.now;
  // In one call: a second one would also orphan creates that began since.
  if (all) which.limit = std::numeric_limits<int>::max();
  store_->OrphanIntents(which, [this, all, which](absl::StatusOr<std::vector<IntentRecord>> gone) {
    if (gone.ok()) {
      orphaned_.Add(static_cast<double>(gone->size()));
      for (const IntentRecord& orphan : *gone) {
        LogWarning("a create was cut off, its outcome is not known",
                   {{"rpc", orphan.rpc},
                    {"merchant", orphan.merchant_id},
                    {"request_id", orphan.request_id},
                    {"trace_id", std::string(orphan.trace.trace_id())}});
      }
      if (static_cast<int>(gone->size()) == which.limit) return Sweep(all);
    }
    CountOpen();
  });
}

void CreateLedger::CountOpen() {
  {
    MutexLock lock(&mutex_);
    const absl::Duration now = clock_->Monotonic();
    if (!running_ || now < count_at_) return ScheduleSweep();
    count_at_ = now + kCountInterval;
  }
  store_->CountIntents([this](absl::StatusOr<store::IntentCounts> counts) {
    if (counts.ok()) {
      under_way_.Set(static_cast<double>(counts->under_way));
      unknown_.Set(static_cast<double>(counts->unknown));
      oldest_unknown_.Set(
          counts->unknown == 0
              ? 0
              : std::max(0.0, absl::ToDoubleSeconds(clock_->Now() - counts->oldest_unknown)));
    }
    MutexLock lock(&mutex_);
    ScheduleSweep();
  });
}

// The sweep that ends passes its count in busy_ to the next one. RunAfter() never runs the task
// inside the call.
void CreateLedger::ScheduleSweep() {
  if (running_) {
    task_ = scheduler_->RunAfter(options_.sweep, [this] { Sweep(false); });
    return;
  }
  --busy_;
  changed_.SignalAll();
}

}  // namespace ipp::creates
