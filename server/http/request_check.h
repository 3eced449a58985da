#pragma once

#include "absl/strings/string_view.h"

// What of a request can be sent in valid HTTP. Pure.
namespace ipp::http {

// Whether the text can stand in a header line: no control character but a tab.
bool FitsInLine(absl::string_view text);

// Whether the text is a path with or without a query: it begins with '/' and consists of visible
// ASCII characters without '#'.
bool IsTarget(absl::string_view text);

}  // namespace ipp::http
