#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <utility>

#include "server/shared/decide.h"

// What a second settlement of one lease is answered, for each first one and each second one. The
// answer to the first may have been lost, so the second may be a repetition; or the consumer has
// changed its mind, which is too late.
namespace ipp::shared {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'700'000'000);
constexpr uint64_t kLease = 5;
constexpr Rules kRules{.lease = absl::Seconds(30), .max_attempts = 3};

SharedHead OutHead(int32_t attempts) {
  SharedHead head;
  head.merchant_id = "m";
  head.session_id = "s";
  head.position = 1;
  head.attempts = attempts;
  head.lease = kLease;
  head.out = true;
  head.leased_until = kNow + absl::Seconds(30);
  return head;
}

SettleWrites Say(const SharedHead& head, Action action) {
  StoredEvent event;
  event.position = 1;
  const SessionReads reads{.head = head, .event = event, .next = std::nullopt};
  const Settlement settlement{.session = {"m", "s"},
                              .position = 1,
                              .lease = kLease,
                              .action = action,
                              .extend_by = absl::Seconds(30)};
  return DecideSettlement(reads, settlement, kRules, kNow, [] { return uint64_t{7}; });
}

constexpr Outcome kAgain = Outcome::kAlreadySettled;
constexpr Outcome kLost = Outcome::kLeaseLost;

void Expect(int32_t attempts, const std::map<std::pair<Action, Action>, Outcome>& outcomes) {
  for (const Action first : kActions) {
    if (first == Action::kExtend) continue;
    const SettleWrites writes = Say(OutHead(attempts), first);
    ASSERT_EQ(writes.result.outcome, Outcome::kSettled);
    for (const Action second : kActions) {
      EXPECT_EQ(Say(*writes.head, second).result.outcome, outcomes.at({first, second}))
          << static_cast<int>(first) << " then " << static_cast<int>(second);
    }
  }
}

std::map<std::pair<Action, Action>, Outcome> Outcomes() {
  std::map<std::pair<Action, Action>, Outcome> outcomes;
  for (const Action first : kActions) {
    for (const Action second : kActions) {
      outcomes[{first, second}] = first == Action::kAcknowledge || first == second ? kAgain : kLost;
    }
  }
  // Both give the event back.
  outcomes[{Action::kRetry, Action::kRelease}] = kAgain;
  outcomes[{Action::kRelease, Action::kRetry}] = kAgain;
  // A retry may have been the last one, which parks: a repetition cannot be told from it.
  outcomes[{Action::kPark, Action::kRetry}] = kAgain;
  outcomes[{Action::kPark, Action::kRelease}] = kAgain;
  return outcomes;
}

TEST(RepetitionTest, OfALeaseThatMayBeGivenAgain) { Expect(1, Outcomes()); }

TEST(RepetitionTest, OfTheLastAttempt) {
  std::map<std::pair<Action, Action>, Outcome> outcomes = Outcomes();
  outcomes[{Action::kRetry, Action::kPark}] = kAgain;  // that is what it did
  Expect(kRules.max_attempts, outcomes);
}

TEST(RepetitionTest, IsRememberedBeyondTheNextEvents) {
  for (const Action first : {Action::kAcknowledge, Action::kPark}) {
    SharedHead head = *Say(OutHead(1), first).head;
    for (uint64_t lease = 100; lease < 100 + kSettledLeases - 1; ++lease) {
      SharedHead next = OutHead(1);
      next.settled = head.settled;
      next.lease = lease;
      const SessionReads reads{.head = next, .event = std::nullopt, .next = std::nullopt};
      const Settlement settlement{.session = {"m", "s"}, .position = 1, .lease = lease};
      head = *DecideSettlement(reads, settlement, kRules, kNow, [] { return uint64_t{7}; }).head;
    }
    EXPECT_EQ(Say(head, first).result.outcome, kAgain);
  }
}

}  // namespace
}  // namespace ipp::shared
