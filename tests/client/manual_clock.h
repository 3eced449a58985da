#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "client/clock_and_random.h"

namespace ipp::client {

// Time that passes when the test says so, and in short waits, such as pauses between tries: those
// are over at once. Chance is always one half.
class ManualClock final : public ClockAndRandom {
 public:
  // The longest wait that is over at once.
  explicit ManualClock(absl::Duration short_wait) : short_wait_(short_wait) {}

  absl::Duration Now() override {
    MutexLock lock(&mutex_);
    return now_;
  }
  void Wait(absl::Duration until, CondVar* changed, Mutex* mutex) override
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    {
      MutexLock lock(&mutex_);
      if (until - now_ <= short_wait_) {
        now_ = std::max(now_, until);
        return;
      }
      if (until < absl::InfiniteDuration()) {
        awaited_ = until;
        ++long_waits_;
        waiting_.SignalAll();
      }
    }
    // Looks again whether time has passed.
    changed->WaitFor(mutex, std::chrono::milliseconds(1));
  }
  double Random() override { return 0.5; }

  void Pass(absl::Duration time) {
    MutexLock lock(&mutex_);
    now_ += time;
  }
  // Lets the next wait that is so long be over, once there is one. False after Release.
  bool PassNextWait(absl::Duration length) {
    MutexLock lock(&mutex_);
    const uint64_t before = long_waits_;
    while (!released_ && (long_waits_ == before || awaited_ - now_ != length)) {
      waiting_.Wait(&mutex_);
    }
    if (!released_) now_ = awaited_;
    return !released_;
  }
  void Release() {
    MutexLock lock(&mutex_);
    released_ = true;
    waiting_.SignalAll();
  }

 private:
  const absl::Duration short_wait_;
  Mutex mutex_;
  CondVar waiting_;
  absl::Duration now_ ABSL_GUARDED_BY(mutex_);
  absl::Duration awaited_ ABSL_GUARDED_BY(mutex_);
  bool released_ ABSL_GUARDED_BY(mutex_) = false;
  uint64_t long_waits_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace ipp::client
