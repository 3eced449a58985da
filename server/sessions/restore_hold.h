#pragma once

#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/base/metrics.h"
#include "server/base/mutex.h"
#include "server/store/store.h"

namespace ipp::sessions {

// After a restore the ledger has forgotten the creates since the backup. One that comes again under
// its request_id may have been done: sent once more, it would charge twice. So, for the time in
// which the sessions of such creates turn up (`creates.settle`), a create under a request_id of its
// caller goes on only when the ledger knows what became of it. Creates under an id that the gateway
// has just made are new by themselves.
//
// The end of that time is in the store (LogBounds::creates_held_until): all replicas obey it, and
// so does a gateway that is started again. Thread-safe; borrows all that it is given.
//
// Metrics: ipp_creates_held_total; ipp_creates_held_until_seconds, in seconds since 1970, 0 when
// creates are not held.
class RestoreHold {
 public:
  RestoreHold(store::Store* store, Clock* clock, Metrics* metrics);

  // How long creates are still held; zero: they are not.
  absl::Duration Left() ABSL_LOCKS_EXCLUDED(mutex_);

  // UNAVAILABLE / RESTORED_HOLDING when creates are still held: what is asked about a create that
  // the store does not know cannot be answered now. Otherwise OK.
  absl::Status Unanswerable();

  // Whether the create of this id may go on, asked while Left() is not zero. `done` gets OK, or
  // UNAVAILABLE / RESTORED_HOLDING, or the store's error for callers; it runs once, on the store's
  // thread.
  void Admit(std::string merchant_id, std::string request_id,
             absl::AnyInvocable<void(absl::Status) &&> done);

 private:
  void AskSessions(const std::string& merchant_id, const std::string& request_id,
                   absl::AnyInvocable<void(absl::Status) &&> done);

  store::Store* const store_;
  Clock* const clock_;
  Counter& held_;
  Gauge& until_;

  Mutex mutex_;
  bool holding_ ABSL_GUARDED_BY(mutex_) = false;  // as last said in the log
};

}  // namespace ipp::sessions
