#pragma once

#include <cstddef>

#include "absl/strings/string_view.h"

// What others put into JSON text that a strict reader stops at.
namespace ipp::json {

inline constexpr char kByteOrderMark[] = "\xef\xbb\xbf";

// RapidJSON gives up at the first half of a surrogate pair without the second one, as is left when
// a name is cut inside an emoji. A second half alone it passes over, and InPlaceText knows that the
// string is spoilt: makes those of them, in place.
void TurnLoneHalves(char* text, size_t size);

bool IsUtf8(absl::string_view text);

}  // namespace ipp::json
