#pragma once

#include <cstddef>

#include "absl/strings/string_view.h"

namespace ipp::config {

// Insertions, deletions and replacements that turn one word into the other; two neighbours swapped
// count as two.
size_t EditDistance(absl::string_view a, absl::string_view b);

}  // namespace ipp::config
