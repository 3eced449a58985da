#include <cstddef>
#include <cstdint>

#include "tests/events/cursor_check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ipp::events::CheckCursor({reinterpret_cast<const char*>(data), size});
  return 0;
}
