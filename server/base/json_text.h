#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace ipp {

// Appends `text` as a JSON string, with its quotes. Control characters are escaped, so the string
// stays on one line. A byte that is no part of valid UTF-8 becomes U+FFFD, since a JSON text must
// be valid UTF-8. Source: RFC 8259, sections 7 and 8.1; RFC 3629, section 4.
void AppendJsonString(absl::string_view text, std::string* out);

}  // namespace ipp
