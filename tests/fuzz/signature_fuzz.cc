#include <cstddef>
#include <cstdint>

#include "tests/webhook/signature_check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ipp::webhook::CheckSignature({reinterpret_cast<const char*>(data), size});
  return 0;
}
