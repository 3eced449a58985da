#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "server/base/metrics.h"
#include "server/base/mutex.h"
#include "server/base/thread_name.h"

namespace ipp::store {

// A bounded queue of work for one consumer thread. Push and Stop are thread-safe; Take is for the
// consumer.
//
// Work beyond `limit` is refused by a second thread, which the inbox owns. The refusal cannot run
// inside Push, because a callback must not run inside the call that took it, and it cannot run on
// the consumer, because that may be waiting for the disk while calls keep arriving. Refused work is
// therefore answered at once and does not accumulate. A producer without a caller that waits for
// the answer must limit itself (sessions::ReadObserver does).
template <typename T>
class Inbox {
 public:
  struct Taken {
    std::vector<T> work;
    bool stopping = false;  // `work` is then all that was left; cancel it
  };

  // `refuse` runs on the refusal thread, once for each refused item; it must be quick.
  Inbox(size_t limit, Gauge* depth, std::function<void(T& work)> refuse)
      : limit_(limit), depth_(depth), refuse_(std::move(refuse)), refuser_([this] {
          NameThisThread("store-refusals");
          RefuseAll();
        }) {}
  ~Inbox() {
    Stop();
    refuser_.join();
  }

  void Push(T work) {
    bool taken = false;
    {
      MutexLock lock(&mutex_);
      taken = work_.size() < limit_;
      (taken ? work_ : refused_).push_back(std::move(work));
      depth_->Set(static_cast<double>(work_.size()));
    }
    (taken ? changed_ : refused_changed_).Signal();
  }

  // Waits at most `patience` for work and returns up to `max` items; none after a timeout. After
  // Stop it returns everything that is left.
  Taken Take(size_t max, std::chrono::nanoseconds patience) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
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
    depth_->Set(static_cast<double>(work_.size()));
    return taken;
  }

  // Wakes both threads. Nothing may be pushed after this.
  void Stop() {
    {
      MutexLock lock(&mutex_);
      stopping_ = true;
    }
    changed_.Signal();
    refused_changed_.Signal();
  }

 private:
  void RefuseAll() {
    while (true) {
      std::deque<T> refused;
      {
        MutexLock lock(&mutex_);
        while (refused_.empty() && !stopping_) refused_changed_.Wait(&mutex_);
        if (refused_.empty()) return;
        refused.swap(refused_);
      }
      for (T& work : refused) refuse_(work);
    }
  }

  const size_t limit_;
  Gauge* const depth_;
  const std::function<void(T& work)> refuse_;
  Mutex mutex_;
  CondVar changed_, refused_changed_;
  std::deque<T> work_ ABSL_GUARDED_BY(mutex_);
  std::deque<T> refused_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread refuser_;
};

}  // namespace ipp::store
