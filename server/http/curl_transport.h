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
  // http://host:port of a proxy through which every connection goes by CONNECT, so that TLS is with
  // the upstream itself; empty: none. The environment's (https_proxy, no_proxy) never counts.
  std::string proxy = {};
  int loops = 1;        // threads, one curl multi handle each; they share nothing
  int connections = 2;  // per loop
  // Across all loops, whether sent or queued; further requests are refused with RESOURCE_EXHAUSTED.
  size_t max_in_flight = 512;
  size_t max_response_bytes = 8 * 1024 * 1024;  // of the body; the headers' limit is 64 KiB
  absl::Duration connect_timeout = absl::Seconds(5);
  // How long a request with Repeatable::kNo may continue in spite of its deadline and Cancel(),
  // counted from when it was sent.
  absl::Duration mutation_limit = absl::Seconds(60);
  absl::Duration max_connection_age = absl::Minutes(5);
  absl::Duration max_connection_idle = absl::Seconds(45);
  // The clock to which deadlines refer.
  Clock* clock = Clock::Real();
  std::string user_agent = "ipp-gateway";
};

// N loop threads, each with one curl multi handle: TLS with verification, HTTP/2 by ALPN over TLS,
// HTTP/1.1 otherwise.
//
// A change (everything except Repeatable::kYes) is never repeated silently, although libcurl would
// do so: libcurl is stopped when it is about to send the request a second time, and the body goes
// through a read callback whose seek fails once a byte was handed out. A read may be repeated on a
// new connection.
//
// The destructor ends all requests in progress: each `done` runs (CANCELLED, with its fate) before
// the destructor returns. It must not run inside a `done`. `metrics` must outlive the transport.
//
// INVALID_ARGUMENT if an option is not valid, FAILED_PRECONDITION if ca_file cannot be read.
absl::StatusOr<std::unique_ptr<HttpTransport>> NewCurlTransport(CurlOptions options,
                                                                Metrics* metrics);

}  // namespace ipp::http
