#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "tests/faults/clock_steps.h"

namespace ipp::faults {

// The flags that every program of this folder has.
struct CommonFlags {
  std::string* build;    // --build: the folder with the programs
  int* rounds;           // --rounds
  uint64_t* seed;        // --seed; 0: by the clock
  std::string* store;    // --store
  int* gateways;         // --gateways
  std::string* dialect;  // --dialect
  ClockTrouble* clock;   // --clock
  bool* keep;            // --keep
};

// Adds them, with their help.
void AddCommonFlags(const CommonFlags& flags, CLI::App* app);

// Reads the arguments, without the program's name. INVALID_ARGUMENT says what is wrong; for --help,
// the help.
absl::Status ReadCommandLine(CLI::App* app, std::vector<std::string> arguments);

// A seed that differs from run to run.
uint64_t SeedByClock();

}  // namespace ipp::faults
