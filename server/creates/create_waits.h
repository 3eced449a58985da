#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "server/base/mutex.h"
#include "server/base/periodic_task.h"
#include "server/base/scheduler.h"
#include "server/store/store.h"

namespace ipp::creates {

// Callers that wait for the session of a create. One read of the store every `kLookAgain` asks for
// up to `kTogether` creates: thousands that wait cost the store a few reads a second, not two reads
// each. A replica learns so of creates that another one settled.
//
// Thread-safe; borrows the store and the scheduler. Every wait must have ended before this is
// destroyed.
class CreateWaits {
 public:
  static constexpr absl::Duration kLookAgain = absl::Milliseconds(500);
  static constexpr size_t kTogether = 1000;

  // One who waits.
  class Wait {
   public:
    // Ends the wait now; `look` is run inside this call unless it ran before.
    void Cancel();

   private:
    friend class CreateWaits;
    Wait(CreateWaits* owner, store::IntentKey create, absl::AnyInvocable<void() &&> look)
        : owner_(owner), create_(std::move(create)), look_(std::move(look)) {}

    CreateWaits* const owner_;
    const store::IntentKey create_;
    absl::AnyInvocable<void() &&> look_;  // guarded by the owner's lock; empty: it was taken
  };

  CreateWaits(store::Store* store, Scheduler* scheduler);

  // Runs `look` once, on any thread: when the session of the create is known, when the create was
  // refused, when the store could not be read, or when the wait is cancelled. May run before this
  // returns.
  std::shared_ptr<Wait> Start(store::IntentKey create, absl::AnyInvocable<void() &&> look)
      ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  using Waits = std::vector<std::shared_ptr<Wait>>;

  void Tick(PeriodicTask::Run run) ABSL_LOCKS_EXCLUDED(mutex_);
  void Ask(Waits group, std::shared_ptr<PeriodicTask::Run> run);
  void End(Wait* wait) ABSL_LOCKS_EXCLUDED(mutex_);

  store::Store* const store_;
  Mutex mutex_;
  Waits waits_ ABSL_GUARDED_BY(mutex_);  // some may have ended since the last tick
  PeriodicTask tick_;                    // the last member: it ends before the others
};

}  // namespace ipp::creates
