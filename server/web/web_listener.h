#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/base/metrics.h"

namespace ipp::web {

struct WebRequest {
  std::string method;
  std::string target;  // as sent
  std::string path;    // that the target names: see PathOf() in request_target.h
  std::vector<std::pair<std::string, std::string>> headers;  // a line each; names in lower case
  std::string body;                                          // the raw bytes, without chunks
  std::string peer;                                          // "127.0.0.1:41234"

  // The value of a header, by its name in lower case; empty when there is none. Several lines are
  // one value, in their order, with ", " between them (RFC 9110 section 5.3).
  std::string header(absl::string_view name) const;
};

struct WebResponse {
  int code = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
};

using WebReply = absl::AnyInvocable<void(WebResponse) &&>;
// Runs on the listener's thread and must not block. `reply` is run once, on any thread, then or
// later; a reply that is dropped answers 500.
using WebHandler = std::function<void(WebRequest request, WebReply reply)>;

struct WebOptions {
  std::string address = "127.0.0.1:0";  // host:port, [v6]:port; port 0: any free one
  // Request line and fields, at most 64,000; more: 414 when that is the request line alone, or 431.
  size_t max_header_bytes = 16 * 1024;
  size_t max_body_bytes = 256 * 1024;  // more: 413, also when only announced
  absl::Duration header_timeout =
      absl::Seconds(10);  // from the first byte of a request: 408 and close
  absl::Duration body_timeout = absl::Seconds(10);
  // Between requests of a connection; a new one has header_timeout to begin its first.
  absl::Duration idle_timeout = absl::Seconds(75);
  absl::Duration write_timeout = absl::Seconds(10);
  // With more, the one that has been without a request for longest makes room. When all have one:
  // accepted, answered 503, closed.
  int max_connections = 1024;
  std::string server_name = "ipp-gateway";
  std::string name = "web";      // of the port, in metrics and logs
  Metrics* metrics = nullptr;    // counts connections, if there; outlives the listener
  Clock* clock = Clock::Real();  // for `Date`
};

// An HTTP/1.1 server: bounded, timed out, keep-alive, one thread. The only place in server/ that
// knows Boost. It takes every form of a request that RFC 9110 and 9112 oblige a server to take; the
// tests of request_forms_test.cc are that list. A request that is not HTTP is answered 400, of
// another major version 505, and its connection closed.
class WebListener {
 public:
  virtual ~WebListener() = default;  // closes everything and joins

  // Listens at once. UNAVAILABLE with the address and the system's reason; INVALID_ARGUMENT for
  // options that cannot be.
  static absl::StatusOr<std::unique_ptr<WebListener>> Start(WebOptions options, WebHandler handler);

  virtual int port() const = 0;
  // Takes no new connection; answers what was read, closes idle ones; waits at most `limit`. Not
  // from a handler.
  virtual void Drain(absl::Duration limit) = 0;
};

}  // namespace ipp::web
