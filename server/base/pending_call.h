#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "server/base/mutex.h"

namespace ipp {

// The asynchronous call that its owner has under way, so that it can be cancelled from another
// thread. The difficulty that it settles: a call that was started may complete, and its completion
// may start the next call, before the first start has returned its handle. So the handles may
// arrive in another order than the calls began, and a cancellation may come at any moment between.
//
// `Call` has one verb, Cancel(), which is harmless once the call has ended. Thread-safe. Must live
// until every Start has returned; a completion that may destroy its owner keeps the owner alive by
// other means until then (a reference, a shared_ptr).
template <typename Call>
class PendingCall {
 public:
  // Runs `start`, which begins a call and returns its handle, and keeps the handle unless a call
  // that began later has left its own. After Cancel() the call is cancelled as soon as its handle
  // is there. Never runs `start` nor Cancel() under a lock.
  void Start(absl::FunctionRef<std::shared_ptr<Call>()> start) {
    uint64_t number = 0;
    {
      MutexLock lock(&mutex_);
      number = ++begun_;
    }
    std::shared_ptr<Call> call = start();
    std::shared_ptr<Call> before;  // let go of outside the lock
    bool cancelled = false;
    {
      MutexLock lock(&mutex_);
      cancelled = cancelled_;
      if (number > kept_) {
        kept_ = number;
        before = std::exchange(call_, call);
      }
    }
    if (cancelled && call != nullptr) call->Cancel();
  }

  // Cancels the call that is under way, and every call that begins after this.
  void Cancel() {
    std::shared_ptr<Call> call;
    {
      MutexLock lock(&mutex_);
      cancelled_ = true;
      call = call_;
    }
    if (call != nullptr) call->Cancel();
  }

  bool cancelled() const {
    MutexLock lock(&mutex_);
    return cancelled_;
  }

 private:
  mutable Mutex mutex_;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  uint64_t begun_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t kept_ ABSL_GUARDED_BY(mutex_) = 0;  // which call `call_` is
  std::shared_ptr<Call> call_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace ipp
