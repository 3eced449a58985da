#pragma once

#include <random>
#include <string>

namespace ipp::faults {

// What --dialect may say: none, random, or the name of one in which a session carries what its
// client wrote: without its references the gateway cannot tell which create made it.
bool IsDialectChoice(const std::string& choice);

// The name that a choice comes to, empty for plain words. The same for the same state of `random`.
std::string DrawDialect(const std::string& choice, std::mt19937_64* random);

}  // namespace ipp::faults
