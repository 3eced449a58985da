#include "server/upstream/retry_after.h"

#include <gtest/gtest.h>

#include <optional>
#include <ostream>
#include <string>

namespace ipp::upstream {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'790'000'000);  // Mon, 21 Sep 2026 14:13:20 GMT

struct WaitRow {
  std::string name;
  std::string value;
  std::string date;
  std::optional<absl::Duration> wait;
};
void PrintTo(const WaitRow& row, std::ostream* out) { *out << row.name; }

class RetryAfter : public testing::TestWithParam<WaitRow> {};

TEST_P(RetryAfter, IsReadAndBounded) {
  EXPECT_EQ(ParseRetryAfter(GetParam().value, GetParam().date, kNow), GetParam().wait);
}

INSTANTIATE_TEST_SUITE_P(
    Table, RetryAfter,
    testing::Values(
        WaitRow{"Zero", "0", "", absl::ZeroDuration()}, WaitRow{"Seven", "7", "", absl::Seconds(7)},
        WaitRow{"Spaces", " 7 ", "", absl::Seconds(7)},
        WaitRow{"AnHour", "3600", "", absl::Hours(1)},
        WaitRow{"MoreThanAnHour", "3601", "", kLongestRetryAfter},
        WaitRow{"ADay", "86400", "", kLongestRetryAfter},
        WaitRow{"Huge", "99999999999999999999", "", kLongestRetryAfter},
        WaitRow{"Negative", "-1", "", std::nullopt}, WaitRow{"Fraction", "1.5", "", std::nullopt},
        WaitRow{"Words", "soon", "", std::nullopt}, WaitRow{"Empty", "", "", std::nullopt},
        WaitRow{"Date", "Mon, 21 Sep 2026 14:13:50 GMT", "", absl::Seconds(30)},
        WaitRow{"DateOfRfc850", "Monday, 21-Sep-26 14:13:50 GMT", "", absl::Seconds(30)},
        WaitRow{"DateOfAsctime", "Mon Sep 21 14:13:50 2026", "", absl::Seconds(30)},
        WaitRow{"DateFromTheAnswersOwn", "Wed, 05 Nov 2025 08:00:09 GMT",
                "Wed, 05 Nov 2025 08:00:00 GMT", absl::Seconds(9)},
        WaitRow{"DateFromAnAnswerWithNoDate", "Mon, 21 Sep 2026 14:13:50 GMT", "today",
                absl::Seconds(30)},
        WaitRow{"DatePast", "Mon, 21 Sep 2026 14:13:00 GMT", "", absl::ZeroDuration()},
        WaitRow{"DateFarAhead", "Mon, 21 Sep 2099 14:13:50 GMT", "", kLongestRetryAfter},
        WaitRow{"DateThatIsNone", "Mon, 41 Sep 2026 14:13:50 GMT", "", std::nullopt},
        WaitRow{"DateWithoutZone", "Mon, 21 Sep 2026 14:13:50", "", std::nullopt}),
    [](const auto& info) { return info.param.name; });

TEST(HttpDate, HasEachOfTheThreeForms) {
  const absl::Time time = absl::FromUnixSeconds(784'111'777);
  for (const char* text : {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
                           "Sun Nov  6 08:49:37 1994"}) {
    EXPECT_EQ(ParseHttpDate(text, kNow), time) << text;
  }
}

TEST(HttpDate, OfTwoDigitsIsNotFarAhead) {
  const auto year = [](const char* text) {
    return absl::ToCivilYear(*ParseHttpDate(text, kNow), absl::UTCTimeZone()).year();
  };
  EXPECT_EQ(year("Sunday, 06-Nov-60 08:49:37 GMT"), 2060);
  EXPECT_EQ(year("Sunday, 06-Nov-94 08:49:37 GMT"), 1994);
}

}  // namespace
}  // namespace ipp::upstream
