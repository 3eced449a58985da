#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace ipp::bench {

// What a GET, or a POST of the same body each time, costs with libcurl alone: one multi handle on
// the calling thread, the settings of the gateway's transport (TLS verified, HTTP/2 by ALPN, few
// connections), handles used again, answers counted and thrown away. The floor under anything that
// uses libcurl.
struct CurlFloor {
  std::string base_url;  // scheme and authority
  std::string ca_file;
  std::string target = "/";
  std::vector<std::string> headers;  // "name: value"
  std::string body;                  // empty: a GET
  int in_flight = 1;
  int connections = 2;
  int warm_up = 200;  // requests before measuring
  int requests = 10'000;
};

struct CurlFloorResult {
  int64_t requests = 0;
  int64_t body_bytes = 0;
  double cpu_us = 0;  // of the calling thread, where all of it happens
  double wall_us = 0;
  double cpu_us_per_request() const { return cpu_us / static_cast<double>(requests); }
};

// An error when any request fails or is not answered with 2xx. Links CURL::libcurl.
absl::StatusOr<CurlFloorResult> RunCurlFloor(const CurlFloor& floor);

// Warms up, then measures `run`, which sends so many requests on the calling thread.
absl::StatusOr<CurlFloorResult> MeasureFloor(const CurlFloor& floor,
                                             absl::FunctionRef<absl::Status(int)> run,
                                             absl::FunctionRef<int64_t()> body_bytes);

}  // namespace ipp::bench
