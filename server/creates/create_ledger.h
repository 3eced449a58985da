#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/base/metrics.h"
#include "server/base/mutex.h"
#include "server/base/periodic_task.h"
#include "server/base/scheduler.h"
#include "server/creates/reservation.h"
#include "server/store/store.h"

namespace ipp::creates {

struct LedgerOptions {
  // How long a create may be under way, from its reservation to its answer. After that its owner is
  // presumed dead, and the outcome is unknown.
  absl::Duration under_way = absl::Seconds(60);
  // How long the session of a create with an unknown outcome may still be discovered.
  absl::Duration settle = absl::Minutes(10);
  // The first pause between two reads of a create that another call is sending.
  absl::Duration look = absl::Milliseconds(100);
  // The pause between two sweeps for creates whose owner died.
  absl::Duration sweep = absl::Seconds(1);
};

// A create that a caller asks for.
struct Create {
  std::string merchant_id;
  std::string request_id;
  std::string rpc;           // "CreateSession"
  std::string caller;        // the caller's name
  TraceContext trace;        // the trace of the caller's call
  std::string request;       // Fingerprint() of the message
  bool discoverable = true;  // what it creates can be discovered if the answer is lost
};

// The ledger of creates: each create is executed at most once. The intent of a create is durable,
// under its merchant and request_id, before the first byte leaves, and so is its outcome. Later
// calls with the same id, to any replica, get the outcome of the first; while that is unknown, they
// wait.
//
// create_flow.h has a picture of the states. Who moves an intent:
//
// * (none), kNotSent → kUnderWay: Reserve, for the call that is to send it. The transaction sets
//   `owner` (this process and a number, unique for each attempt), `under_way_until` = now +
//   `under_way`, and `settle_by` = now + `settle` (now, if what it creates cannot be discovered).
// * (none) → kExecuted: Reserve, if a session has this request_id although the ledger lacks the
//   create, for example after a restore. It answers kReplay and sends nothing.
// * kUnderWay → kNotSent, kRejected, kExecuted, kUnknown: the flow that sent it, by Completion and
//   Complete. An executed CreateSession is written by SessionRecorder, together with the session
//   and its event.
//   Completion changes the intent only if its owner is still the same and its outcome is not yet
//   settled. It still applies after a sweep: an outcome that arrives late is better than none.
// * kUnderWay → kUnknown: the sweep of any replica, when `under_way_until` has passed, because the
//   owner died or hangs. If only one process can use the store, Start() orphans all at once: their
//   owners are dead.
// * kUnderWay → kNotSent: the ledger itself, when the commit of Reserve failed. The intent may have
//   been written although its caller got an error; the retry queue takes it back.
// * any state but kExecuted → kExecuted: SessionRecorder, when a whole session names the create and
//   may have been made by it (create_request.h). The sources are the reconciler, webhooks and
//   callers' reads.
// * Retention turns an old intent into a tombstone without request and answer (`trimmed`), and
//   later removes it. A tombstone still answers or refuses its id, but is never sent again.
//
// kExecuted and kRejected are settled: Reserve answers them at once (kReplay, kRefuse). On
// kUnderWay and kUnknown it waits: it reads the intent after pauses that grow from `look` to half a
// second, until the intent is settled, or kNotSent (then the waiting call reserves it for itself),
// or until its deadline, or until an unknown intent has passed `settle_by` (kUnsettled). An unknown
// create is never sent again.
//
// Writes that the store could not take are tried again at each sweep, for as long as `settle`, at
// most 10,000 at once.
//
// Thread-safe; borrows everything that it is given. It sweeps from Start to Stop.
//
// Metrics: ipp_creates_total{rpc, result}: sent, replayed, refused, joined, differs;
// ipp_creates_closed_total{rpc, outcome}; ipp_creates_orphaned_total; ipp_creates_under_way,
// ipp_creates_unknown, ipp_creates_oldest_unknown_seconds.
class CreateLedger {
 public:
  CreateLedger(store::Store* store, Clock* clock, Scheduler* scheduler, Metrics* metrics,
               LedgerOptions options);
  ~CreateLedger();  // after Stop; every `done` has run

  // Starts the sweeps. Creates that begin after this are not orphaned by the first sweep, since the
  // store handles calls in their order.
  void Start();
  // No sweep begins after this.
  void Stop();

  // Reserves the create, or finds what is known of it. `wanted` is called before each further wait
  // for a create that another call is sending; when it returns false, `done` gets CANCELLED. `done`
  // runs exactly once, never inside the call, on a thread of the store or the scheduler. If it gets
  // an error of the store, the create must not be sent.
  void Reserve(Create create, absl::Time deadline, std::function<bool()> wanted,
               absl::AnyInvocable<void(absl::StatusOr<Reservation>) &&> done);

  // A write to the store. It may run several times, one after another.
  using Written = absl::AnyInvocable<void(absl::Status) &&>;
  using Write = std::function<void(Written done)>;

  // The write that records the outcome of a create that Reserve said to send (`reserved` is what it
  // returned): kNotSent, kRejected, kExecuted (with its answer) or kUnknown. An intent that was
  // settled meanwhile stays as it is.
  Write Completion(const store::IntentRecord& reserved, store::IntentState state,
                   std::string answer);

  // Runs `write` and calls `done` with the result of the first attempt. A failed write goes to the
  // retry queue: a known outcome must not be lost because the store was unavailable for a moment.
  void Complete(Write write, Written done);

  // Waits until a create is settled, or `until`. Results: kReplay, kRefuse or kUnsettled; errors as
  // for Reserve.
  void AwaitOutcome(std::string merchant_id, std::string request_id, absl::Time until,
                    std::function<bool()> wanted,
                    absl::AnyInvocable<void(absl::StatusOr<Reservation>) &&> done);

 private:
  struct Waiter;
  // A write that is retried until `until`.
  struct PendingWrite {
    absl::Duration until;  // monotonic
    Write write;
  };

  Counter& RequestCounter(const std::string& rpc, const char* result);
  Counter& CompletionCounter(const std::string& rpc, store::IntentState state);
  void Reserve(std::shared_ptr<Waiter> waiter);
  void Poll(std::shared_ptr<Waiter> waiter);
  void OnPoll(std::shared_ptr<Waiter> waiter, absl::StatusOr<store::IntentRecord> intent);
  // The write that takes back a reservation whose caller got an error.
  Write Release(const store::IntentRecord& intent);
  void Run(PendingWrite kept, Written done);
  void QueueRetry(PendingWrite kept);
  void WriteAgain();
  // `all`: every create under way is an orphan.
  void Sweep(bool all, PeriodicTask::Run run);
  void CountOpen(PeriodicTask::Run run);

  store::Store* const store_;
  Clock* const clock_;
  Scheduler* const scheduler_;
  Metrics* const metrics_;
  const LedgerOptions options_;
  const std::string owner_;  // identifies this process among those that share the store
  Counter& orphaned_;
  Gauge& under_way_;
  Gauge& unknown_;
  Gauge& oldest_unknown_;

  Mutex mutex_;
  CondVar changed_;
  bool running_ ABSL_GUARDED_BY(mutex_) = false;
  int busy_ ABSL_GUARDED_BY(mutex_) = 0;                                         // writes under way
  absl::Duration count_at_ ABSL_GUARDED_BY(mutex_) = -absl::InfiniteDuration();  // monotonic
  std::vector<PendingWrite> again_ ABSL_GUARDED_BY(mutex_);  // the retry queue, for the next sweep
  std::atomic<uint64_t> begun_{0};
  bool has_swept_ = false;  // each run of sweeps_ sees what the one before has set
  PeriodicTask sweeps_;     // the last member: it ends before the others
};

}  // namespace ipp::creates
