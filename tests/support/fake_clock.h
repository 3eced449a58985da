#pragma once

#include <algorithm>
#include <map>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/base/mutex.h"
#include "server/base/scheduler.h"

namespace ipp {

// A clock that stands still until it is advanced. The two readings go on together, unless the wall
// is set.
class FakeClock final : public Clock {
 public:
  explicit FakeClock(absl::Time now = absl::FromUnixSeconds(1'790'000'000)) : now_(now) {}
  absl::Time Now() override {
    MutexLock lock(&mutex_);
    return now_;
  }
  absl::Duration Monotonic() override {
    MutexLock lock(&mutex_);
    return monotonic_;
  }
  void Advance(absl::Duration by) {
    MutexLock lock(&mutex_);
    now_ += by;
    monotonic_ += by;
  }
  // As when an operator sets the time: no time passes.
  void SetWall(absl::Time now) {
    MutexLock lock(&mutex_);
    now_ = now;
  }

 private:
  Mutex mutex_;
  absl::Time now_ ABSL_GUARDED_BY(mutex_);
  absl::Duration monotonic_ ABSL_GUARDED_BY(mutex_) = absl::Hours(1);
};

// A scheduler on a FakeClock: Advance() moves the clock and runs what is due, in order, on the
// calling thread.
class FakeScheduler final : public Scheduler {
 public:
  explicit FakeScheduler(FakeClock* clock) : clock_(clock) {}

  TaskId RunAfter(absl::Duration delay, absl::AnyInvocable<void() &&> task) override {
    MutexLock lock(&mutex_);
    tasks_.emplace(
        std::make_pair(clock_->Monotonic() + std::max(delay, absl::ZeroDuration()), ++last_),
        std::move(task));
    return last_;
  }

  bool Cancel(TaskId id) override {
    MutexLock lock(&mutex_);
    return std::erase_if(tasks_, [id](const auto& task) { return task.first.second == id; }) > 0;
  }

  void Advance(absl::Duration by) {
    const absl::Duration end = clock_->Monotonic() + by;
    while (true) {
      absl::AnyInvocable<void() &&> task;
      {
        MutexLock lock(&mutex_);
        if (tasks_.empty() || tasks_.begin()->first.first > end) break;
        const auto first = tasks_.begin();
        clock_->Advance(std::max(first->first.first - clock_->Monotonic(), absl::ZeroDuration()));
        task = std::move(first->second);
        tasks_.erase(first);
      }
      std::move(task)();
    }
    clock_->Advance(end - clock_->Monotonic());
  }

  // When the next task is due, from now; infinite when there is none.
  absl::Duration NextDelay() {
    MutexLock lock(&mutex_);
    return tasks_.empty() ? absl::InfiniteDuration()
                          : tasks_.begin()->first.first - clock_->Monotonic();
  }

 private:
  FakeClock* const clock_;
  Mutex mutex_;
  TaskId last_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<std::pair<absl::Duration, TaskId>, absl::AnyInvocable<void() &&>> tasks_
      ABSL_GUARDED_BY(mutex_);
};

}  // namespace ipp
