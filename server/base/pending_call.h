#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "server/base/mutex.h"

namespace ipp {

// The asynchronous call that its owner has in progress, so that another thread can cancel it. The
// problem that it solves: a call may complete, and its completion may start the next call, before
// the first start has returned its handle. So handles may arrive in a different order than the
// calls began, and a cancellation may come at any moment in between.
//
// `Call` has one method, Cancel(), which is harmless once the call has ended. Thread-safe. Must
// live until every Start has returned. If a completion may destroy the owner, something else (a
// reference count, a shared_ptr) must keep the owner alive until then.
template <typename Call>
class PendingCall {
 public:
  // Runs `start`, which begins a call and returns its handle. Keeps the handle, unless a call that
  // began later has already left its own. If Cancel() was called, the call is cancelled as soon as
  // its handle is available. No lock is held while `start` or Cancel() runs.
  void Start(absl::FunctionRef<std::shared_ptr<Call>()> start) {
    uint64_t number = 0;
    {
      MutexLock lock(&mutex_);
      number = ++begun_;
    }
    std::shared_ptr<Call> call = start();
    std::shared_ptr<Call> before;  // released outside the lock
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

  // Cancels the call in progress and every call that begins later.
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
