#include "server/base/log_rate_limiter.h"

#include <optional>

#include "gtest/gtest.h"
#include "tests/support/fake_clock.h"

namespace ipp {
namespace {

TEST(LogRateLimiter, LetsSomePassAtOnceAndThenSoManyASecond) {
  FakeClock clock;
  LogRateLimiter allowance(2, 3, &clock);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(allowance.Take(), 0);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(allowance.Take(), std::nullopt);
  clock.Advance(absl::Milliseconds(500));
  EXPECT_EQ(allowance.Take(), 10) << "and says how many were left out";
  EXPECT_EQ(allowance.Take(), std::nullopt);
  clock.Advance(absl::Seconds(1));
  EXPECT_EQ(allowance.Take(), 1);
  EXPECT_EQ(allowance.Take(), 0);
  EXPECT_EQ(allowance.Take(), std::nullopt);
}

TEST(LogRateLimiter, DoesNotSaveUpMoreThanAtOnce) {
  FakeClock clock;
  LogRateLimiter allowance(2, 3, &clock);
  clock.Advance(absl::Hours(1));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(allowance.Take(), 0);
  EXPECT_EQ(allowance.Take(), std::nullopt);
}

}  // namespace
}  // namespace ipp
