#include <cstddef>
#include <cstdint>

#include "tests/http/http2_session_check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ipp::http::CheckHttp2Session({reinterpret_cast<const char*>(data), size});
  return 0;
}
