#include "server/base/scheduler.h"
#include "server/base/this_thread.h"

#include <algorithm>

namespace ipp {
namespace {

// The upper limit of a delay: adding an infinite delay to the current time would overflow.
constexpr absl::Duration kLongestDelay = absl::Hours(24 * 365);

}  // namespace

ThreadScheduler::ThreadScheduler()
    : thread_([this] {
        NameThisThread("scheduler");
        Run();
      }) {}

ThreadScheduler::~ThreadScheduler() {
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
    changed_.SignalAll();
  }
  thread_.join();
}

Scheduler::TaskId ThreadScheduler::RunAfter(absl::Duration delay,
                                            absl::AnyInvocable<void() &&> task) {
  const Deadline deadline =
      std::chrono::steady_clock::now() +
      absl::ToChronoNanoseconds(std::clamp(delay, absl::ZeroDuration(), kLongestDelay));
  MutexLock lock(&mutex_);
  const TaskId id = ++last_id_;
  const auto [it, inserted] = tasks_.emplace(std::make_pair(deadline, id), std::move(task));
  deadlines_.emplace(id, deadline);
  if (it == tasks_.begin()) changed_.Signal();
  return id;
}

bool ThreadScheduler::Cancel(TaskId id) {
  // Destroyed outside the lock, since what the task owns may call back.
  absl::AnyInvocable<void() &&> dropped;
  MutexLock lock(&mutex_);
  const auto it = deadlines_.find(id);
  if (it == deadlines_.end()) return false;
  const auto task = tasks_.find({it->second, id});
  dropped = std::move(task->second);
  tasks_.erase(task);
  deadlines_.erase(it);
  return true;
}

void ThreadScheduler::Run() {
  while (true) {
    absl::AnyInvocable<void() &&> task;
    {
      MutexLock lock(&mutex_);
      while (true) {
        if (stopping_) return;
        if (tasks_.empty()) {
          changed_.Wait(&mutex_);
          continue;
        }
        const auto first = tasks_.begin();
        const auto now = std::chrono::steady_clock::now();
        if (first->first.first <= now) {
          task = std::move(first->second);
          deadlines_.erase(first->first.second);
          tasks_.erase(first);
          break;
        }
        changed_.WaitFor(&mutex_, first->first.first - now);
      }
    }
    std::move(task)();
  }
}

}  // namespace ipp
