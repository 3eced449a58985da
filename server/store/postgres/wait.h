#pragma once

#include <chrono>

#include "absl/status/status.h"

namespace ipp::store {

// Wakes whatever waits for a database when its store is being closed. Thread-safe.
class StopSignal {
 public:
  StopSignal();
  ~StopSignal();
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;

  void Stop();
  bool stopped() const;
  int fd() const { return fd_; }  // readable once stopped
  // Returns early, with false, when stopped.
  bool Sleep(std::chrono::nanoseconds time) const;

 private:
  const int fd_;
};

// How long one conversation with a server may take. When the store is being closed, what is under
// way gets `grace` to end, so that its outcome is known; a server that is not there costs no more.
class Patience {
 public:
  Patience(std::chrono::nanoseconds limit, std::chrono::nanoseconds grace, const StopSignal* stop);

  // Waits until `socket` is ready for one of `events` (POLLIN, POLLOUT). DEADLINE_EXCEEDED when
  // patience ends, CANCELLED when it ends because the store is being closed.
  absl::Status Wait(int socket, short events);

 private:
  std::chrono::steady_clock::time_point end_;
  const std::chrono::nanoseconds grace_;
  const StopSignal* const stop_;
  bool stopping_ = false;
};

}  // namespace ipp::store
