#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "server/base/mutex.h"

namespace ipp::http {

// The queue into a loop: a thread that waits in an epoll and alone touches its connections.
// Thread-safe. Wakes the loop only if it sleeps, so a burst costs one wakeup, and what the loop
// posts to itself costs none.
//
// While the loop sleeps, another thread can take its turn: from then until it gives the turn back,
// the loop's state belongs to that thread, and the loop waits if something wakes it. This saves a
// lone request the wakeup on its way out.
template <typename Item>
class LoopInbox {
 public:
  LoopInbox() : wake_fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
  ~LoopInbox() { close(wake_fd_); }
  LoopInbox(const LoopInbox&) = delete;
  LoopInbox& operator=(const LoopInbox&) = delete;

  // False if the inbox is closed.
  bool Post(Item item) {
    MutexLock lock(&mutex_);
    if (closed_) return false;
    items_.push_back(std::move(item));
    Wake();
    return true;
  }

  // True if the loop sleeps and nothing waits for it: the caller now has the loop's turn. It must
  // not block in it, and ends it with GiveBackTurn().
  bool TakeTurn() {
    MutexLock lock(&mutex_);
    if (!asleep_ || lent_ || !items_.empty()) return false;
    lent_ = true;
    return true;
  }

  // `wake`: the loop must take a turn now, or earlier than it had planned.
  void GiveBackTurn(bool wake) {
    MutexLock lock(&mutex_);
    lent_ = false;
    if (wake) Wake();
    returned_.Signal();
  }

  // For the loop: moves all waiting items into `batch`. False once Stop() was called.
  bool Take(std::vector<Item>* batch) {
    MutexLock lock(&mutex_);
    batch->swap(items_);
    return !stopping_;
  }

  // For the loop: true if no item waits. From then until Resume() it must not touch its state, and
  // Post() wakes it.
  bool MaySleep() {
    MutexLock lock(&mutex_);
    asleep_ = items_.empty() && !stopping_;
    return asleep_;
  }

  // For the loop, after it has slept: the state is its own again.
  void Resume() {
    MutexLock lock(&mutex_);
    asleep_ = false;
    while (lent_) returned_.Wait(&mutex_);
  }

  void Stop() {
    MutexLock lock(&mutex_);
    stopping_ = true;
    Wake();
  }

  // For the loop: closes the inbox and returns true, or returns false if an item waits.
  bool Close() {
    MutexLock lock(&mutex_);
    closed_ = items_.empty();
    return closed_;
  }

  // An eventfd, written to for each wakeup. It is watched edge-triggered and never read, which
  // saves a system call a wakeup.
  int wake_fd() const { return wake_fd_; }

 private:
  // The write never blocks: it would take 2^64 wakeups.
  void Wake() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (!asleep_) return;
    asleep_ = false;
    const uint64_t one = 1;
    (void)!write(wake_fd_, &one, sizeof(one));
  }

  const int wake_fd_;
  Mutex mutex_;
  CondVar returned_;
  std::vector<Item> items_ ABSL_GUARDED_BY(mutex_);
  bool asleep_ ABSL_GUARDED_BY(mutex_) = false;
  bool lent_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace ipp::http
