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

// Work that waits for one thread, at most `limit` of it. What comes on top is refused at once, on a
// thread of the inbox's own: a callback must not run inside the call that gave it, and the thread
// that does the work may be waiting for the disk, for as long as that takes, while callers go on
// coming. So what is refused does not pile up: it costs its caller one turn of that thread. Who has
// no caller to wait for it must bound itself (sessions::ReadObserver).
template <typename T>
class Inbox {
 public:
  struct Taken {
    std::vector<T> work;
    bool stopping = false;  // then `work` is all that was left, to be called off
  };

  // `refuse` must be quick.
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

  // Waits until there is something, `patience` at most; takes up to `max`.
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

  // Nothing is pushed after this.
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
