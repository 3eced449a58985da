#include <cstddef>
#include <cstdint>

#include "tests/upstream/upstream_error_check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ipp::upstream::CheckUpstreamError({reinterpret_cast<const char*>(data), size});
  return 0;
}
