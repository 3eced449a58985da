#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/base/metrics.h"
#include "server/base/mutex.h"
#include "server/base/periodic_task.h"
#include "server/base/scheduler.h"
#include "server/base/token_bucket.h"
#include "server/sessions/session_recorder.h"
#include "server/store/store.h"

namespace ipp::sessions {

struct ReconcileOptions {
  CheckTimes times;                           // the same as the recorder's
  absl::Duration max = absl::Hours(1);        // the longest pause between two reads
  absl::Duration watched = absl::Seconds(5);  // the pause while a caller watches the session
  int max_in_flight = 16;                     // reads at once
  int reads_per_second = 40;                  // on average
  // The number of reads that the upstream client has room for now; unset: no limit. Any thread may
  // call it.
  std::function<int()> room = nullptr;
  absl::Duration overdue = absl::Hours(24);  // an older open session counts as overdue
};

// A session as the upstream answered, and the request_id of the create that made it, if known.
struct SessionAnswer {
  SessionAnswer(kustom::ipp::v1::Session s, std::string id = "")  // NOLINT: usually there is no id
      : session(std::move(s)), request_id(std::move(id)) {}
  kustom::ipp::v1::Session session;
  std::string request_id;
};

// Reads one session from the upstream, as a part of `trace`. `done` runs exactly once, never inside
// the call, and must not block.
using ReadSession = std::function<void(
    const std::string& merchant_id, const std::string& session_id, const TraceContext& trace,
    absl::AnyInvocable<void(absl::StatusOr<SessionAnswer>) &&> done)>;

// Reads open sessions from the upstream when no update arrives: the upstream announces neither
// EXPIRED nor FAILED, and webhooks get lost. What a read proves is recorded with the source
// RECONCILIATION. An error proves nothing: it is counted, and the session is read again. A 404 is
// treated the same, until it has persisted for so long that the session is ended
// (SessionRecorder::Miss).
//
// The store decides which sessions are due, and hands each to one replica only (Store::LeaseDue). A
// lease puts the session off by the pause that applies if no update arrives, so a process that dies
// with a lease delays that one read only. The pause doubles from CheckTimes::first up to `max`,
// with a jitter of a tenth; reads for a watcher do not count for the doubling. All merchants share
// one read budget. When the upstream sends Retry-After, no session of that merchant is leased for
// that time, five minutes at most.
//
// A held event (session_state.h) is published without further details after ten seconds, whether
// its session can be read or not.
//
// Metrics: ipp_reconcile_reads_total{result}: an effect of the state machine, or not_found, error,
// not_recorded; ipp_sessions_open, ipp_sessions_oldest_open_seconds, ipp_sessions_overdue.
//
// Thread-safe; borrows everything that it is given. It works from Start to Stop.
class Reconciler {
 public:
  Reconciler(store::Store* store, SessionRecorder* recorder, ReadSession read, Clock* clock,
             Scheduler* scheduler, Metrics* metrics, ReconcileOptions options);
  ~Reconciler();  // after Stop; waits for calls under way, so cancel the reads first

  void Start();
  // No lease and no read begins after this. May wait for a short call, never for I/O.
  void Stop();

  // While it exists, the session is read about every `watched`, until it has ended.
  class Watch {
   public:
    ~Watch() { reconciler_->Unwatch(key_); }
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

   private:
    friend class Reconciler;
    Watch(Reconciler* reconciler, std::pair<std::string, std::string> key)
        : reconciler_(reconciler), key_(std::move(key)) {}
    Reconciler* const reconciler_;
    const std::pair<std::string, std::string> key_;
  };
  // The reconciler must outlive the Watch.
  std::unique_ptr<Watch> WatchSession(std::string merchant_id, std::string session_id);

 private:
  using Key = std::pair<std::string, std::string>;  // merchant, session
  struct Watched {
    int watchers = 0;
    absl::Duration read_by;  // monotonic: when this replica should have leased it
  };
  struct Read {
    Key key;
    TraceContext trace;  // of the create that made the session, or a new one
  };
  // Bracket calls to the store, the scheduler and `read_`; Stop() waits for them. False: stopped,
  // make no call.
  bool Enter() ABSL_LOCKS_EXCLUDED(mutex_);
  void Leave() ABSL_LOCKS_EXCLUDED(mutex_);

  void Tick();
  void LeaseSome() ABSL_LOCKS_EXCLUDED(mutex_);
  void CountOpen() ABSL_LOCKS_EXCLUDED(mutex_);
  // Publishes events that were held for long enough.
  void ReleaseHeld() ABSL_LOCKS_EXCLUDED(mutex_);
  void HasReleased(int count) ABSL_LOCKS_EXCLUDED(mutex_);
  // Merchants for which the upstream has sent a Retry-After that has not passed yet.
  std::vector<std::string> Waiting() ABSL_LOCKS_EXCLUDED(mutex_);
  // Watched sessions that this replica did not lease in time, because another replica has put them
  // off by a longer pause.
  std::vector<Key> Neglected() ABSL_LOCKS_EXCLUDED(mutex_);
  // Makes a watched session due at `at`, unless it is due sooner.
  void Expedite(const Key& key, absl::Time at) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Duration PauseAfter(const store::SessionRecord& record, absl::Time now)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void GotLeases(int asked, absl::StatusOr<std::vector<store::SessionRecord>> due)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void GotSession(const Read& read, absl::StatusOr<SessionAnswer> session);
  void HasRead(const Key& key) ABSL_LOCKS_EXCLUDED(mutex_);
  void Ended(int count) ABSL_LOCKS_EXCLUDED(mutex_);
  void Unwatch(const Key& key) ABSL_LOCKS_EXCLUDED(mutex_);

  store::Store* const store_;
  SessionRecorder* const recorder_;
  const ReadSession read_;
  Clock* const clock_;
  const ReconcileOptions options_;
  const absl::Duration tick_;
  std::map<std::string, Counter*, std::less<>> reads_;
  Gauge& open_;
  Gauge& oldest_;
  Gauge& overdue_;

  Mutex mutex_;
  CondVar changed_;
  bool running_ ABSL_GUARDED_BY(mutex_) = false;
  int calling_ ABSL_GUARDED_BY(mutex_) = 0;    // between Enter and Leave
  int in_flight_ ABSL_GUARDED_BY(mutex_) = 0;  // reads, and leases requested
  int in_store_ ABSL_GUARDED_BY(mutex_) = 0;   // sessions that are being expedited
  bool counting_ ABSL_GUARDED_BY(mutex_) = false;
  int releasing_ ABSL_GUARDED_BY(mutex_) = 0;   // held events, and the lease that fetches them
  bool more_ ABSL_GUARDED_BY(mutex_) = false;   // more sessions may be due than the last lease took
  TokenBucket budget_ ABSL_GUARDED_BY(mutex_);  // limits reads
  // Monotonic.
  absl::Duration release_at_ ABSL_GUARDED_BY(mutex_) = -absl::InfiniteDuration();
  std::map<std::string, absl::Duration> patience_ ABSL_GUARDED_BY(mutex_);  // no lease before that
  absl::Duration count_at_ ABSL_GUARDED_BY(mutex_) = -absl::InfiniteDuration();
  std::map<Key, Watched> watched_ ABSL_GUARDED_BY(mutex_);
  std::set<Key> reading_ ABSL_GUARDED_BY(mutex_);
  PeriodicTask ticks_;  // the last member: it ends before the others
};

}  // namespace ipp::sessions
