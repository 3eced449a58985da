#pragma once

#include <algorithm>

#include "absl/time/time.h"

namespace ipp {

// Tokens come at a rate, and as many as `burst` are kept. Times are of a monotonic clock, and need
// not go forward from call to call: callers read it before they take the lock. Not thread-safe.
class TokenBucket {
 public:
  // Full at first.
  TokenBucket(double per_second, double burst) : TokenBucket(per_second, burst, burst) {}
  TokenBucket(double per_second, double burst, double at_first)
      : per_second_(per_second), burst_(burst), tokens_(at_first) {}

  // Whole tokens that are there at `now`.
  int Available(absl::Duration now) {
    Fill(now);
    return static_cast<int>(std::max(tokens_, 0.0));
  }
  // False: there are too few, and none was taken.
  bool Take(absl::Duration now, int count = 1) {
    Fill(now);
    if (tokens_ < count) return false;
    tokens_ -= count;
    return true;
  }
  // Tokens that were taken and not used.
  void GiveBack(int count) { tokens_ = std::min(burst_, tokens_ + count); }
  // How long until there is one.
  absl::Duration Wait(absl::Duration now) {
    Fill(now);
    return tokens_ >= 1 ? absl::ZeroDuration() : absl::Seconds((1 - tokens_) / per_second_);
  }

 private:
  void Fill(absl::Duration now) {
    if (filled_ && now > filled_at_) {
      tokens_ = std::min(burst_, tokens_ + absl::ToDoubleSeconds(now - filled_at_) * per_second_);
    }
    if (!filled_ || now > filled_at_) filled_at_ = now;
    filled_ = true;
  }

  double per_second_;
  double burst_;
  double tokens_;
  bool filled_ = false;
  absl::Duration filled_at_;
};

}  // namespace ipp
