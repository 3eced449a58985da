#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace ipp::http {

using Header = std::pair<std::string, std::string>;

// What happens if a request is sent twice; decides how carefully it is sent.
enum class Repeatable {
  kYes,       // a read
  kHarmless,  // an idempotent change; still not repeated without need
  kNo,        // must reach the upstream at most once
};

struct HttpRequest {
  std::string method;  // GET, POST, PUT, DELETE
  std::string target;  // path and query, percent-encoded, begins with '/'
  std::vector<Header> headers;
  std::string body;  // may be empty
  Repeatable repeatable = Repeatable::kNo;
  absl::Time deadline = absl::InfiniteFuture();
};

struct HttpResponse {
  int code = 0;
  std::vector<Header> headers;  // names in lower case
  std::string body;             // decoded: never gzip or the like
  // Why the body is missing although one arrived: its content coding is unknown or broken. Empty
  // otherwise. Text for a person; contains nothing of the body.
  std::string body_trouble = {};

  // The first value of a header, by its name in lower case; empty if there is none.
  absl::string_view header(absl::string_view name) const;
};

// What is known about a request that got no complete answer.
enum class RequestFate {
  kNotSent,  // no byte left the gateway: it was not executed
  kSent,     // an answer began to arrive, perhaps cut off or too large
  kUnknown,  // some of it may have left: it may have been executed
};

// The end of a request. `status` is OK if a whole response arrived, whatever its code: the caller
// decides that a 404 is an error. Otherwise:
//   DEADLINE_EXCEEDED    the deadline, or the request's own time limit, passed
//   CANCELLED            Cancel() took effect, or the transport ended
//   RESOURCE_EXHAUSTED   too many requests in flight
//   UNAVAILABLE          the connection failed or broke, or the answer was not HTTP
//   OUT_OF_RANGE         the response is larger than allowed
//   FAILED_PRECONDITION  TLS: the peer is not the expected one
//   INVALID_ARGUMENT     the target or a header cannot be sent in valid HTTP
// The message is for a person: it contains no URL query, no header and no body.
struct HttpResult {
  absl::Status status;
  RequestFate fate = RequestFate::kNotSent;
  HttpResponse response;
};

// Sends requests to one upstream. Thread-safe.
class HttpTransport {
 public:
  using Done = absl::AnyInvocable<void(HttpResult) &&>;

  // Asks a request to end early; harmless if the request has ended, and if the handle outlives the
  // transport. Once a byte of a request with Repeatable::kNo was handed to the network, neither
  // this nor its deadline ends it: it continues to its own time limit, and `done` reports the
  // result.
  class Call {
   public:
    virtual ~Call() = default;  // does not cancel
    virtual void Cancel() = 0;
  };

  virtual ~HttpTransport() = default;

  // `done` runs exactly once, on a thread of the transport, never inside this call; it must not
  // block.
  virtual std::shared_ptr<Call> Send(HttpRequest request, Done done) = 0;

  // The number of requests that can be in progress at once, as far as is known now, before one
  // waits for another: one per connection over HTTP/1.1, many over HTTP/2. At least 1.
  virtual int concurrency() const = 0;
};

}  // namespace ipp::http
