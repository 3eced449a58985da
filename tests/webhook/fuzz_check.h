#pragma once

#include "absl/strings/string_view.h"

namespace ipp::webhook {

// What must hold for any bytes from outside; aborts the test or the fuzzer when it does not.
// Unsigned, they are refused with 401; signed, they are an event, another product's event, or 400.
void CheckAnyBytes(absl::string_view bytes);

}  // namespace ipp::webhook
