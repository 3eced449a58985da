#pragma once

#include "absl/strings/string_view.h"

// Numbers from their JSON text, exactly.
namespace ipp::json {

enum class NumberError { kNone, kNotWhole, kOutOfRange };

// A JSON number, or, when `quoted`, the content of a string: an optional minus and digits only.
// A fraction or an exponent is fine in a number whose value is whole. Int is int32_t, int64_t,
// uint32_t or uint64_t.
template <typename Int>
NumberError ParseWhole(absl::string_view text, bool quoted, Int* value);

// A JSON number, rounded to the nearest. False when it is too large. Float is float or double.
template <typename Float>
bool ParseReal(absl::string_view text, Float* value);

}  // namespace ipp::json
