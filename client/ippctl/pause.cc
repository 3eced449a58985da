#include "client/ippctl/pause.h"

#include <algorithm>
#include <chrono>

namespace ipp::ippctl {

bool Pause::For(absl::Duration duration) {
  const auto end = std::chrono::steady_clock::now() + absl::ToChronoNanoseconds(duration);
  MutexLock lock(&mutex_);
  while (!stopped_) {
    const auto left = end - std::chrono::steady_clock::now();
    if (left <= left.zero()) return true;
    changed_.WaitFor(&mutex_, left);
  }
  return false;
}

void Pause::Stop() {
  MutexLock lock(&mutex_);
  stopped_ = true;
  changed_.SignalAll();
}

bool Pause::stopped() const {
  MutexLock lock(&mutex_);
  return stopped_;
}

absl::Duration Backoff::Next() {
  next_ = next_ == absl::ZeroDuration() ? first_ : std::min(2 * next_, longest_);
  return next_;
}

}  // namespace ipp::ippctl
