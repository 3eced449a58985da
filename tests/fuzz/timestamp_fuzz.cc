#include <cstddef>
#include <cstdint>

#include "tests/json/timestamp_check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ipp::json::test::CheckTimestamp({reinterpret_cast<const char*>(data), size});
  return 0;
}
