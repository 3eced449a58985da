#pragma once

#include <string>

#include "absl/strings/string_view.h"

// JSON objects as text, in the forms that --output offers.
namespace ipp::ippctl {

// `object`, a JSON object, with one more member, which goes first. `value` is JSON.
std::string WithMember(absl::string_view object, absl::string_view name, absl::string_view value);

// The same values as YAML, in the same order, ended by a newline. Strings that YAML would read as
// something else (numbers, dates, true) are quoted. `json` must be JSON.
std::string YamlOf(const std::string& json);

}  // namespace ipp::ippctl
