#include "server/base/descriptors.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

namespace ipp {
namespace {

class DescriptorsTest : public testing::Test {
 protected:
  DescriptorsTest() { EXPECT_EQ(getrlimit(RLIMIT_NOFILE, &before_), 0); }
  ~DescriptorsTest() override { EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &before_), 0); }
  void Limit(rlim_t soft) {
    const rlimit limit{soft, before_.rlim_max};
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
  }

  rlimit before_{};
};

TEST_F(DescriptorsTest, HoldBackTheLastOnesBelowTheLimit) {
  Limit(500);
  EXPECT_EQ(DescriptorLimit(), 500);
  EXPECT_FALSE(IsHeldBack(500 - kHeldBackDescriptors - 1));
  EXPECT_TRUE(IsHeldBack(500 - kHeldBackDescriptors));
  EXPECT_TRUE(IsHeldBack(499));
}

TEST_F(DescriptorsTest, HoldBackAQuarterOfALowLimit) {
  Limit(80);
  EXPECT_FALSE(IsHeldBack(59));
  EXPECT_TRUE(IsHeldBack(60));
}

}  // namespace
}  // namespace ipp
