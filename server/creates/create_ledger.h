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
#include "server/base/scheduler.h"
#include "server/store/store.h"

namespace ipp::creates {

struct LedgerOptions {
  // How long a create may be under way, from being written down to its answer. When it is longer,
  // whoever was at it has died, and its outcome is not known.
  absl::Duration under_way = absl::Seconds(60);
  // How long the session of a create with an unknown outcome may still turn up.
  absl::Duration settle = absl::Minutes(10);
  // Between two looks at a create that somebody else is at.
  absl::Duration look = absl::Milliseconds(100);
  // Between two looks for creates whose owner died.
  absl::Duration sweep = absl::Seconds(1);
};

// A create that a caller asks for.
struct Create {
  std::string merchant_id;
  std::string request_id;
  std::string rpc;       // "CreateSession"
  std::string caller;    // by name
  TraceContext trace;    // of the call; the caller's own
  std::string request;   // the message without request_id, serialized deterministically
  bool turns_up = true;  // what it makes is heard of, also when its answer is lost
};

// What shall be done with a create.
struct Begun {
  enum What {
    kSend,      // it is written down: send it, then Keep what became of it
    kReplay,    // it was done: `known.answer` is the serialized response
    kRefuse,    // the upstream refused it: `known.answer` is the serialized google.rpc.Status
    kDiffers,   // another request came under this id: `known.request`
    kUnsettled  // its outcome is not known, and was not by the deadline
  } what = kSend;
  store::IntentRecord known;
};

// Creates are done at most once: each is durable, under its merchant and request_id, before a byte
// of it leaves, and so is what became of it. Whoever comes with the same id, to any replica, gets
// what the first got; while the first is under way, or its outcome is not known, they wait for it.
//
// A create whose process died is found by the sweep (at once at start-up, where the store is ours
// alone) and its outcome is not known then. It is never sent again. A session that turns up and
// names the create (SessionRecorder) settles it.
//
// Thread-safe; borrows all that it is given. It sweeps from Start to Stop.
//
// A store that fails after it has committed leaves a create under way that nobody sends; that is
// taken back when it works again. What became of a create is kept trying to be written, too.
//
// Metrics: ipp_creates_total{rpc, result}: sent, replayed, refused, joined, differs;
// ipp_creates_closed_total{rpc, outcome}; ipp_creates_orphaned_total; ipp_creates_under_way,
// ipp_creates_unknown, ipp_creates_oldest_unknown_seconds.
class CreateLedger {
 public:
  CreateLedger(store::Store* store, Clock* clock, Scheduler* scheduler, Metrics* metrics,
               LedgerOptions options);
  ~CreateLedger();  // after Stop; every `done` has run

  // Creates that begin after Start are no orphans: the store takes calls in their order.
  void Start();
  // No sweep begins after this.
  void Stop();

  // Writes the create down, or finds what is known of it. `wanted` is asked between two looks at a
  // create that somebody else is at; false: CANCELLED. `done` runs exactly once, never inside the
  // call, on a thread of the store or the scheduler; with an error of the store it was not written
  // down, and must not be sent.
  void Begin(Create create, absl::Time deadline, std::function<bool()> wanted,
             absl::AnyInvocable<void(absl::StatusOr<Begun>) &&> done);

  // Something to be written down; may be run several times, one after another.
  using Written = absl::AnyInvocable<void(absl::Status) &&>;
  using Write = std::function<void(Written done)>;

  // What became of a create that Begin said to send, `begun` as it gave it: kNotSent, kRejected,
  // kExecuted (with its answer) or kUnknown. One that was settled meanwhile stays settled.
  Write Closing(const store::IntentRecord& begun, store::IntentState state, std::string answer);

  // Runs it, and tells how that went. What the store could not take is tried again at each sweep,
  // for as long as a session may turn up: what is known must not be lost for a store that was down
  // for a moment.
  void Keep(Write write, Written done);

  // Waits until a create is settled, or `until`; kReplay, kRefuse or kUnsettled.
  void Await(std::string merchant_id, std::string request_id, absl::Time until,
             std::function<bool()> wanted, absl::AnyInvocable<void(absl::StatusOr<Begun>) &&> done);

 private:
  struct Waiter;
  // A write that is tried until then.
  struct Kept {
    absl::Duration until;  // monotonic
    Write write;
  };

  Counter& Told(const std::string& rpc, const char* result);
  Counter& Closed(const std::string& rpc, store::IntentState state);
  void Begin(std::shared_ptr<Waiter> waiter);
  void Look(std::shared_ptr<Waiter> waiter);
  void Looked(std::shared_ptr<Waiter> waiter, absl::StatusOr<store::IntentRecord> intent);
  // A create that will not be sent: whoever wanted it does not know that it was written down.
  Write Forgetting(const store::IntentRecord& intent);
  void Run(Kept kept, Written done);
  void Later(Kept kept);
  void WriteAgain();
  void Sweep(bool all);
  void ScheduleSweep() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void CountOpen();

  store::Store* const store_;
  Clock* const clock_;
  Scheduler* const scheduler_;
  Metrics* const metrics_;
  const LedgerOptions options_;
  const std::string owner_;  // this process, among all that share the store
  Counter& orphaned_;
  Gauge& under_way_;
  Gauge& unknown_;
  Gauge& oldest_unknown_;

  Mutex mutex_;
  CondVar changed_;
  bool running_ ABSL_GUARDED_BY(mutex_) = false;
  int busy_ ABSL_GUARDED_BY(mutex_) = 0;  // a sweep, its calls to the store, writes tried again
  Scheduler::TaskId task_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Duration count_at_ ABSL_GUARDED_BY(mutex_) = -absl::InfiniteDuration();  // monotonic
  std::vector<Kept> again_ ABSL_GUARDED_BY(mutex_);  // at the next sweep
  std::atomic<uint64_t> begun_{0};
};

}  // namespace ipp::creates
