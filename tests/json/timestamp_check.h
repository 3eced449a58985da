#pragma once

#include "absl/strings/string_view.h"

namespace ipp::json::test {

// What must hold for any bytes; see Require.
//  * As a time, they are refused; or Abseil reads the same time, and it is written and read as
//    itself.
//  * The first twelve bytes are seconds and nanoseconds: they have no text, or one that Abseil and
//  we
//    read as the same time.
void CheckTimestamp(absl::string_view bytes);

}  // namespace ipp::json::test
