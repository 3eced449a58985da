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
  std::string path;    // of the target: see PathOf() in request_target.h
  std::vector<std::pair<std::string, std::string>> headers;  // one per line; names in lower case
  std::string body;                                          // raw bytes, chunks joined
  std::string peer;                                          // "127.0.0.1:41234"

  // The value of a header, by its name in lower case; empty if there is none. Several lines are
  // joined into one value, in their order, with ", " between them (RFC 9110 section 5.3).
  std::string header(absl::string_view name) const;
};

struct WebResponse {
  int code = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
};

using WebReply = absl::AnyInvocable<void(WebResponse) &&>;
// Runs on the listener's thread and must not block. `reply` is run once, on any thread, immediately
// or later; if it is destroyed without being run, the answer is 500.
using WebHandler = std::function<void(WebRequest request, WebReply reply)>;

struct WebOptions {
  std::string address = "127.0.0.1:0";  // host:port, [v6]:port; port 0: any free port
  // Request line and fields; at most 64,000. If a request exceeds it: 414 if the request line alone
  // does, else 431.
  size_t max_header_bytes = 16 * 1024;
  size_t max_body_bytes = 256 * 1024;  // more: 413, also if only announced
  absl::Duration header_timeout =
      absl::Seconds(10);  // from the first byte of a request: 408 and close
  absl::Duration body_timeout = absl::Seconds(10);
  // Between two requests of a connection. A new connection has header_timeout to begin its first
  // request.
  absl::Duration idle_timeout = absl::Seconds(75);
  absl::Duration write_timeout = absl::Seconds(10);
  // At the limit, a new connection closes the one that has been idle for longest. If none is idle,
  // the new one is accepted, answered 503 and closed.
  int max_connections = 1024;
  // Whether connections may take the descriptors that are held back (base/descriptors.h).
  bool may_use_held_back = false;
  std::string server_name = "ipp-gateway";
  std::string name = "web";      // names the port in metrics and logs
  Metrics* metrics = nullptr;    // may be null; must outlive the listener
  Clock* clock = Clock::Real();  // for `Date`
};

// An HTTP/1.1 server with keep-alive, bounded buffers and time limits, on one thread. The only
// place in server/ that uses Boost. It accepts every form of a request that RFC 9110 and 9112
// require a server to accept; request_forms_test.cc lists them. A request that is not HTTP is
// answered 400, one of another major version 505; both close the connection.
class WebListener {
 public:
  virtual ~WebListener() = default;  // closes everything and joins

  // Starts listening at once. UNAVAILABLE with the address and the system's reason;
  // INVALID_ARGUMENT for invalid options.
  static absl::StatusOr<std::unique_ptr<WebListener>> Start(WebOptions options, WebHandler handler);

  virtual int port() const = 0;
  // Accepts no new connections, answers the requests that were read, closes idle connections, and
  // waits for at most `limit`. Must not be called from a handler.
  virtual void Drain(absl::Duration limit) = 0;
};

}  // namespace ipp::web
