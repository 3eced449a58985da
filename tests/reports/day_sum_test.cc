#include "server/reports/day_sum.h"

#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <ostream>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "google/protobuf/util/message_differencer.h"
#include "gtest/gtest.h"
#include "server/base/error.h"
#include "server/base/protobuf_time.h"

namespace ipp::reports {
namespace {

namespace v1 = kustom::ipp::v1;

const Day kDay{absl::FromUnixSeconds(86400), absl::FromUnixSeconds(2 * 86400)};

// An event `hours` after the day began.
v1::SessionEvent Event(const std::string& session, v1::SessionEventType type, double hours) {
  v1::SessionEvent event;
  event.set_type(type);
  event.set_session_id(session);
  event.set_source(v1::SESSION_EVENT_SOURCE_WEBHOOK);
  *event.mutable_occurred_at() = ToTimestamp(kDay.starts_at + hours * absl::Hours(1));
  return event;
}

v1::SessionEvent Whole(v1::SessionEvent event, const std::string& device, int64_t amount,
                       const std::string& currency = "SEK") {
  event.mutable_session()->set_device_id(device);
  event.mutable_session()->set_order_amount(amount);
  event.mutable_session()->set_purchase_currency(currency);
  return event;
}

v1::SessionEvent Corrected(v1::SessionEvent event, v1::SessionStatus status) {
  event.mutable_session()->set_status(status);
  return event;
}

constexpr auto kCreated = v1::SESSION_EVENT_TYPE_CREATED;
constexpr auto kActivated = v1::SESSION_EVENT_TYPE_ACTIVATED;
constexpr auto kFinalized = v1::SESSION_EVENT_TYPE_FINALIZED;
constexpr auto kCancelled = v1::SESSION_EVENT_TYPE_CANCELLED;
constexpr auto kExpired = v1::SESSION_EVENT_TYPE_EXPIRED;
constexpr auto kCorrected = v1::SESSION_EVENT_TYPE_CORRECTED;
constexpr auto kDetails = v1::SESSION_EVENT_TYPE_DETAILS;

v1::GetDayReportResponse Sum(const std::vector<v1::SessionEvent>& events,
                             absl::flat_hash_set<std::string> devices = {}) {
  DaySum sum(kDay, std::move(devices), 100000);
  int64_t position = 0;
  for (const v1::SessionEvent& event : events) EXPECT_TRUE(sum.Add(++position, event).ok());
  v1::GetDayReportResponse report;
  EXPECT_TRUE(sum.Write(&report).ok());
  return report;
}

// "SEK ended 3:2 4:1 paid 2 300 ?0 open 1 corrected 0 0 lost 1", one for each currency.
std::string Text(const google::protobuf::RepeatedPtrField<v1::DayTotal>& totals) {
  std::string text;
  for (const v1::DayTotal& total : totals) {
    absl::StrAppend(&text, text.empty() ? "" : "; ", total.currency(), " ended");
    for (const v1::StatusCount& count : total.ended()) {
      absl::StrAppend(&text, " ", static_cast<int>(count.status()), ":", count.count());
    }
    absl::StrAppend(&text, " paid ", total.paid_count(), " ", total.paid_amount(), " ?",
                    total.paid_amount_unknown_count(), " open ", total.open_count(), " corrected ",
                    total.corrected_count(), " ", total.corrected_paid_amount(), " lost ",
                    total.webhook_lost_count());
  }
  return text;
}

struct Row {
  const char* name;
  std::vector<v1::SessionEvent> events;
  const char* totals;
};

v1::SessionEvent Lost(v1::SessionEvent event) {
  event.set_source(v1::SESSION_EVENT_SOURCE_RECONCILIATION);
  return event;
}

std::vector<Row> Rows() {
  const auto created = Whole(Event("s", kCreated, 1), "d", 100);
  const auto paid = Whole(Event("s", kFinalized, 2), "d", 100);
  return {
      {"Nothing", {}, ""},
      {"Paid", {created, paid}, "SEK ended 3:1 paid 1 100 ?0 open 0 corrected 0 0 lost 0"},
      {"PaidOfTheDayBefore", {paid}, "SEK ended 3:1 paid 1 100 ?0 open 0 corrected 0 0 lost 0"},
      {"Open", {created}, "SEK ended paid 0 0 ?0 open 1 corrected 0 0 lost 0"},
      {"OpenSinceTheDayBefore", {Event("s", kActivated, 1)}, ""},
      {"PaidTheDayAfter", {created, Whole(Event("s", kFinalized, 24), "d", 100)}, ""},
      {"PaidAtTheLastMoment",
       {Whole(Event("s", kFinalized, 23.9999), "d", 100)},
       "SEK ended 3:1 paid 1 100 ?0 open 0 corrected 0 0 lost 0"},
      {"PaidBeforeTheDay", {Whole(Event("s", kFinalized, -0.0001), "d", 100)}, ""},
      {"WebhookLost",
       {created, Lost(paid)},
       "SEK ended 3:1 paid 1 100 ?0 open 0 corrected 0 0 lost 1"},
      {"CancelFoundByReading",
       {created, Lost(Event("s", kCancelled, 2))},
       "SEK ended 4:1 paid 0 0 ?0 open 0 corrected 0 0 lost 0"},
      {"AmountNotKnown",
       {Event("s", kFinalized, 2)},
       " ended 3:1 paid 1 0 ?1 open 0 corrected 0 0 lost 0"},
      {"AmountByDetailsOfAnotherDay",
       {Event("s", kFinalized, 2), Whole(Event("s", kDetails, 30), "d", 70)},
       "SEK ended 3:1 paid 1 70 ?0 open 0 corrected 0 0 lost 0"},
      {"DetailsOfASessionOfAnotherDay", {Whole(Event("s", kDetails, 2), "d", 70)}, ""},
      {"CorrectedToPaidTheDayAfter",
       {created, Event("s", kCancelled, 2),
        Corrected(Whole(Event("s", kCorrected, 30), "d", 100), v1::SESSION_STATUS_FINALIZED)},
       "SEK ended 3:1 paid 1 100 ?0 open 0 corrected 1 100 lost 0"},
      {"CorrectedToCancelled",
       {paid, Corrected(Whole(Event("s", kCorrected, 3), "d", 100), v1::SESSION_STATUS_CANCELLED)},
       "SEK ended 4:1 paid 0 0 ?0 open 0 corrected 1 0 lost 0"},
      {"CorrectionOfASessionOfAnotherDay",
       {Corrected(Whole(Event("s", kCorrected, 3), "d", 100), v1::SESSION_STATUS_FINALIZED)},
       ""},
      {"SecondEndIsNone",
       {paid, Event("s", kExpired, 3)},
       "SEK ended 3:1 paid 1 100 ?0 open 0 corrected 0 0 lost 0"},
      {"TwoCurrencies",
       {paid, Whole(Event("t", kFinalized, 2), "d", 5, "EUR"), Event("u", kExpired, 2)},
       " ended 5:1 paid 0 0 ?0 open 0 corrected 0 0 lost 0; EUR ended 3:1 paid 1 5 ?0 open 0 "
       "corrected 0 0 lost 0; SEK ended 3:1 paid 1 100 ?0 open 0 corrected 0 0 lost 0"},
  };
}

void PrintTo(const Row& row, std::ostream* out) { *out << row.name; }

class DaySumTable : public testing::TestWithParam<Row> {};
INSTANTIATE_TEST_SUITE_P(Events, DaySumTable, testing::ValuesIn(Rows()),
                         [](const auto& info) { return info.param.name; });

TEST_P(DaySumTable, CountsAsStated) {
  EXPECT_EQ(Text(Sum(GetParam().events).totals()), GetParam().totals);
}

TEST(DaySum, SplitsByDevice) {
  const std::vector<v1::SessionEvent> events = {Whole(Event("a", kFinalized, 1), "d2", 10),
                                                Whole(Event("b", kFinalized, 2), "d1", 20),
                                                Event("c", kExpired, 3)};
  const v1::GetDayReportResponse all = Sum(events);
  ASSERT_EQ(all.devices_size(), 3);
  EXPECT_EQ(all.devices(0).device_id(), "");
  EXPECT_EQ(all.devices(1).device_id(), "d1");
  EXPECT_EQ(all.devices(1).totals(0).paid_amount(), 20);
  EXPECT_EQ(all.devices(2).totals(0).paid_amount(), 10);
  const v1::GetDayReportResponse one = Sum(events, {"d1", "d9"});
  ASSERT_EQ(one.devices_size(), 1);
  EXPECT_EQ(Text(one.totals()), "SEK ended 3:1 paid 1 20 ?0 open 0 corrected 0 0 lost 0");
}

TEST(DaySum, RefusesADayOfTooManySessions) {
  DaySum sum(kDay, {}, 2);
  EXPECT_TRUE(sum.Add(1, Event("a", kCreated, 1)).ok());
  EXPECT_TRUE(sum.Add(2, Event("b", kCreated, 1)).ok());
  EXPECT_TRUE(sum.Add(3, Event("b", kFinalized, 1)).ok());
  EXPECT_TRUE(sum.Add(4, Event("c", kFinalized, 25)).ok()) << "of another day";
  const absl::Status status = sum.Add(5, Event("d", kFinalized, 1));
  EXPECT_TRUE(absl::IsResourceExhausted(status));
  EXPECT_EQ(GetErrorDetail(status).reason, "REPORT_TOO_LARGE");
}

TEST(DaySum, RefusesASumThatDoesNotFit) {
  DaySum sum(kDay, {}, 10);
  const int64_t most = std::numeric_limits<int64_t>::max();
  EXPECT_TRUE(sum.Add(1, Whole(Event("a", kFinalized, 1), "d", most)).ok());
  v1::GetDayReportResponse report;
  EXPECT_TRUE(sum.Write(&report).ok());
  EXPECT_TRUE(sum.Add(2, Whole(Event("b", kFinalized, 1), "d", 1)).ok());
  const absl::Status status = sum.Write(&report);
  EXPECT_EQ(GetErrorDetail(status).reason, "REPORT_TOO_LARGE") << status;
}

// ---- Against a naive model, over days that are 23, 24 and 25 hours long. ----

struct Life {
  double created;
  std::optional<double> ended;
  v1::SessionEventType end = kFinalized;
  bool lost = false;
  std::optional<v1::SessionStatus> corrected;
  int64_t amount = 0;
  std::string device;
};

TEST(DaySum, IsWhatAModelCountsWithEventsInAnyInterleavingAndTwice) {
  std::mt19937 random(11);
  const auto one_in = [&](unsigned n) { return random() % n == 0; };
  const std::vector<Day> days = {
      *DayOf("2026-03-28", "Europe/Stockholm"), *DayOf("2026-03-29", "Europe/Stockholm"),
      *DayOf("2026-03-30", "Europe/Stockholm"), *DayOf("2026-10-25", "Europe/Stockholm")};
  ASSERT_EQ(days[0].ends_at, days[1].starts_at);
  for (int round = 0; round < 40; ++round) {
    const absl::Time origin = days[round % 2 == 0 ? 1 : 3].starts_at;
    std::vector<std::pair<absl::Time, v1::SessionEvent>> log;  // by the time of recording
    std::vector<Life> lives(60);
    const auto say = [&](double at, double delay, v1::SessionEvent event) {
      *event.mutable_occurred_at() = ToTimestamp(origin + at * absl::Hours(1));
      log.emplace_back(origin + (at + delay) * absl::Hours(1), event);
    };
    for (size_t i = 0; i < lives.size(); ++i) {
      Life& life = lives[i];
      const std::string id = absl::StrCat("s", i);
      life.created = static_cast<double>(random() % 7200) / 100 - 24;
      life.amount = static_cast<int64_t>(random() % 1000);
      life.device = absl::StrCat("d", random() % 3);
      const bool ends = !one_in(4);
      // Of some only webhooks are known until after their end.
      const bool known = !ends || !one_in(3);
      const auto shown = [&](v1::SessionEvent event) {
        return known ? Whole(std::move(event), life.device, life.amount) : event;
      };
      say(life.created, 0, shown(Event(id, kCreated, 0)));
      if (one_in(2)) say(life.created + 0.1, 0.1, shown(Event(id, kActivated, 0)));
      if (!ends) continue;
      life.ended = life.created + static_cast<double>(random() % 600 + 20) / 100;
      life.lost = one_in(4);
      const bool paid = !one_in(3);
      life.end = paid ? kFinalized : kExpired;
      v1::SessionEvent end = shown(Event(id, life.end, 0));
      if (life.lost) end = Lost(end);
      say(*life.ended, life.lost ? 9 : 0, end);
      if (!known || one_in(3)) {
        say(*life.ended + 1, 10, Whole(Event(id, kDetails, 0), life.device, life.amount));
      }
      if (!one_in(5)) continue;
      life.corrected = paid ? v1::SESSION_STATUS_CANCELLED : v1::SESSION_STATUS_FINALIZED;
      say(*life.ended + 12, 12,
          Corrected(Whole(Event(id, kCorrected, 0), life.device, life.amount), *life.corrected));
    }
    std::stable_sort(log.begin(), log.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    for (const Day& day : days) {
      const bool only_one = one_in(2);
      DaySum sum(
          day,
          only_one ? absl::flat_hash_set<std::string>{"d1"} : absl::flat_hash_set<std::string>{},
          1000);
      int64_t position = 0;
      for (const auto& [at, event] : log) {
        ++position;
        EXPECT_TRUE(sum.Add(position, event).ok());
        if (one_in(3)) {
          EXPECT_TRUE(sum.Add(position, event).ok());
        }
      }
      v1::GetDayReportResponse report;
      ASSERT_TRUE(sum.Write(&report).ok());
      v1::DayTotal model;
      std::map<int, int64_t> ended;
      for (const Life& life : lives) {
        if (only_one && life.device != "d1") continue;
        const auto in_day = [&](double at) { return day.Holds(origin + at * absl::Hours(1)); };
        if (!life.ended) {
          model.set_open_count(model.open_count() + (in_day(life.created) ? 1 : 0));
          continue;
        }
        if (!in_day(*life.ended)) continue;
        const auto status = life.corrected.value_or(
            life.end == kFinalized ? v1::SESSION_STATUS_FINALIZED : v1::SESSION_STATUS_EXPIRED);
        ++ended[status];
        if (life.corrected) model.set_corrected_count(model.corrected_count() + 1);
        if (status != v1::SESSION_STATUS_FINALIZED) continue;
        model.set_paid_count(model.paid_count() + 1);
        model.set_paid_amount(model.paid_amount() + life.amount);
        if (life.corrected) {
          model.set_corrected_paid_amount(model.corrected_paid_amount() + life.amount);
        }
        if (life.lost && life.end == kFinalized) {
          model.set_webhook_lost_count(model.webhook_lost_count() + 1);
        }
      }
      for (const auto& [status, count] : ended) {
        v1::StatusCount& added = *model.add_ended();
        added.set_status(static_cast<v1::SessionStatus>(status));
        added.set_count(count);
      }
      model.set_currency("SEK");
      const bool empty = model.ended_size() == 0 && model.open_count() == 0;
      ASSERT_EQ(report.totals_size(), empty ? 0 : 1) << round;
      if (empty) continue;
      EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(report.totals(0), model))
          << report.totals(0).ShortDebugString() << "\nmodel " << model.ShortDebugString();
      int64_t of_devices = 0;
      for (const auto& device : report.devices()) of_devices += device.totals(0).paid_amount();
      EXPECT_EQ(of_devices, model.paid_amount());
    }
  }
}

}  // namespace
}  // namespace ipp::reports
