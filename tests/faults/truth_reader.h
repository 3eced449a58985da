#pragma once

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "tests/faults/history.h"

namespace ipp::faults {

// What the simulator's pages say: `GET /_sim/sessions` and `GET /_sim/webhooks`.
absl::StatusOr<Truth> ReadTruthOf(const std::string& sessions, const std::string& webhooks);
// How many events each fault has struck: {"lose": 3, …}.
absl::StatusOr<std::map<std::string, int>> ReadStrikes(const std::string& webhooks);
// Webhooks on their way, of `GET /_sim/state`.
absl::StatusOr<int> ReadUndelivered(const std::string& state);

}  // namespace ipp::faults
