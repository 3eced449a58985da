#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/base/metrics.h"
#include "server/http/curl_transport.h"
#include "server/http/http_transport.h"

namespace ipp::http {

struct Http2Options {
  // As for libcurl: `loops` are threads, each with at most `connections` connections that take new
  // requests, opened when those there are have no room. libcurl gets the same options where this
  // transport falls back to it.
  CurlOptions common;
  // A connection with requests from which nothing has come for so long is asked for a sign of life
  // (PING) …
  absl::Duration ping_after = absl::Seconds(10);
  // … and given up when it gives none for so long.
  absl::Duration ping_timeout = absl::Seconds(10);
};

// HTTP/2 over TLS, by nghttp2 and OpenSSL, for upstreams that speak it: a sixth of libcurl's work a
// request. N loop threads share nothing. An upstream that does not choose HTTP/2 (ALPN) is served
// by libcurl from then on, with one log line; requests that wait are handed over. With an http://
// base URL libcurl serves at once.
//
// Beyond what HttpTransport promises:
//  * A request whose stream was refused (REFUSED_STREAM), or lies beyond the last stream of a
//    GOAWAY, was not processed (RFC 9113, 8.7): kNotSent, whatever had left.
//  * A request of which no byte was handed to the kernel when its connection broke: kNotSent.
//  * A read (Repeatable::kYes) in one of these cases, or whose connection broke before an answer,
//    is sent once more. Nothing else is ever sent twice.
//
// The destructor ends all requests in progress: each `done` runs (CANCELLED, with its fate) before
// the destructor returns. It must not run inside a `done`. `metrics` must outlive the transport.
//
// INVALID_ARGUMENT if an option is not valid, FAILED_PRECONDITION if ca_file cannot be read.
absl::StatusOr<std::unique_ptr<HttpTransport>> NewHttp2Transport(Http2Options options,
                                                                 Metrics* metrics);

}  // namespace ipp::http
