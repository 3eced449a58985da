#include "server/base/periodic_task.h"

namespace ipp {

PeriodicTask::~PeriodicTask() {
  Stop();
  MutexLock lock(&mutex_);
  while (busy_) changed_.Wait(&mutex_);
}

void PeriodicTask::Start() {
  {
    MutexLock lock(&mutex_);
    running_ = busy_ = true;
  }
  task_(Run(this));
}

void PeriodicTask::Stop() {
  Scheduler::TaskId next = 0;
  {
    MutexLock lock(&mutex_);
    running_ = false;
    next = std::exchange(next_, 0);
  }
  if (next == 0 || !scheduler_->Cancel(next)) return;
  MutexLock lock(&mutex_);
  busy_ = false;
  changed_.SignalAll();
}

void PeriodicTask::Begin() {
  {
    MutexLock lock(&mutex_);
    next_ = 0;
    if (!running_) {
      busy_ = false;
      changed_.SignalAll();
      return;
    }
  }
  task_(Run(this));
}

void PeriodicTask::End() {
  MutexLock lock(&mutex_);
  if (running_) {
    next_ = scheduler_->RunAfter(interval_, [this] { Begin(); });
    return;
  }
  busy_ = false;
  changed_.SignalAll();
}

}  // namespace ipp
