#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace ipp::json {

// Removes the white space between the tokens of `json`, which must be valid JSON.
std::string CompactJson(absl::string_view json);

}  // namespace ipp::json
