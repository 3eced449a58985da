#include <cstddef>
#include <cstdint>

#include "tests/webhook/webhook_check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ipp::webhook::CheckWebhook({reinterpret_cast<const char*>(data), size});
  return 0;
}
