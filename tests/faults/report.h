#pragma once

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "tests/faults/verdict.h"

namespace ipp::faults {

// What the faults of a round struck.
struct Strikes {
  int lost = 0;
  int doubled = 0;
  int late = 0;
  int reordered = 0;
};

// A line of the table. Counts are of the round alone.
struct RoundReport {
  int number = 0;
  uint64_t seed = 0;
  int sessions = 0;
  int events = 0;
  int kills = 0;   // by SIGKILL
  int drains = 0;  // by SIGTERM instead
  Strikes strikes;
  int reconciled = 0;
  absl::Duration longest_back;  // from the order to start until every gateway was ready
  absl::Duration settle;        // from the end of the traffic until every observer had everything
  std::string dialect;          // the upstream's; empty: plain
  Verdict verdict;

  bool good() const { return verdict.good(); }
};

std::string TableHead();
std::string TableLine(const RoundReport& report);
std::string TableSum(const std::vector<RoundReport>& reports);
// What differs, a line each; not more than `limit`.
std::string Differences(const Verdict& verdict, int limit);

}  // namespace ipp::faults
