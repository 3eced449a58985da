#pragma once

#include <cstddef>

#include "absl/strings/string_view.h"

// Repairs of JSON text that others write and that a strict reader rejects.
namespace ipp::json {

inline constexpr char kByteOrderMark[] = "\xef\xbb\xbf";

// RapidJSON stops with an error at the first half of a surrogate pair that has no second half, as
// is left when a name is cut inside an emoji. It accepts a second half without a first, and
// InPlaceText marks that string as spoilt. This function therefore replaces each lone first half by
// a second half, in place.
void TurnLoneHalves(char* text, size_t size);

// RapidJSON ends with an error at a number beyond the range of a double, even where it hands
// numbers on as text. This function turns each number that it may reject into a string that is not
// UTF-8, in place: the field of such a number is then left out like every other value that does not
// fit.
void SpoilHugeNumbers(char* text, size_t size);

bool IsUtf8(absl::string_view text);

}  // namespace ipp::json
