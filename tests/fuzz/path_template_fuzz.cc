#include <cstddef>
#include <cstdint>

#include "tests/routes/path_template_check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ipp::routes::CheckPathTemplate({reinterpret_cast<const char*>(data), size});
  return 0;
}
