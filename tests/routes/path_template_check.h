#pragma once

#include "absl/strings/string_view.h"

namespace ipp::routes {

// What must hold for any bytes, read as a template and, a line each, the values of its variables;
// see Require. What parses expands, whatever the values are, to a path with as many segments as the
// template has, of unreserved characters and escapes only, none of them "." or ".."; its segments,
// unescaped, are the values. An empty value, "." and ".." are refused, naming the variable.
void CheckPathTemplate(absl::string_view bytes);

}  // namespace ipp::routes
