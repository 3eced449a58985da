#include "server/base/token_bucket.h"

#include <gtest/gtest.h>

namespace ipp {
namespace {

constexpr absl::Duration kStart = absl::Seconds(1000);

TEST(TokenBucket, IsFullAtFirstAndFillsAtItsRate) {
  TokenBucket bucket(10, 2);
  EXPECT_TRUE(bucket.Take(kStart));
  EXPECT_TRUE(bucket.Take(kStart));
  EXPECT_FALSE(bucket.Take(kStart));
  EXPECT_EQ(bucket.Wait(kStart), absl::Milliseconds(100));
  EXPECT_FALSE(bucket.Take(kStart + absl::Milliseconds(99)));
  EXPECT_TRUE(bucket.Take(kStart + absl::Milliseconds(101)));
}

TEST(TokenBucket, KeepsNoMoreThanItsBurst) {
  TokenBucket bucket(10, 2);
  EXPECT_EQ(bucket.Available(kStart), 2);
  EXPECT_EQ(bucket.Available(kStart + absl::Hours(1)), 2);
  EXPECT_FALSE(bucket.Take(kStart + absl::Hours(1), 3));
  EXPECT_TRUE(bucket.Take(kStart + absl::Hours(1), 2));
  bucket.GiveBack(5);
  EXPECT_EQ(bucket.Available(kStart + absl::Hours(1)), 2);
}

TEST(TokenBucket, DoesNotMindATimeFromBefore) {
  TokenBucket bucket(1, 1);
  EXPECT_TRUE(bucket.Take(kStart));
  EXPECT_FALSE(bucket.Take(kStart - absl::Hours(1)));
  EXPECT_FALSE(bucket.Take(kStart + absl::Milliseconds(500)));
  EXPECT_TRUE(bucket.Take(kStart + absl::Seconds(1)));
}

}  // namespace
}  // namespace ipp
