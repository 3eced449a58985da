#pragma once

#include "absl/status/statusor.h"
#include "tests/bench/curl_floor.h"

namespace ipp::bench {

// The same GETs as RunCurlFloor, with nghttp2 and OpenSSL alone: one connection on the calling
// thread, HTTP/2 over TLS verified; what one turn has to send leaves in one write. The floor under
// anything that speaks HTTP/2 without libcurl. Ignores `body` and `connections`.
absl::StatusOr<CurlFloorResult> RunNghttp2Floor(const CurlFloor& floor);

}  // namespace ipp::bench
