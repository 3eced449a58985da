#include <cstddef>
#include <cstdint>

#include "tests/config/config_check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ipp::config::CheckConfig({reinterpret_cast<const char*>(data), size});
  return 0;
}
