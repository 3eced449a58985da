#pragma once

#include <random>
#include <string>

#include "absl/strings/string_view.h"

namespace ipp::faults {

// An id as some caller spells it: as it is, in upper case, or with letters of both cases. RFC 9562:
// it stays the same id. The same for the same state of `random`.
std::string Respell(absl::string_view id, std::mt19937_64* random);

}  // namespace ipp::faults
