// What the runs do to the gateways beside killing them, and that the verdict knows of it.

#include "absl/strings/ascii.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "simulator/dialect.h"
#include "tests/faults/clock_steps.h"
#include "tests/faults/dialect_choice.h"
#include "tests/faults/letter_case.h"
#include "tests/faults/metrics_check.h"
#include "tests/faults/steps.h"
#include "tests/faults/story.h"
#include "tests/faults/verdict.h"
#include "tests/faults/work_directory.h"

namespace ipp::faults {
namespace {

namespace v1 = kustom::ipp::v1;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr char kId[] = "0a0b0c0d-0000-4000-8000-00000000abcd";

TEST(LetterCase, IsAnyAndAlwaysTheSameId) {
  std::mt19937_64 random(1);
  std::set<std::string> spellings;
  for (int i = 0; i < 200; ++i) {
    const std::string spelled = Respell(kId, &random);
    EXPECT_EQ(absl::AsciiStrToLower(spelled), kId);
    spellings.insert(spelled);
  }
  EXPECT_THAT(spellings, Contains(kId));
  EXPECT_THAT(spellings, Contains(absl::AsciiStrToUpper(kId)));
  EXPECT_GT(spellings.size(), 10u);
  std::mt19937_64 one(7);
  std::mt19937_64 other(7);
  EXPECT_EQ(Respell(kId, &one), Respell(kId, &other));
}

TEST(DialectChoice, DrawsEveryDialectThatKeepsReferences) {
  EXPECT_TRUE(IsDialectChoice("none"));
  EXPECT_TRUE(IsDialectChoice("gzip"));
  EXPECT_FALSE(IsDialectChoice("latin"));
  EXPECT_FALSE(IsDialectChoice("absent"));
  std::mt19937_64 random(1);
  std::set<std::string> drawn;
  for (int i = 0; i < 2000; ++i) drawn.insert(DrawDialect("random", &random));
  size_t wanted = 1;  // plain words
  for (const simulator::Dialect& dialect : simulator::DialectTable()) {
    if (dialect.keeps_references) ++wanted;
  }
  EXPECT_EQ(drawn.size(), wanted);
  EXPECT_EQ(DrawDialect("none", &random), "");
  EXPECT_EQ(DrawDialect("gzip", &random), "gzip");
}

TEST(ClockSteps, ComeAndGoAndAreHeld) {
  WorkDirectory directory;
  const std::vector<std::string> files = {directory.File("a"), directory.File("b")};
  {
    ClockSteps clocks(files, 1);
    clocks.WaitForSteps(1);
    EXPECT_GE(clocks.steps(), 1);
    const HeldClocks held(&clocks);
    for (const std::string& file : files) EXPECT_EQ(ReadFile(file), "+0\n");
  }
  for (const std::string& file : files) EXPECT_EQ(ReadFile(file), "+0\n");
  std::vector<std::string> words = {"program"};
  EXPECT_TRUE(PrefixWithClock(files[0], &words).ok());
  EXPECT_EQ(words.back(), "program");
  EXPECT_THAT(words, Contains("FAKETIME_TIMESTAMP_FILE=" + files[0]));
}

// The numbers of such a history do not add up by the clock.
TEST(ClockSteps, MayHaveWebhooksRefusedAndEventsDatedWrongly) {
  const std::string metrics =
      "ipp_events_gaps_total 0\nipp_events_duplicates_total 0\n"
      "ipp_events_order_violations_total 0\nipp_session_events_total{} 5\n"
      "ipp_webhooks_total{result=\"bad_signature\"} 3\nipp_webhooks_total{result=\"malformed\"} 0\n"
      "ipp_webhooks_total{result=\"wrong_merchant\"} 0\nipp_webhooks_total{result=\"ignored\"} 0\n"
      "ipp_webhooks_total{result=\"store_failed\"} 0\n";
  MetricsExpected expected{.started_at = absl::InfiniteFuture()};
  EXPECT_THAT(FindInMetrics(metrics, Tell(GoodStory()), expected),
              Contains(HasSubstr("bad_signature")));
  expected.clock_stepped = true;
  EXPECT_THAT(FindInMetrics(metrics, Tell(GoodStory()), expected), IsEmpty());
}

v1::SessionEvent DetailsOfPaid(const Story& story) {
  const auto paid = std::find_if(story.log.begin(), story.log.end(), [](const auto& event) {
    return event.type() == v1::SESSION_EVENT_TYPE_FINALIZED;
  });
  v1::SessionEvent details = *paid;
  details.set_event_id("g3");
  details.set_cursor("after all");
  details.set_type(static_cast<v1::SessionEventType>(9));
  details.set_source(v1::SESSION_EVENT_SOURCE_RECONCILIATION);
  return details;
}

TEST(Details, MayComeAtAnyTime) {
  for (const int place : {0, 2, 5, 7}) {
    Story story = GoodStory();
    story.log.insert(story.log.begin() + place, DetailsOfPaid(story));
    story.Spread();
    const Verdict verdict = Judge(Tell(story));
    EXPECT_THAT(verdict.wrong, IsEmpty()) << place;
    EXPECT_THAT(verdict.missing, IsEmpty()) << place;
  }
}

TEST(Details, TellTheOrderThatTheEndDidNot) {
  Story story = GoodStory();
  const v1::SessionEvent details = DetailsOfPaid(story);
  for (auto& event : story.log) {
    if (event.session_id() == details.session_id()) event.clear_order_id();
  }
  story.Spread();
  EXPECT_THAT(Judge(Tell(story)).missing, Contains(HasSubstr("no event tells its order")));
  story.log.push_back(details);
  story.Spread();
  const Verdict verdict = Judge(Tell(story));
  EXPECT_THAT(verdict.wrong, IsEmpty());
  EXPECT_THAT(verdict.missing, IsEmpty());
}

TEST(Details, AreTrueAndWhole) {
  const auto wrong = [](void (*spoil)(v1::SessionEvent&)) {
    Story story = GoodStory();
    v1::SessionEvent details = DetailsOfPaid(story);
    spoil(details);
    story.log.push_back(details);
    story.Spread();
    return Judge(Tell(story)).wrong;
  };
  EXPECT_THAT(wrong([](auto& event) { event.set_order_id("order-2"); }),
              Contains(HasSubstr("its order is 'order-2'")));
  EXPECT_THAT(wrong([](auto& event) { event.mutable_session()->clear_device_id(); }),
              Contains(HasSubstr("does not show the whole session")));
  EXPECT_THAT(wrong([](auto& event) { event.clear_request_id(); }),
              Contains(HasSubstr("its request is ''")));
  EXPECT_THAT(wrong([](auto& event) { event.set_event_id("k6"); }),
              Contains(HasSubstr("it has a webhook's id")));
}

TEST(Details, AreNoEnd) {
  const auto details = static_cast<v1::SessionEventType>(9);
  EXPECT_TRUE(IsDetails(details));
  EXPECT_FALSE(IsTerminal(details));
  EXPECT_FALSE(IsDetails(v1::SESSION_EVENT_TYPE_CORRECTED));
}

}  // namespace
}  // namespace ipp::faults
