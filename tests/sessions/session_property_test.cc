#include <algorithm>
#include <random>
#include <set>
#include <string>
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
  std::vector<SessionUpdate> webhooks;
  std::vector<SessionUpdate> reads;  // answers that were true at some time
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
std::vector<SessionUpdate> Mangle(const Life& life, std::mt19937& random) {
  std::vector<SessionUpdate> heard;
  for (const std::vector<SessionUpdate>* all : {&life.webhooks, &life.reads}) {
    for (const SessionUpdate& news : *all) heard.insert(heard.end(), random() % 3, news);
  }
  std::shuffle(heard.begin(), heard.end(), random);
  return heard;
}

struct Result {
  std::optional<store::SessionRecord> record;
  std::vector<v1::SessionEvent> events;
  int disagreements = 0;
};

// Whether `event` shows what a filter looks at.
bool IsWhole(const v1::SessionEvent& event) { return !event.session().device_id().empty(); }

// Feeds it all in, a webhook once as the store does, and looks at every step.
Result Live(const std::vector<SessionUpdate>& heard) {
  Result result;
  std::set<std::string> seen;
  std::set<std::string> ids;
  for (const SessionUpdate& news : heard) {
    if (!news.event_id.empty() && !seen.insert(news.event_id).second) continue;
    const Step step = Advance(result.record, news);
    if (step.record) {
      if (result.record) {
        const v1::SessionStatus before = result.record->session.status();
        const v1::SessionStatus after = step.record->session.status();
        EXPECT_GE(Rank(after), Rank(before)) << "a step back";
        if (IsFinal(before) && step.effect != UpdateEffect::kCorrected) {
          EXPECT_EQ(after, before) << "a final status changed";
        }
        EXPECT_GE(step.record->complete, result.record->complete);
      }
      EXPECT_EQ(step.record->open, !IsFinal(step.record->session.status()));
      result.record = step.record;
    }
    for (const store::NewEvent& event : step.events) {
      EXPECT_TRUE(ids.insert(event.event.event_id()).second) << event.event.event_id();
      if (event.event.type() == v1::SESSION_EVENT_TYPE_DETAILS) {
        const v1::SessionEvent& details = event.event;
        EXPECT_TRUE(std::none_of(result.events.begin(), result.events.end(),
                                 [&](const auto& told) {
                                   return IsWhole(told) &&
                                          told.request_id() == details.request_id();
                                 }) ||
                    details.session().status() == v1::SESSION_STATUS_FINALIZED)
            << "nothing was missing";
      }
      result.events.push_back(event.event);
    }
    // Once a session is known whole, an event has shown the whole of it.
    if (result.record && result.record->complete && !result.events.empty()) {
      EXPECT_TRUE(std::any_of(result.events.begin(), result.events.end(),
                              [](const auto& told) { return IsWhole(told); }));
    }
    if (step.effect == UpdateEffect::kDisagrees) ++result.disagreements;
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
    std::vector<SessionUpdate> heard = Mangle(life, random);
    heard.push_back(life.reads.back());

    const Result result = Live(heard);
    ASSERT_TRUE(result.record);
    EXPECT_EQ(result.record->session.status(), life.end);
    EXPECT_EQ(Terminal(result.events), IsFinal(life.end) ? 1 : 0);
    EXPECT_EQ(result.disagreements, 0);
    // At most one event each, except failed payments and unknown statuses, which are told apart by
    // the store's memory of event ids.
    for (int t = 1; t < v1::SessionEventType_ARRAYSIZE; ++t) {
      if (t == v1::SESSION_EVENT_TYPE_PAYMENT_FAILED) continue;
      if (t == v1::SESSION_EVENT_TYPE_DETAILS) continue;  // the order may come after the rest
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
    Life second = RandomLife(random);
    for (SessionUpdate& webhook : second.webhooks) webhook.event_id += "_again";
    std::vector<SessionUpdate> heard = Mangle(first, random);
    const std::vector<SessionUpdate> other = Mangle(second, random);
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

// An upstream that changes its mind again and again, and each time a read proves it.
TEST(SessionProperty, GivesEveryEventAnIdOfItsOwnHoweverOftenItIsCorrected) {
  for (unsigned seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    std::mt19937 random(seed);
    std::vector<SessionUpdate> heard = Mangle(RandomLife(random), random);
    int id = 0;
    for (int turn = 0; turn < 8; ++turn) {
      const auto end = static_cast<v1::SessionStatus>(v1::SESSION_STATUS_FINALIZED + random() % 4);
      v1::Session session = WholeSession(end);
      if (random() % 2 == 0) session.clear_order_id();
      if (random() % 2 == 0) session.mutable_purchase_completed_at()->set_seconds(1);
      SessionUpdate read =
          Answer(session, random() % 3 == 0 ? v1::SESSION_EVENT_SOURCE_API
                                            : v1::SESSION_EVENT_SOURCE_RECONCILIATION);
      if (random() % 4 == 0) read.request_id = "request-1";
      heard.push_back(std::move(read));
      if (random() % 2 == 0) {
        heard.push_back(Webhook(random() % 2 == 0 ? v1::SESSION_EVENT_TYPE_FINALIZED
                                                  : v1::SESSION_EVENT_TYPE_CANCELLED));
        heard.back().event_id = absl::StrCat("kevt_late_", ++id);
      }
    }
    EXPECT_EQ(Terminal(Live(heard).events), 1);
    if (testing::Test::HasFailure()) return;
  }
}

// An answer with some fields that are there, some that are not, and some that could not be read.
SessionUpdate RandomAnswer(v1::SessionStatus status, std::mt19937& random) {
  const auto chance = [&] { return random() % 2 == 0; };
  v1::Session session = WholeSession(status);
  if (chance()) session.set_merchant_data("a basket");
  for (auto items = random() % 3; items > 0; --items) session.add_order_items()->set_quantity(2);
  const auto unreadable = [&](const char* path, auto clear) {
    if (random() % 3 != 0) return;
    clear();
    session.add_unreadable_fields(path);
  };
  unreadable("order_amount", [&] { session.clear_order_amount(); });
  unreadable("merchant_data", [&] { session.clear_merchant_data(); });
  unreadable("purchase_started_at", [] {});
  for (const char* path : {"order_items[].quantity", "order_items[].unit_price",
                           "order_items[].total_amount", "order_items[].tax_rate"}) {
    unreadable(path, [&] {
      for (v1::OrderItem& item : *session.mutable_order_items()) item.clear_quantity();
    });
  }
  return Answer(std::move(session));
}

// A session that stays open is read again and again: what is kept of it must not grow with that.
TEST(SessionProperty, KeepsARecordAsItIsWhenTheSameAnswerIsHeardAgain) {
  for (unsigned seed = 0; seed < 1000; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    std::mt19937 random(seed);
    std::optional<store::SessionRecord> record;
    for (int turn = 0; turn < 8; ++turn) {
      const SessionUpdate news =
          RandomAnswer(turn < 4 ? v1::SESSION_STATUS_CREATED : v1::SESSION_STATUS_ACTIVE, random);
      const Step step = Advance(record, news);
      if (step.record) record = step.record;
      const auto& paths = record->session.unreadable_fields();
      EXPECT_EQ(std::set<std::string>(paths.begin(), paths.end()).size(),
                static_cast<size_t>(paths.size()))
          << record->session.ShortDebugString();
      const Step again = Advance(record, news);
      EXPECT_EQ(again.effect, UpdateEffect::kRepeated) << record->session.ShortDebugString();
      EXPECT_FALSE(again.record);
    }
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace ipp::sessions
