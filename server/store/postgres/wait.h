#pragma once

#include <chrono>

#include "absl/status/status.h"

namespace ipp::store {

// Wakes the threads that wait for a database when their store is being closed. Thread-safe.
class StopSignal {
 public:
  StopSignal();
  ~StopSignal();
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;

  void Stop();
  bool stopped() const;
  int fd() const { return fd_; }  // readable once stopped
  // Returns false, and early, when stopped.
  bool Sleep(std::chrono::nanoseconds time) const;

 private:
  const int fd_;
};

// The deadline of one exchange with a server. When the store is being closed, an exchange under way
// gets `grace` to end, so that its outcome is known; a server that does not answer costs no more
// than that.
class Deadline {
 public:
  Deadline(std::chrono::nanoseconds limit, std::chrono::nanoseconds grace, const StopSignal* stop);

  // Waits until `socket` is ready for one of `events` (POLLIN, POLLOUT). DEADLINE_EXCEEDED at the
  // deadline, CANCELLED when the store is being closed and the grace has passed.
  absl::Status Wait(int socket, short events);

 private:
  std::chrono::steady_clock::time_point end_;
  const std::chrono::nanoseconds grace_;
  const StopSignal* const stop_;
  bool stopping_ = false;
};

}  // namespace ipp::store
