#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/base/metrics.h"
#include "server/http/http_transport.h"

namespace ipp::http {

struct CurlOptions {
  std::string base_url;  // scheme and authority, for example https://api.kustom.co; no path
  std::string ca_file;   // PEM; empty: the system's
  int loops = 1;         // threads, one curl multi handle each; they share nothing
  int connections = 2;   // per loop
  // Of all loops, sent or queued; more are refused with RESOURCE_EXHAUSTED.
  size_t max_in_flight = 512;
  size_t max_response_bytes = 8 * 1024 * 1024;  // of the body; headers have 64 KiB
  absl::Duration connect_timeout = absl::Seconds(5);
  // How long a request with Repeatable::kNo may go on in spite of its deadline and Cancel(),
  // counted from the send.
  absl::Duration mutation_limit = absl::Seconds(60);
  absl::Duration max_connection_age = absl::Minutes(5);
  absl::Duration max_connection_idle = absl::Seconds(45);
  // By which deadlines are given.
  Clock* clock = Clock::Real();
  std::string user_agent = "ipp-gateway";
};

// N loop threads, each with one curl multi handle: TLS verified, HTTP/2 by ALPN over TLS, HTTP/1.1
// otherwise.
//
// A change (all but Repeatable::kYes) is never repeated behind the caller's back, although libcurl
// would: when it is about to send one a second time it is stopped, and the body goes through a read
// callback whose seek fails once a byte was handed out. A read may be repeated on a new connection.
//
// The destructor ends what is under way: each `done` runs (CANCELLED, with its fate) before it
// returns. It must not run inside a `done`. `metrics` must outlive the transport.
//
// INVALID_ARGUMENT when an option makes no sense, FAILED_PRECONDITION when ca_file cannot be read.
absl::StatusOr<std::unique_ptr<HttpTransport>> NewCurlTransport(CurlOptions options,
                                                                Metrics* metrics);

}  // namespace ipp::http
