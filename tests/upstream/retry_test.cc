#include "server/upstream/retry.h"

#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <vector>

namespace ipp::upstream {
namespace {

using absl::Milliseconds;
using absl::Seconds;
constexpr auto kNone = std::nullopt;

struct PauseRow {
  std::string name;
  int next;
  std::optional<absl::Duration> retry_after;
  absl::Duration time_left;
  double dice;
  std::optional<absl::Duration> pause;
};

void PrintTo(const PauseRow& row, std::ostream* out) { *out << row.name; }

class PauseBeforeAnAttempt : public testing::TestWithParam<PauseRow> {};

TEST_P(PauseBeforeAnAttempt, IsExact) {
  const PauseRow& row = GetParam();
  const RetryPolicy policy{
      .attempts = 8, .first_pause = Milliseconds(100), .longest_pause = Milliseconds(1500)};
  EXPECT_EQ(PauseBefore(row.next, policy, row.retry_after, row.time_left, row.dice), row.pause);
}

const absl::Duration kLong = Seconds(60);

INSTANTIATE_TEST_SUITE_P(
    Table, PauseBeforeAnAttempt,
    testing::ValuesIn(std::vector<PauseRow>{
        {"SecondAtTheLimit", 2, kNone, kLong, 1.0, Milliseconds(100)},
        {"SecondHalfWay", 2, kNone, kLong, 0.5, Milliseconds(50)},
        {"SecondAtOnce", 2, kNone, kLong, 0.0, absl::ZeroDuration()},
        {"ThirdDoubles", 3, kNone, kLong, 1.0, Milliseconds(200)},
        {"FourthDoublesAgain", 4, kNone, kLong, 1.0, Milliseconds(400)},
        {"FifthDoublesAgain", 5, kNone, kLong, 0.25, Milliseconds(200)},
        {"SixthIsHeldAtTheLongest", 6, kNone, kLong, 1.0, Milliseconds(1500)},
        {"EighthIsTheLast", 8, kNone, kLong, 0.5, Milliseconds(750)},
        {"NinthIsNotMade", 9, kNone, kLong, 0.5, kNone},
        {"RetryAfterIsTheLeast", 2, Seconds(5), kLong, 0.5, Seconds(5)},
        {"RetryAfterBelowThePauseChangesNothing", 3, Milliseconds(10), kLong, 0.5,
         Milliseconds(100)},
        {"RetryAfterZeroChangesNothing", 2, absl::ZeroDuration(), kLong, 0.5, Milliseconds(50)},
        {"RetryAfterPastTheDeadlineEnds", 2, Seconds(61), kLong, 0.5, kNone},
        {"PauseThatEndsWithTheDeadlineEnds", 2, kNone, Milliseconds(50), 0.5, kNone},
        {"PauseJustBeforeTheDeadline", 2, kNone, Milliseconds(51), 0.5, Milliseconds(50)},
        {"DeadlinePassedEndsEvenAtOnce", 2, kNone, absl::ZeroDuration(), 0.0, kNone},
        {"DeadlineLongPassed", 2, kNone, Seconds(-1), 0.0, kNone},
        {"NoDeadline", 2, kNone, absl::InfiniteDuration(), 1.0, Milliseconds(100)},
    }),
    [](const auto& info) { return info.param.name; });

TEST(RetryPause, IsNeverMadeWithOneAttempt) {
  EXPECT_EQ(PauseBefore(2, {.attempts = 1}, kNone, kLong, 0.5), kNone);
}

TEST(RetryBudget, EndsWithHalfOfTheTokensGone) {
  RetryBudget budget(10);
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(budget.Take()) << i;
  EXPECT_FALSE(budget.Take());
  EXPECT_FALSE(budget.Take());
}

TEST(RetryBudget, GetsATenthBackForASuccess) {
  RetryBudget budget(10);
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(budget.Take());
  for (int i = 0; i < 11; ++i) budget.Succeeded();
  EXPECT_TRUE(budget.Take());
  EXPECT_FALSE(budget.Take());
}

TEST(RetryBudget, IsNeverMoreThanFull) {
  RetryBudget budget(10);
  for (int i = 0; i < 1000; ++i) budget.Succeeded();
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(budget.Take()) << i;
  EXPECT_FALSE(budget.Take());
}

TEST(RetryBudget, RecoversFromAnyNumberOfFailures) {
  RetryBudget budget(10);
  for (int i = 0; i < 1000; ++i) budget.Take();
  // Empty is the least: five to the half, one for the next.
  for (int i = 0; i < 61; ++i) budget.Succeeded();
  EXPECT_TRUE(budget.Take());
}

}  // namespace
}  // namespace ipp::upstream
