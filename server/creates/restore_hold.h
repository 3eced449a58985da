#pragma once

#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/base/metrics.h"
#include "server/base/mutex.h"
#include "server/store/store.h"

namespace ipp::creates {

// After a restore the ledger lacks the creates since the backup. A create that is repeated under
// its request_id may have been executed; sent again, it would charge twice. While the sessions of
// such creates may still be discovered (`creates.settle`), a create under a caller's own request_id
// is therefore admitted only if the store knows what became of it. Creates under an id that the
// gateway has just made are new and are not held.
//
// The end of that time is in the store (LogBounds::creates_held_until), so all replicas, and a
// restarted gateway, respect it. Thread-safe; borrows everything that it is given.
//
// Metrics: ipp_creates_held_total; ipp_creates_held_until_seconds, in seconds since 1970, 0 when
// creates are not held.
class RestoreHold {
 public:
  RestoreHold(store::Store* store, Metrics* metrics);

  // How long creates are still held; zero: they are not held.
  absl::Duration Left() ABSL_LOCKS_EXCLUDED(mutex_);

  // UNAVAILABLE / RESTORED_HOLDING while creates are held: a question about a create that the store
  // does not know cannot be answered now. Otherwise OK.
  absl::Status Unanswerable();

  // Whether the create with this id may go on. Call it while Left() is not zero. `done` gets OK,
  // UNAVAILABLE / RESTORED_HOLDING, or the store's error for callers; it runs once, on the store's
  // thread.
  void Admit(std::string merchant_id, std::string request_id,
             absl::AnyInvocable<void(absl::Status) &&> done);

 private:
  void AskSessions(const std::string& merchant_id, const std::string& request_id,
                   absl::AnyInvocable<void(absl::Status) &&> done);

  store::Store* const store_;
  Counter& held_;
  Gauge& until_;

  Mutex mutex_;
  bool holding_ ABSL_GUARDED_BY(mutex_) = false;  // as last logged
};

}  // namespace ipp::creates
