#pragma once

#include <deque>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "server/base/mutex.h"
#include "server/base/this_thread.h"

namespace ipp::store {

// A thread that runs the callbacks of a store, in the order in which they are pushed.
//
// They do not run on the writer thread, because what follows a commit (an answer to a caller, a
// request to the upstream) would hold up the next commit. Nor does a refused call's callback run on
// it, because the writer may be waiting for the disk while calls keep arriving: refused calls must
// be answered at once, so that they do not accumulate. A producer without a caller that waits for
// the answer must limit itself (sessions::ReadObserver does).
class Answers {
 public:
  using Answer = absl::AnyInvocable<void() &&>;

  Answers() : thread_([this] { Run(); }) {}
  ~Answers() { Finish(); }

  // Thread-safe; also from a callback that is running.
  void Push(Answer answer) {
    {
      MutexLock lock(&mutex_);
      waiting_.push_back(std::move(answer));
    }
    changed_.Signal();
  }

  // Runs what is left, and what that pushes, then ends the thread. Nothing but a running callback
  // may push after this.
  void Finish() {
    {
      MutexLock lock(&mutex_);
      finishing_ = true;
    }
    changed_.Signal();
    if (thread_.joinable()) thread_.join();
  }

 private:
  void Run() {
    NameThisThread("store-answers");
    WakeThisThreadAtOnce();
    while (true) {
      std::deque<Answer> answers;
      {
        MutexLock lock(&mutex_);
        while (waiting_.empty() && !finishing_) changed_.Wait(&mutex_);
        if (waiting_.empty()) return;
        answers.swap(waiting_);
      }
      for (Answer& answer : answers) std::move(answer)();
    }
  }

  Mutex mutex_;
  CondVar changed_;
  std::deque<Answer> waiting_ ABSL_GUARDED_BY(mutex_);
  bool finishing_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace ipp::store
