#pragma once

#include <random>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "tests/faults/history.h"
#include "tests/faults/simulator_process.h"

// What a long run asks once more at its end: what was remembered long ago must still be there.
namespace ipp::faults {

// Creates that were answered OK are asked for again at each gateway, every id in any letter case:
// the same session comes back, marked as replayed, and OutcomeService names it. And the events of
// their sessions, found by the session's id in any letter case, are those that `reference` saw.
// What contradicts that; empty: nothing. Ends early when several creates were answered wrongly.
std::vector<std::string> AskAgain(const std::vector<std::string>& gateways,
                                  const std::vector<MerchantKey>& merchants, const History& history,
                                  std::mt19937_64* random);

// Has the upstream send webhooks again that were taken, old ones and new ones; returns when they
// have been taken once more. No event may come of them.
absl::Status ResendTaken(SimulatorControl* simulator, const Truth& truth, std::mt19937_64* random);

}  // namespace ipp::faults
