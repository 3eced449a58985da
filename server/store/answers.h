#pragma once

#include <chrono>
#include <limits>
#include <thread>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "server/base/thread_name.h"
#include "server/store/inbox.h"

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

  Answers() : waiting_(std::numeric_limits<size_t>::max(), nullptr), thread_([this] { Run(); }) {}
  // Runs what is left.
  ~Answers() {
    waiting_.Stop();
    thread_.join();
  }

  // Thread-safe.
  void Push(Answer answer) { static_cast<void>(waiting_.Push(answer)); }

 private:
  void Run() {
    NameThisThread("store-answers");
    while (true) {
      Inbox<Answer>::Taken taken = waiting_.Take(256, std::chrono::hours(1));
      for (Answer& answer : taken.work) std::move(answer)();
      if (taken.stopping) return;
    }
  }

  Inbox<Answer> waiting_;
  std::thread thread_;
};

}  // namespace ipp::store
