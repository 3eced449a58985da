#pragma once

#include <cstddef>

#include "absl/strings/string_view.h"

namespace ipp {

// The number of insertions, deletions and replacements that turn one word into the other. Swapping
// two neighbouring letters counts as two.
size_t EditDistance(absl::string_view a, absl::string_view b);

}  // namespace ipp
