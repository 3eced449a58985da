#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tests/faults/clock_steps.h"
#include "tests/faults/creates/cell.h"

namespace ipp::faults {

struct MatrixOptions {
  std::string build;  // the build folder with the binaries
  int rounds = 24;    // of each fault
  int first_round = 0;
  uint64_t seed = 0;  // 0: by the clock
  int beds = 4;
  std::vector<std::string> faults;    // empty: all
  std::string protocol = "both";      // or h1, h2
  std::string transport = "libcurl";  // or http2: of the gateway whose upstream speaks HTTP/2
  bool kill = false;
  std::string store = "sqlite";  // or postgres
  int gateways = 1;              // on one store; 2 only with postgres
  std::string dialect = "none";  // of the upstream, or random: another one in each bed
  ClockTrouble clock = ClockTrouble::kNone;
  bool keep = false;  // the directories, also when all went well

  CellOptions cells() const;
  // The rows of the table.
  std::vector<MatrixFault> Faults() const;
  // The command line that does one round again.
  std::string CommandLine(const Cell& cell) const;
};

// INVALID_ARGUMENT: says what is wrong; for --help, the help.
absl::StatusOr<MatrixOptions> ParseMatrixOptions(const std::vector<std::string>& arguments);

}  // namespace ipp::faults
