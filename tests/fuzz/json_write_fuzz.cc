#include <cstddef>
#include <cstdint>

#include "tests/json/json_write_check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ipp::json::test::CheckJsonWrite({reinterpret_cast<const char*>(data), size});
  return 0;
}
