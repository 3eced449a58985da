#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/shared/work.h"
#include "tests/support/fake_shared_tables.h"

// Random pods, crashes, expiries, settlements, redrives and clocks against the promises of a shared
// subscription: every event is acknowledged or parked, in the order of its session, one of a
// session at a time, and an acknowledged event is not delivered again.
namespace ipp::shared {
namespace {

namespace v1 = kustom::ipp::v1;

constexpr int kSessions = 5;
constexpr int kAttempts = 3;

// A delivery, as the pod that got it knows it.
struct Delivery {
  SessionKey session;
  int64_t position = 0;
  uint64_t lease = 0;
  absl::Time until;
  bool given_up = false;  // settled, or handed back
};

class World {
 public:
  explicit World(uint64_t seed) : random_(seed) {
    target_.id = 7;
    target_.rules = {.lease = absl::Seconds(30), .max_attempts = kAttempts};
    target_.matches = [](const StoredEvent& event) {
      return event.type != v1::SESSION_EVENT_TYPE_ACTIVATED;
    };
    store::SharedRecord record;
    record.id = 7;
    record.caller = "shop";
    record.name = "orders";
    Check(tables_.Insert(record));
  }

  void Step() {
    latest_now_ = std::max(latest_now_, now_);
    tables_.set_now(now_);
    switch (Pick(9)) {
      case 0:
      case 1:
        return Append();
      case 2:
      case 3:
        return ClaimSome();
      case 4:
      case 5:
        return SettleSome();
      case 6:
        now_ += absl::Milliseconds(Pick(2000));
        return;
      case 7:
        // A pod that has crashed, or all of them: leases expire. Or the clock is set back.
        if (Pick(4) == 0) now_ += absl::Seconds(Pick(100));
        if (Pick(40) == 0) now_ -= absl::Seconds(Pick(20));
        return;
      case 8:
        if (Pick(5) == 0) RedriveSome();
        return;
    }
  }

  // Pods that work: everything comes to an end.
  void Finish() {
    for (int idle = 0; idle < 3;) {
      now_ += absl::Minutes(10);
      latest_now_ = std::max(latest_now_, now_);
      tables_.set_now(now_);
      const size_t before = deliveries_.size();
      ClaimWith(16);
      std::vector<Settlement> settlements;
      for (size_t i = before; i < deliveries_.size(); ++i) {
        settlements.push_back(Of(deliveries_[i], Action::kAcknowledge));
      }
      idle = settlements.empty() ? idle + 1 : 0;
      SettleThese(settlements);
    }
    for (const auto& [position, event] : log_) {
      if (!target_.matches(event)) continue;
      const bool parked = rows_.parked.contains({7, position});
      EXPECT_NE(acknowledged_.contains(position), parked) << position;
    }
    for (const auto& [key, head] : rows_.heads) EXPECT_EQ(head.position, 0);
  }

 private:
  int Pick(int below) { return static_cast<int>(random_() % static_cast<uint64_t>(below)); }
  static void Check(const absl::Status& status) { ASSERT_TRUE(status.ok()) << status; }
  Target NewTarget() {
    Target target = target_;
    target.seed = random_();
    return target;
  }

  void Append() {
    StoredEvent event;
    event.position = static_cast<int64_t>(log_.size()) + 1;
    event.merchant_id = "m";
    event.session_id = absl::StrCat("s", Pick(kSessions));
    event.type = Pick(4) == 0 ? v1::SESSION_EVENT_TYPE_ACTIVATED : v1::SESSION_EVENT_TYPE_CREATED;
    v1::SessionEvent payload;
    payload.set_event_id(absl::StrCat("e", event.position));
    event.payload = payload.SerializeAsString();
    log_.emplace(event.position, std::move(event));
    tables_.set_range(1, static_cast<int64_t>(log_.size()));
  }

  void ClaimSome() { ClaimWith(1 + Pick(4)); }

  void ClaimWith(int free) {
    const std::vector<Slot> slots = {{.consumer = "a", .free = free},
                                     {.consumer = "b", .free = Pick(3)}};
    const auto claimed = Claim(tables_, NewTarget(), slots);
    ASSERT_TRUE(claimed.ok()) << claimed.status();
    ASSERT_EQ(claimed->found, Found::kYes);
    std::map<size_t, int> of_slot;
    for (const Leased& leased : claimed->leased) {
      ++of_slot[leased.slot];
      Deliver(leased);
    }
    for (const auto& [slot, count] : of_slot) EXPECT_LE(count, slots[slot].free);
  }

  void Deliver(const Leased& leased) {
    const SessionKey session(leased.head.merchant_id, leased.head.session_id);
    const int64_t position = leased.event.position;
    EXPECT_EQ(EventIdOf(leased.event), absl::StrCat("e", position));
    EXPECT_FALSE(acknowledged_.contains(position)) << "delivered again: " << position;
    EXPECT_LE(leased.head.attempts, kAttempts);
    EXPECT_GE(leased.head.attempts, 1);
    for (const Delivery& other : deliveries_) {
      if (other.session != session || other.given_up) continue;
      EXPECT_LE(other.until, latest_now_) << "two of one session are out";
    }
    if (!leased.head.redriven) {
      EXPECT_GE(position, furthest_[session]) << "out of order";
      furthest_[session] = position;
    }
    deliveries_.push_back({session, position, leased.head.lease, leased.head.leased_until});
    newest_[session] = leased.head.lease;
  }

  static Settlement Of(const Delivery& delivery, Action action) {
    return {.session = delivery.session,
            .position = delivery.position,
            .lease = delivery.lease,
            .action = action,
            .extend_by = absl::Seconds(40),
            .reason = "no"};
  }

  void SettleSome() {
    std::vector<Settlement> settlements;
    for (int i = Pick(4); i >= 0 && !deliveries_.empty(); --i) {
      // Usually one of the last ones; sometimes one of long ago.
      const size_t size = deliveries_.size();
      const size_t at =
          Pick(5) == 0 ? random_() % size : size - 1 - random_() % std::min<size_t>(size, 6);
      const Action action = Pick(2) == 0 ? Action::kAcknowledge : kActions[Pick(5)];
      settlements.push_back(Of(deliveries_[at], action));
    }
    SettleThese(settlements);
    if (Pick(4) == 0) SettleThese(settlements);  // the answer was lost
  }

  void SettleThese(const std::vector<Settlement>& settlements) {
    if (settlements.empty()) return;
    const auto settled = Settle(tables_, NewTarget(), settlements);
    ASSERT_TRUE(settled.ok()) << settled.status();
    ASSERT_EQ(settled->settled.size(), settlements.size());
    for (size_t i = 0; i < settlements.size(); ++i) Note(settlements[i], settled->settled[i]);
  }

  void Note(const Settlement& settlement, const Settled& result) {
    const auto delivery =
        std::find_if(deliveries_.begin(), deliveries_.end(),
                     [&](const Delivery& d) { return d.lease == settlement.lease; });
    ASSERT_NE(delivery, deliveries_.end());
    const bool newest = newest_[settlement.session] == settlement.lease;
    switch (result.outcome) {
      case Outcome::kExtended:
        EXPECT_TRUE(newest);
        EXPECT_FALSE(delivery->given_up);
        delivery->until = result.expires_at;
        break;
      case Outcome::kSettled:
        EXPECT_TRUE(newest);
        EXPECT_FALSE(delivery->given_up);
        if (settlement.action == Action::kAcknowledge) {
          EXPECT_TRUE(acknowledged_.insert(settlement.position).second);
          acknowledged_by_[settlement.session].push_back(settlement.lease);
        }
        delivery->given_up = true;
        settled_.insert(settlement.lease);
        break;
      case Outcome::kAlreadySettled:
        EXPECT_TRUE(settled_.contains(settlement.lease));
        break;
      case Outcome::kLeaseLost:
        EXPECT_FALSE(JustAcknowledged(settlement)) << "a repetition is not recognised";
        break;
    }
  }

  // Fewer leases of its session than are remembered were settled since.
  bool JustAcknowledged(const Settlement& settlement) {
    const std::vector<uint64_t>& leases = acknowledged_by_[settlement.session];
    const auto first =
        leases.end() - static_cast<std::ptrdiff_t>(std::min(leases.size(), kSettledLeases / 4));
    return std::find(first, leases.end(), settlement.lease) != leases.end();
  }

  void RedriveSome() {
    ParkedChoice choice;
    if (Pick(2) == 0) choice.limit = 2;
    const auto redriven = Redrive(tables_, NewTarget(), choice);
    ASSERT_TRUE(redriven.ok()) << redriven.status();
  }

  std::mt19937_64 random_;
  Target target_;
  std::map<int64_t, StoredEvent> log_;
  store::FakeSharedRows rows_;
  store::FakeSharedTables tables_{&rows_, &log_};
  absl::Time now_ = absl::FromUnixSeconds(1'700'000'000);
  // A lease that had expired stays expired when the clock is set back.
  absl::Time latest_now_ = now_;
  std::vector<Delivery> deliveries_;
  std::map<SessionKey, uint64_t> newest_;
  std::map<SessionKey, int64_t> furthest_;
  std::set<int64_t> acknowledged_;
  std::map<SessionKey, std::vector<uint64_t>> acknowledged_by_;
  std::set<uint64_t> settled_;
};

TEST(SharedPropertyTest, EveryEventIsAcknowledgedOrParkedOnce) {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    World world(seed);
    for (int i = 0; i < 300; ++i) world.Step();
    world.Finish();
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace ipp::shared
