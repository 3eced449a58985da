#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace ipp::store {

// SharedHead::settled as the databases keep it: eight bytes for each lease, the highest first.
std::string PackLeases(const std::vector<uint64_t>& leases);
std::vector<uint64_t> UnpackLeases(absl::string_view bytes);

}  // namespace ipp::store
