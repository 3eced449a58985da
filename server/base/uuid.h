#pragma once

#include <string>

#include "absl/strings/string_view.h"

// UUIDs as text (RFC 9562): 8-4-4-4-12 hexadecimal digits. The RFC lets a writer choose the letter
// case and asks a reader to take either, so two texts that differ in case alone are the same UUID.
// Everything that is kept or compared here is in lower case; CanonicalUuid makes it so.
// Thread-safe.
namespace ipp {

// A random UUID (version 4), in lower case.
std::string NewUuid();

bool IsUuid(absl::string_view text);

// The UUID in lower case. Text that is not a UUID is returned as it is.
std::string CanonicalUuid(std::string text);

}  // namespace ipp
