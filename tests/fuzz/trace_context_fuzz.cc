#include <cstddef>
#include <cstdint>

#include "tests/base/trace_context_check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ipp::CheckTraceContext({reinterpret_cast<const char*>(data), size});
  return 0;
}
