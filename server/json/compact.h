#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace ipp::json {

// JSON text that is known to be valid, without the white space between its tokens.
std::string CompactJson(absl::string_view json);

}  // namespace ipp::json
