#include "tests/faults/metrics_check.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/faults/story.h"

namespace ipp::faults {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr char kMetrics[] = R"(# HELP ipp_events_gaps_total Gaps; must be 0.
ipp_events_gaps_total 0
ipp_events_duplicates_total 0
ipp_events_order_violations_total 0
ipp_webhooks_total{result="accepted"} 5
ipp_webhooks_total{result="bad_signature"} 0
ipp_webhooks_total{result="malformed"} 0
ipp_webhooks_total{result="wrong_merchant"} 0
ipp_webhooks_total{result="ignored"} 0
ipp_webhooks_total{result="store_failed"} 0
ipp_session_events_total{source="webhook",type="created"} 4
ipp_session_events_total{source="reconciliation",type="expired"} 3
)";

std::vector<std::string> FindIn(const std::string& metrics, bool alone = true) {
  return FindInMetrics(metrics, Tell(GoodStory()),
                       {.started_at = absl::UnixEpoch(), .counts_all = alone});
}

TEST(MetricsCheck, IsContentWithZeroesAndTheTrueCount) { EXPECT_THAT(FindIn(kMetrics), IsEmpty()); }

TEST(MetricsCheck, FindsWhatMustNotBe) {
  const auto with = [](const std::string& from, const std::string& to) {
    std::string text = kMetrics;
    text.replace(text.find(from), from.size(), to);
    return text;
  };
  EXPECT_THAT(FindIn(with("gaps_total 0", "gaps_total 1")),
              Contains("ipp_events_gaps_total is 1, must be 0"));
  EXPECT_THAT(FindIn(with("ipp_events_duplicates_total 0", "")),
              Contains("ipp_events_duplicates_total is -1, must be 0"));
  EXPECT_THAT(FindIn(with("malformed\"} 0", "malformed\"} 2")),
              Contains("ipp_webhooks_total{result=\"malformed\"} is 2"));
  const std::string fewer = with("expired\"} 3", "expired\"} 2");
  EXPECT_THAT(FindIn(fewer), Contains(HasSubstr("ipp_session_events_total is 6")));
  EXPECT_THAT(FindIn(fewer, false), IsEmpty());
  EXPECT_THAT(FindIn(with("expired\"} 3", "expired\"} 4"), false),
              Contains(HasSubstr("since the start 7 events were seen")));
}

}  // namespace
}  // namespace ipp::faults
