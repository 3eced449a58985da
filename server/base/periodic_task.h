#pragma once

#include <functional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "server/base/mutex.h"
#include "server/base/scheduler.h"

namespace ipp {

// A task that is run again and again: each run begins an interval after the one before has ended,
// so that there is never more than one. Thread-safe. Borrows the scheduler.
class PeriodicTask {
 public:
  // A run under way. It ends when this is destroyed, on any thread: a task that waits for an answer
  // moves it into the answer's callback.
  class Run {
   public:
    explicit Run(PeriodicTask* task) : task_(task) {}
    Run(Run&& other) noexcept : task_(std::exchange(other.task_, nullptr)) {}
    Run& operator=(Run&&) = delete;
    ~Run() {
      if (task_ != nullptr) task_->End();
    }

   private:
    PeriodicTask* task_;
  };

  PeriodicTask(Scheduler* scheduler, absl::Duration interval, std::function<void(Run)> task)
      : scheduler_(scheduler), interval_(interval), task_(std::move(task)) {}
  // Stops, and waits for the end of a run under way.
  ~PeriodicTask();
  PeriodicTask(const PeriodicTask&) = delete;
  PeriodicTask& operator=(const PeriodicTask&) = delete;

  // The first run begins inside this call, all others on the scheduler's thread. Call it once.
  void Start();
  // No run begins after this. Does not wait.
  void Stop();

 private:
  void Begin() ABSL_LOCKS_EXCLUDED(mutex_);
  void End() ABSL_LOCKS_EXCLUDED(mutex_);

  Scheduler* const scheduler_;
  const absl::Duration interval_;
  const std::function<void(Run)> task_;

  Mutex mutex_;  // the scheduler's lock comes second
  CondVar changed_;
  bool running_ ABSL_GUARDED_BY(mutex_) = false;
  bool busy_ ABSL_GUARDED_BY(mutex_) = false;  // a run is under way or scheduled
  Scheduler::TaskId next_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace ipp
