#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "server/base/mutex.h"

namespace ipp {

// Runs short tasks later. Thread-safe. A task must not block.
class Scheduler {
 public:
  using TaskId = uint64_t;  // never 0
  virtual ~Scheduler() = default;

  // Runs `task` once after `delay` (0 or less: as soon as possible), on the scheduler's thread,
  // never inside this call. Tasks that are still waiting when the scheduler is destroyed are
  // dropped.
  virtual TaskId RunAfter(absl::Duration delay, absl::AnyInvocable<void() &&> task) = 0;
  // True if the task will not run. False if it has run, is running, or is unknown.
  virtual bool Cancel(TaskId id) = 0;
};

// A scheduler with one thread of its own; it uses monotonic time.
class ThreadScheduler final : public Scheduler {
 public:
  ThreadScheduler();
  ~ThreadScheduler() override;  // waits for the task that runs now

  TaskId RunAfter(absl::Duration delay, absl::AnyInvocable<void() &&> task) override;
  bool Cancel(TaskId id) override;

 private:
  using Deadline = std::chrono::steady_clock::time_point;
  void Run();

  Mutex mutex_;
  CondVar changed_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  TaskId last_id_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<std::pair<Deadline, TaskId>, absl::AnyInvocable<void() &&>> tasks_
      ABSL_GUARDED_BY(mutex_);
  std::map<TaskId, Deadline> deadlines_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace ipp
