#pragma once

#include <optional>
#include <string>

#include "absl/strings/string_view.h"

// The forms of a request target. Pure functions. Sources: RFC 9112 section 3.2 (forms), RFC 9110
// section 4.2.3 (equivalent targets), RFC 3986 section 2.3 (unreserved characters).
namespace ipp::web {

// The path that `target` names, without the query and with percent-encoded unreserved characters
// decoded, so that equal paths are equal text. The absolute-form ("http://host/path") names the
// same path as the origin-form ("/path"); its scheme and authority are not checked. "*" for OPTIONS
// in asterisk-form, empty for CONNECT. Nothing if the target has none of these forms.
std::optional<std::string> PathOf(absl::string_view method, absl::string_view target);

}  // namespace ipp::web
