#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "tests/faults/clock_steps.h"

namespace ipp::faults {

struct RunOptions {
  std::string build;  // the build folder with the binaries
  int rounds = 10;
  uint64_t seed = 0;             // of the first round; the next ones count on. 0: by the clock
  int sessions = 36;             // a round
  std::string store = "sqlite";  // or postgres
  int gateways = 1;              // more only with postgres
  std::string kill = "gateway";  // or database, failover
  std::string dialect = "none";  // of the upstream, or random: another one each round
  ClockTrouble clock = ClockTrouble::kNone;
  int consumers = 0;  // processes that share a subscription; 0: a run of subscribers
  bool keep = false;  // the directory, also when all went well

  std::string gateway_program() const { return build + "/server/ipp-gateway"; }
  std::string simulator_program() const { return build + "/simulator/ipp-simulator"; }
  // The command line that does the same from `seed` on.
  std::string CommandLine(uint64_t from_seed, int for_rounds) const;
};

// INVALID_ARGUMENT: says what is wrong; for --help, the help.
absl::StatusOr<RunOptions> ParseOptions(const std::vector<std::string>& arguments);

}  // namespace ipp::faults
