#include "server/upstream/retry.h"

#include <algorithm>

namespace ipp::upstream {

std::optional<absl::Duration> PauseBefore(int next, const RetryPolicy& policy,
                                          std::optional<absl::Duration> retry_after,
                                          absl::Duration time_left, double dice) {
  if (next > policy.attempts) return std::nullopt;
  absl::Duration limit = policy.first_pause;
  for (int i = 2; i < next && limit < policy.longest_pause; ++i) limit *= 2;
  absl::Duration pause = std::min(limit, policy.longest_pause) * dice;
  if (retry_after) pause = std::max(pause, *retry_after);
  if (pause >= time_left) return std::nullopt;
  return pause;
}

bool RetryBudget::Take() {
  MutexLock lock(&mutex_);
  tokens_ = std::max(0.0, tokens_ - 1);
  return tokens_ >= limit_ / 2;
}

void RetryBudget::Succeeded() {
  MutexLock lock(&mutex_);
  tokens_ = std::min(limit_, tokens_ + 0.1);
}

}  // namespace ipp::upstream
