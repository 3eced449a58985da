#pragma once

#include "absl/strings/string_view.h"

// JSON as a parser sees it that is not set up by us: RapidJSON's own, with its own UTF-8 and its
// DOM.
namespace ipp::json::test {

// One object, and nothing behind it, in which no object has a key twice.
bool IsObject(absl::string_view text);

// Moreover, a Kinds in words that mean the same in our dialect and in Protobuf's: no null, no enums
// (words without prefix), no camelCase, no fraction or exponent in numbers that a double cannot
// hold exactly.
bool IsPlain(absl::string_view text);

}  // namespace ipp::json::test
