#include "server/base/guarded_clock.h"

#include <gtest/gtest.h>

#include "tests/support/fake_clock.h"

namespace ipp {
namespace {

class GuardedClockTest : public testing::Test {
 protected:
  // The wall clock is set; no time passes.
  void Jump(absl::Duration by) { machine_.SetWall(machine_.Now() + by); }
  void ExpectFollows() {
    EXPECT_EQ(clock_.Now(), machine_.Now());
    EXPECT_TRUE(clock_.plausible());
    EXPECT_NE(metrics_.Text().find("ipp_clock_plausible 1"), std::string::npos);
  }

  FakeClock machine_;
  Metrics metrics_;
  GuardedClock clock_{&machine_, &metrics_};
};

TEST_F(GuardedClockTest, IsTheWallClockWhileItAgreesWithTheMonotonicOne) {
  ExpectFollows();
  machine_.Advance(absl::Hours(100));
  ExpectFollows();
}

TEST_F(GuardedClockTest, FollowsSmallCorrections) {
  for (int i = 0; i < 1000; ++i) {
    machine_.Advance(absl::Seconds(10));
    Jump(absl::Seconds(i % 2 == 0 ? 4 : -1));
    ExpectFollows();
  }
}

class GuardedClockJump : public GuardedClockTest,
                         public testing::WithParamInterface<absl::Duration> {};
INSTANTIATE_TEST_SUITE_P(, GuardedClockJump,
                         testing::Values(absl::Hours(24 * 8), absl::Hours(3), absl::Seconds(6),
                                         -absl::Seconds(6), -absl::Hours(3), -absl::Hours(24 * 8)),
                         [](const auto& info) {
                           std::string name = absl::FormatDuration(info.param);
                           return name[0] == '-' ? "Back" + name.substr(1) : "Ahead" + name;
                         });

TEST_P(GuardedClockJump, IsNotFollowedForAMoment) {
  const absl::Time before = clock_.Now();
  Jump(GetParam());
  machine_.Advance(absl::Seconds(3));
  EXPECT_EQ(clock_.Now(), before + absl::Seconds(3));
  EXPECT_EQ(clock_.Wall(), machine_.Now());
  EXPECT_FALSE(clock_.plausible());
  EXPECT_NE(metrics_.Text().find("ipp_clock_plausible 0"), std::string::npos);
  EXPECT_NE(metrics_.Text().find("ipp_clock_jumps_total 1"), std::string::npos);
  Jump(-GetParam());
  machine_.Advance(absl::Seconds(1));
  ExpectFollows();
  EXPECT_EQ(clock_.Now(), before + absl::Seconds(4));
}

TEST_P(GuardedClockJump, IsTakenOverWhenItStaysAndIsOnProbationForAnHour) {
  clock_.Now();
  Jump(GetParam());
  for (int minute = 0; minute < 10; ++minute) {
    EXPECT_NE(clock_.Now(), machine_.Now()) << minute;
    machine_.Advance(absl::Minutes(1));
  }
  EXPECT_EQ(clock_.Now(), machine_.Now());
  EXPECT_FALSE(clock_.plausible());
  machine_.Advance(absl::Minutes(59));
  EXPECT_FALSE(clock_.plausible());
  machine_.Advance(absl::Minutes(1));
  ExpectFollows();
}

// A scrape shows it although nothing has asked for plausible() since.
TEST_F(GuardedClockTest, ShowsThatItIsPlausibleAgainAfterAJumpBehindAProbation) {
  Jump(absl::Hours(1));
  clock_.Now();
  machine_.Advance(GuardedClock::kAdopt);
  clock_.Now();
  machine_.Advance(GuardedClock::kProbation);
  Jump(absl::Hours(1));
  clock_.Now();
  EXPECT_NE(metrics_.Text().find("ipp_clock_plausible 0"), std::string::npos);
  Jump(-absl::Hours(1));
  clock_.Now();
  EXPECT_NE(metrics_.Text().find("ipp_clock_plausible 1"), std::string::npos);
}

TEST_F(GuardedClockTest, LooksAtEachJumpAnew) {
  const absl::Time before = clock_.Now();
  for (int minute = 0; minute < 60; ++minute) {
    Jump(absl::Hours(1));
    EXPECT_EQ(clock_.Now(), before + absl::Minutes(minute)) << minute;
    machine_.Advance(absl::Minutes(1));
  }
}

}  // namespace
}  // namespace ipp
