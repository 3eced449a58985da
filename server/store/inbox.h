#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <deque>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "server/base/metrics.h"
#include "server/base/mutex.h"

namespace ipp::store {

// Work that waits for one thread, at most `limit` of it. What comes on top is refused, and refusals
// are handed out at once, ahead of the work: a callback must not run inside the call that gave it.
template <typename T>
class Inbox {
 public:
  struct Taken {
    std::vector<T> work;
    std::vector<T> refused;
    bool stopping = false;  // then `work` is all that was left, to be called off
  };

  Inbox(size_t limit, Gauge* depth) : limit_(limit), depth_(depth) {}

  void Push(T work) {
    {
      MutexLock lock(&mutex_);
      (work_.size() < limit_ ? work_ : refused_).push_back(std::move(work));
      depth_->Set(static_cast<double>(work_.size()));
    }
    changed_.Signal();
  }

  // Waits until there is something, `patience` at most; takes up to `max`.
  Taken Take(size_t max, std::chrono::nanoseconds patience) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    MutexLock lock(&mutex_);
    while (work_.empty() && refused_.empty() && !stopping_) {
      const auto left = deadline - std::chrono::steady_clock::now();
      if (left.count() <= 0 || !changed_.WaitFor(&mutex_, left)) break;
    }
    Taken taken;
    taken.stopping = stopping_;
    const auto end = work_.begin() + (stopping_ ? work_.size() : std::min(max, work_.size()));
    taken.work.assign(std::move_iterator(work_.begin()), std::move_iterator(end));
    work_.erase(work_.begin(), end);
    taken.refused.assign(std::move_iterator(refused_.begin()), std::move_iterator(refused_.end()));
    refused_.clear();
    depth_->Set(static_cast<double>(work_.size()));
    return taken;
  }

  // Nothing is pushed after this.
  void Stop() {
    {
      MutexLock lock(&mutex_);
      stopping_ = true;
    }
    changed_.Signal();
  }

 private:
  const size_t limit_;
  Gauge* const depth_;
  Mutex mutex_;
  CondVar changed_;
  std::deque<T> work_ ABSL_GUARDED_BY(mutex_);
  std::deque<T> refused_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace ipp::store
