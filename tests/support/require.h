#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>

#include "absl/strings/string_view.h"

namespace ipp {

// What must hold for every input. Ends the process when it does not, for a fuzzer and a plain test
// alike; `detail` goes to stderr.
inline void Require(bool holds, const char* what, absl::string_view detail = "") {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n%s\n", what, std::string(detail).c_str());
  std::abort();
}

}  // namespace ipp
