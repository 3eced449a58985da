#include <algorithm>
#include <random>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "server/sessions/session_state.h"
#include "tests/sessions/session_news.h"

// Random lives of a session, heard of with losses, repeats and in any order.
namespace ipp::sessions {
namespace {

using namespace fixtures;  // NOLINT: the words of these tests

// What the upstream really went through, and all that it could tell of it.
struct Life {
  v1::SessionStatus end;
  std::vector<News> webhooks;
  std::vector<News> reads;  // answers that were true at some time
};

Life RandomLife(std::mt19937& random) {
  const auto chance = [&](int percent) { return static_cast<int>(random() % 100) < percent; };
  constexpr v1::SessionStatus kEnds[] = {v1::SESSION_STATUS_FINALIZED, v1::SESSION_STATUS_CANCELLED,
                                         v1::SESSION_STATUS_EXPIRED,   v1::SESSION_STATUS_FAILED,
                                         v1::SESSION_STATUS_ACTIVE,    v1::SESSION_STATUS_CREATED};
  Life life{kEnds[random() % std::size(kEnds)], {}, {}};
  int id = 0;
  const auto hears = [&](v1::SessionEventType type) {
    life.webhooks.push_back(Webhook(type));
    life.webhooks.back().event_id = absl::StrCat("kevt_", ++id);
  };
  hears(v1::SESSION_EVENT_TYPE_CREATED);
  life.reads.push_back(Answer(v1::SESSION_STATUS_CREATED));
  const bool active = life.end != v1::SESSION_STATUS_CREATED &&
                      (life.end == v1::SESSION_STATUS_FINALIZED ||
                       life.end == v1::SESSION_STATUS_ACTIVE || chance(50));
  if (active) {
    hears(v1::SESSION_EVENT_TYPE_ACTIVATED);
    life.reads.push_back(Answer(v1::SESSION_STATUS_ACTIVE));
    while (chance(30)) hears(v1::SESSION_EVENT_TYPE_PAYMENT_FAILED);
  }
  if (life.end == v1::SESSION_STATUS_FINALIZED || life.end == v1::SESSION_STATUS_CANCELLED) {
    hears(EventFor(life.end));
  }
  if (chance(30)) hears(v1::SESSION_EVENT_TYPE_UNSPECIFIED);
  life.reads.push_back(Answer(life.end, v1::SESSION_EVENT_SOURCE_RECONCILIATION));
  return life;
}

// Some are lost, some come twice, none waits for another.
std::vector<News> Mangle(const Life& life, std::mt19937& random) {
  std::vector<News> heard;
  for (const std::vector<News>* all : {&life.webhooks, &life.reads}) {
    for (const News& news : *all) heard.insert(heard.end(), random() % 3, news);
  }
  std::shuffle(heard.begin(), heard.end(), random);
  return heard;
}

struct Result {
  std::optional<store::SessionRecord> record;
  std::vector<v1::SessionEvent> events;
  int disagreements = 0;
};

// Feeds it all in, and looks at every step.
Result Live(const std::vector<News>& heard) {
  Result result;
  for (const News& news : heard) {
    const Step step = Advance(result.record, news);
    if (step.record) {
      if (result.record) {
        const v1::SessionStatus before = result.record->session.status();
        const v1::SessionStatus after = step.record->session.status();
        EXPECT_GE(Rank(after), Rank(before)) << "a step back";
        if (IsFinal(before) && step.verdict != Verdict::kCorrected) {
          EXPECT_EQ(after, before) << "a final status changed";
        }
        EXPECT_GE(step.record->complete, result.record->complete);
      }
      EXPECT_EQ(step.record->open, !IsFinal(step.record->session.status()));
      result.record = step.record;
    }
    for (const store::NewEvent& event : step.events) result.events.push_back(event.event);
    if (step.verdict == Verdict::kDisagrees) ++result.disagreements;
  }
  return result;
}

int Terminal(const std::vector<v1::SessionEvent>& events) {
  return static_cast<int>(std::count_if(events.begin(), events.end(), [](const auto& event) {
    return IsFinal(StatusAfter(event.type()));
  }));
}

TEST(SessionProperty, EndsAsTheUpstreamOnceAReadSucceeded) {
  for (unsigned seed = 0; seed < 1000; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    std::mt19937 random(seed);
    const Life life = RandomLife(random);
    std::vector<News> heard = Mangle(life, random);
    heard.push_back(life.reads.back());

    const Result result = Live(heard);
    ASSERT_TRUE(result.record);
    EXPECT_EQ(result.record->session.status(), life.end);
    EXPECT_EQ(Terminal(result.events), IsFinal(life.end) ? 1 : 0);
    EXPECT_EQ(result.disagreements, 0);
    // Told at most once each, save failed payments and what we do not know, which are told apart by
    // the store's memory of event ids.
    for (int t = 1; t < v1::SessionEventType_ARRAYSIZE; ++t) {
      if (t == v1::SESSION_EVENT_TYPE_PAYMENT_FAILED) continue;
      EXPECT_LE(std::count_if(result.events.begin(), result.events.end(),
                              [t](const auto& event) { return event.type() == t; }),
                1);
    }

    std::shuffle(heard.begin(), heard.end(), random);
    heard.push_back(life.reads.back());
    EXPECT_EQ(Live(heard).record->session.status(), life.end) << "another order, another end";
    if (testing::Test::HasFailure()) return;
  }
}

// What it hears may contradict itself; a read that succeeds settles it all the same.
TEST(SessionProperty, TellsOneTerminalEventAlsoWhenTheUpstreamContradictsItself) {
  for (unsigned seed = 0; seed < 1000; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    std::mt19937 random(seed);
    const Life first = RandomLife(random);
    const Life second = RandomLife(random);
    std::vector<News> heard = Mangle(first, random);
    const std::vector<News> other = Mangle(second, random);
    heard.insert(heard.end(), other.begin(), other.end());
    std::shuffle(heard.begin(), heard.end(), random);

    EXPECT_LE(Terminal(Live(heard).events), 1);

    if (!IsFinal(second.end)) continue;
    heard.push_back(Answer(second.end, v1::SESSION_EVENT_SOURCE_RECONCILIATION));
    const Result result = Live(heard);
    EXPECT_EQ(result.record->session.status(), second.end);
    EXPECT_EQ(Terminal(result.events), 1);
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace ipp::sessions
