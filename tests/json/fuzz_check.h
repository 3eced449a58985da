#pragma once

#include "absl/strings/string_view.h"

namespace ipp::json::test {

// Reads any bytes as messages of several types. What can be read must be writable, and read again
// it must be the same message. Aborts when that is not so.
void CheckAnyBytes(absl::string_view bytes);

}  // namespace ipp::json::test
