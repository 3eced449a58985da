#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace ipp::upstream {

// A W3C `traceparent` (version 00, ids not all zero) as it came, or a new one when it is absent or
// malformed.
std::string TraceparentOrNew(absl::string_view traceparent);

// A random UUID (version 4), in lower case.
std::string NewUuid();

}  // namespace ipp::upstream
