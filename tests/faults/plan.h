#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace ipp::faults {

// What happens to a session after it was made.
enum class PlanStep {
  kActivate,   // the clerk chooses a payment method
  kDecline,    // a card is declined
  kPay,        // a card pays; ends it
  kClerkEnds,  // the clerk cancels; ends it
  kCancelRpc,  // CancelSession; ends it
  kReadRpc,    // GetSession
  kExpire,     // no webhook tells of it; ends it
  kFail,       // the same
};

enum class WatchBy { kNobody, kSession, kRequest };

// The life of one session, drawn before it begins.
struct Plan {
  int merchant = 0;
  bool through_gateway =
      true;  // else made at the upstream: the gateway hears of it by webhook only
  WatchBy watch = WatchBy::kNobody;
  std::vector<PlanStep> steps;
  bool stays_open = false;  // past the end of its round

  // Making it, and each step.
  int actions() const { return 1 + static_cast<int>(steps.size()); }
};

// The same for the same state of `random`.
std::vector<Plan> DrawPlans(int count, int merchants, std::mt19937_64* random);

// Uniform in [0, below); the same on every machine, which std's distributions are not.
uint64_t Draw(std::mt19937_64* random, uint64_t below);
// A request_id.
std::string DrawUuid(std::mt19937_64* random);

}  // namespace ipp::faults
