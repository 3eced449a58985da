#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ipp::faults {

// One pod of a shop: a process of its own, to be stopped and killed. It receives from any of the
// gateways, settles through any of them, and writes a journal. Its handlers acknowledge (now and
// then twice), retry, park, extend, release, or take longer than the lease. An event in thirty is
// poisoned: it fails until it was parked and redriven.
struct ConsumerOptions {
  std::string name;
  std::string subscription;
  std::string journal;
  uint64_t seed = 0;
  std::vector<std::string> gateways;
};

// The arguments of a program for ConsumerMain.
std::vector<std::string> ArgumentsOf(const std::string& program, const ConsumerOptions& options);
// Whether these arguments are such.
bool AreForConsumer(const std::vector<std::string>& arguments);
// Runs until it is killed.
int ConsumerMain(const std::vector<std::string>& arguments);

}  // namespace ipp::faults
