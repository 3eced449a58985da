#pragma once

#include <initializer_list>
#include <string>

#include "absl/strings/string_view.h"

namespace ipp::events {

// The bytes of one field of a serialized message, without parsing the rest: `path` has the numbers
// of the (length-delimited) fields that lead there. Empty if it is not there, or if the bytes are
// no message. For the traceparent of an event that is sent, where it is worth no more than this.
std::string FindField(absl::string_view message, std::initializer_list<int> path);

}  // namespace ipp::events
