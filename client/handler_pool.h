#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "client/clock_and_random.h"
#include "client/lease_book.h"
#include "client/stream_call.h"

namespace ipp::client {

// Runs `work` with each lease, in their order, on up to `threads` threads, which are started as
// they are needed. What waits is not more than the stream may have out. Add and Finish on one
// thread.
class HandlerPool {
 public:
  using Work = std::function<void(const std::shared_ptr<Lease>&)>;

  HandlerPool(size_t threads, ClockAndRandom* clock, Work work)
      : most_(threads), clock_(*clock), work_(std::move(work)) {}
  ~HandlerPool() { Finish(); }
  HandlerPool(const HandlerPool&) = delete;
  HandlerPool& operator=(const HandlerPool&) = delete;

  void Add(std::shared_ptr<Lease> lease);
  // Waits until all that was added is done, at most `limit`. True if it is.
  bool WaitIdle(absl::Duration limit);
  // Waits for it without a limit, and ends the threads.
  void Finish();

 private:
  void Run();

  const size_t most_;
  ClockAndRandom& clock_;
  const Work work_;
  std::vector<std::thread> threads_;

  Wake wake_;
  std::deque<std::shared_ptr<Lease>> waiting_ ABSL_GUARDED_BY(wake_.mutex);
  size_t working_ ABSL_GUARDED_BY(wake_.mutex) = 0;
  bool finishing_ ABSL_GUARDED_BY(wake_.mutex) = false;
};

}  // namespace ipp::client
