#include "client/ippctl/pause.h"

#include <gtest/gtest.h>

#include <thread>

#include "client/ippctl/interrupt.h"

namespace ipp::ippctl {
namespace {

TEST(Pause, EndsByItself) { EXPECT_TRUE(Pause().For(absl::Milliseconds(1))); }

TEST(Pause, EndsWhenItIsStoppedAndStaysSo) {
  Pause pause;
  std::thread other([&pause] { pause.Stop(); });
  EXPECT_FALSE(pause.For(absl::Hours(1)));
  other.join();
  EXPECT_FALSE(pause.For(absl::Hours(1)));
  EXPECT_TRUE(pause.stopped());
}

TEST(Backoff, DoublesUpToItsLongest) {
  Backoff backoff(absl::Seconds(2), absl::Seconds(7));
  EXPECT_EQ(backoff.Next(), absl::Seconds(2));
  EXPECT_EQ(backoff.Next(), absl::Seconds(4));
  EXPECT_EQ(backoff.Next(), absl::Seconds(7));
  EXPECT_EQ(backoff.Next(), absl::Seconds(7));
  backoff.Reset();
  EXPECT_EQ(backoff.Next(), absl::Seconds(2));
}

TEST(Interrupt, TellsTheInnermostScope) {
  Interrupt interrupt;
  EXPECT_FALSE(interrupt.Trigger());
  Interrupt fresh;
  int outer = 0;
  int inner = 0;
  {
    const OnInterrupt one(&fresh, [&outer] { ++outer; });
    {
      const OnInterrupt two(&fresh, [&inner] { ++inner; });
      EXPECT_TRUE(fresh.Trigger());
    }
    EXPECT_EQ(inner, 1);
    EXPECT_EQ(outer, 0);
    EXPECT_TRUE(fresh.Trigger());
    EXPECT_EQ(outer, 1);
  }
  EXPECT_FALSE(fresh.Trigger());
  EXPECT_EQ(outer, 1);
}

}  // namespace
}  // namespace ipp::ippctl
