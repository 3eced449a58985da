#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <deque>
#include <iterator>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "server/base/metrics.h"
#include "server/base/mutex.h"

namespace ipp::store {

// A queue of work for one consumer thread. Push and Stop are thread-safe; Take is for the consumer.
template <typename T>
class Inbox {
 public:
  struct Taken {
    std::vector<T> work;
    bool stopping = false;  // `work` is then all that was left
  };

  // At most `limit` items wait. `depth` shows how many do; nullptr: no gauge.
  Inbox(size_t limit, Gauge* depth) : limit_(limit), depth_(depth) {}

  // False when the queue is full or stopped; `work` is then unchanged.
  [[nodiscard]] bool Push(T& work) {
    {
      MutexLock lock(&mutex_);
      if (stopping_ || work_.size() >= limit_) return false;
      work_.push_back(std::move(work));
      ShowDepth();
    }
    changed_.Signal();
    return true;
  }

  // Waits at most `limit` for work and returns up to `max` items; none after a timeout. After Stop
  // it returns everything that is left.
  Taken Take(size_t max, std::chrono::nanoseconds limit) {
    const auto deadline = std::chrono::steady_clock::now() + limit;
    MutexLock lock(&mutex_);
    while (work_.empty() && !stopping_) {
      const auto left = deadline - std::chrono::steady_clock::now();
      if (left.count() <= 0 || !changed_.WaitFor(&mutex_, left)) break;
    }
    Taken taken;
    taken.stopping = stopping_;
    const auto end = work_.begin() + (stopping_ ? work_.size() : std::min(max, work_.size()));
    taken.work.assign(std::move_iterator(work_.begin()), std::move_iterator(end));
    work_.erase(work_.begin(), end);
    ShowDepth();
    return taken;
  }

  // Wakes the consumer. Nothing is taken in after this.
  void Stop() {
    {
      MutexLock lock(&mutex_);
      stopping_ = true;
    }
    changed_.Signal();
  }

  bool stopped() const {
    MutexLock lock(&mutex_);
    return stopping_;
  }

 private:
  void ShowDepth() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (depth_ != nullptr) depth_->Set(static_cast<double>(work_.size()));
  }

  const size_t limit_;
  Gauge* const depth_;
  mutable Mutex mutex_;
  CondVar changed_;
  std::deque<T> work_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace ipp::store
