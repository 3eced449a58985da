#pragma once

#include <string>

#include "absl/strings/string_view.h"

// UUIDs as text (RFC 9562): 8-4-4-4-12 hexadecimal digits. The RFC lets a writer choose the letter
// case and requires a reader to accept both, so two texts that differ only in case are the same
// UUID. The gateway stores and compares UUIDs in lower case; CanonicalUuid converts them.
// Thread-safe.
namespace ipp {

// A random UUID (version 4), in lower case.
std::string NewUuid();

bool IsUuid(absl::string_view text);

// The UUID in lower case. Text that is not a UUID is returned unchanged.
std::string CanonicalUuid(std::string text);

}  // namespace ipp
