#pragma once

#include "absl/strings/string_view.h"

// Exact conversion of numbers from their JSON text.
namespace ipp::json {

enum class NumberError { kNone, kNotWhole, kOutOfRange };

// Parses a JSON number or, if `quoted`, the content of a string, which may have only a minus sign
// and digits. A number may have a fraction or an exponent if its value is whole. Int is int32_t,
// int64_t, uint32_t or uint64_t.
template <typename Int>
NumberError ParseWhole(absl::string_view text, bool quoted, Int* value);

// Parses a JSON number, rounded to the nearest value. False if it is too large. Float is float or
// double.
template <typename Float>
bool ParseReal(absl::string_view text, Float* value);

}  // namespace ipp::json
