#include "server/base/backoff.h"

#include <gtest/gtest.h>

#include <set>

namespace ipp {
namespace {

TEST(Backoff, DoublesUpToTheLongestAndDrawsFromTheUpperHalf) {
  Backoff backoff(absl::Milliseconds(100), absl::Milliseconds(500));
  for (const int step : {100, 200, 400, 500, 500}) {
    const absl::Duration pause = backoff.Next();
    EXPECT_GE(pause, absl::Milliseconds(step) / 2);
    EXPECT_LT(pause, absl::Milliseconds(step));
  }
  backoff.Reset();
  EXPECT_LT(backoff.Next(), absl::Milliseconds(100));
}

TEST(Backoff, DoesNotPauseForTheSameTimeEverywhere) {
  std::set<absl::Duration> pauses;
  for (int i = 0; i < 10; ++i) {
    pauses.insert(Backoff(absl::Seconds(1), absl::Seconds(1)).Next());
  }
  EXPECT_GT(pauses.size(), 1u);
}

}  // namespace
}  // namespace ipp
