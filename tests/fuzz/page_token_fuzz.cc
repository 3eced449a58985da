#include <cstddef>
#include <cstdint>

#include "tests/rpc/page_token_check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ipp::rpc::CheckPageToken({reinterpret_cast<const char*>(data), size});
  return 0;
}
