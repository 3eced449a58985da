#include "server/auth/caller_use.h"

#include <gtest/gtest.h>

#include "server/base/error.h"

namespace ipp::auth {
namespace {

constexpr absl::Duration kStart = absl::Hours(5);  // of a monotonic clock, so no time of day

testing::AssertionResult Refused(const absl::Status& status, const std::string& scope,
                                 const std::string& limit, absl::Duration wait) {
  const ErrorDetail detail = GetErrorDetail(status);
  const auto said = [&](const char* key) {
    const auto it = detail.metadata.find(key);
    return it == detail.metadata.end() ? "-" : it->second;
  };
  if (absl::IsResourceExhausted(status) && detail.reason == "CALLER_LIMIT" &&
      said("scope") == scope && said("limit") == limit && said("outcome") == "NOT_SENT" &&
      said("retry_safe") == "true" && detail.retry_after == wait) {
    return testing::AssertionSuccess();
  }
  return testing::AssertionFailure()
         << status << ", scope " << said("scope") << ", limit " << said("limit") << ", wait "
         << absl::FormatDuration(detail.retry_after.value_or(absl::InfiniteDuration()));
}

TEST(CallerUse, WithoutLimitsRefusesNothing) {
  CallerUse use({});
  for (int i = 0; i < 1000; ++i) {
    EXPECT_TRUE(use.BeginCall(kStart).ok());
    EXPECT_TRUE(use.BeginStream(kStart).ok());
  }
}

TEST(CallerUse, LetsASecondsWorthComeAtOnce) {
  CallerUse use({.requests_per_second = 4});
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(use.BeginCall(kStart).ok()) << i;
  EXPECT_TRUE(Refused(use.BeginCall(kStart), "requests_per_second", "4", absl::Milliseconds(250)));
}

TEST(CallerUse, GivesTheRateBackAsTimeGoesBy) {
  CallerUse use({.requests_per_second = 4});
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(use.BeginCall(kStart).ok());
  const absl::Duration later = kStart + absl::Milliseconds(125);
  EXPECT_TRUE(Refused(use.BeginCall(later), "requests_per_second", "4", absl::Milliseconds(125)));
  EXPECT_TRUE(use.BeginCall(kStart + absl::Milliseconds(250)).ok());
  EXPECT_FALSE(use.BeginCall(kStart + absl::Milliseconds(250)).ok());
}

TEST(CallerUse, SavesNoMoreThanASecondsWorthUp) {
  CallerUse use({.requests_per_second = 2});
  ASSERT_TRUE(use.BeginCall(kStart).ok());
  const absl::Duration much_later = kStart + absl::Hours(1);
  EXPECT_TRUE(use.BeginCall(much_later).ok());
  EXPECT_TRUE(use.BeginCall(much_later).ok());
  EXPECT_FALSE(use.BeginCall(much_later).ok());
}

TEST(CallerUse, CountsNewStreamsInTheRate) {
  CallerUse use({.requests_per_second = 2});
  EXPECT_TRUE(use.BeginStream(kStart).ok());
  EXPECT_TRUE(use.BeginCall(kStart).ok());
  EXPECT_TRUE(
      Refused(use.BeginStream(kStart), "requests_per_second", "2", absl::Milliseconds(500)));
}

TEST(CallerUse, TakesNoHarmFromATimeThatIsBehind) {
  CallerUse use({.requests_per_second = 1});
  EXPECT_TRUE(use.BeginCall(kStart).ok());
  EXPECT_FALSE(use.BeginCall(kStart - absl::Seconds(10)).ok());
  EXPECT_FALSE(use.BeginCall(kStart).ok()) << "nothing was earned twice";
  EXPECT_TRUE(use.BeginCall(kStart + absl::Seconds(1)).ok());
}

TEST(CallerUse, RefusesMoreCallsAtOnceUntilOneEnds) {
  CallerUse use({.in_flight = 2});
  ASSERT_TRUE(use.BeginCall(kStart).ok());
  ASSERT_TRUE(use.BeginCall(kStart).ok());
  EXPECT_TRUE(Refused(use.BeginCall(kStart), "in_flight", "2", absl::Milliseconds(100)));
  EXPECT_TRUE(use.BeginStream(kStart).ok()) << "a stream is no call";
  use.EndCall();
  EXPECT_TRUE(use.BeginCall(kStart).ok());
  EXPECT_FALSE(use.BeginCall(kStart).ok());
}

TEST(CallerUse, ChargesNothingForWhatItRefuses) {
  CallerUse use({.requests_per_second = 2, .in_flight = 1});
  ASSERT_TRUE(use.BeginCall(kStart).ok());
  EXPECT_FALSE(use.BeginCall(kStart).ok()) << "in flight";
  use.EndCall();
  EXPECT_TRUE(use.BeginCall(kStart).ok()) << "the rate was not charged for the refused one";
  use.EndCall();
  EXPECT_FALSE(use.BeginCall(kStart).ok()) << "the rate";
  EXPECT_TRUE(use.BeginCall(kStart + absl::Seconds(1)).ok()) << "the refused one is not in flight";
}

}  // namespace
}  // namespace ipp::auth
