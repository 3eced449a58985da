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

// What would come of sending a request twice; decides how carefully it is sent.
enum class Repeatable {
  kYes,       // a read
  kHarmless,  // a change that is the same when done twice, yet is not to be repeated without need
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
  // Why there is no body although one came: its content coding is not known, or broken. Empty
  // otherwise. For a person; no part of the body.
  std::string body_trouble = {};

  // The first value of a header, by its name in lower case; empty when there is none.
  absl::string_view header(absl::string_view name) const;
};

// What is known of a request that got no answer.
enum class RequestFate {
  kNotSent,  // no byte left: it was not done
  kSent,     // it was read as far as can be told: an answer came, perhaps cut or too large
  kUnknown,  // some of it may have left: it may or may not have been done
};

// The end of a request. `status` is OK when a whole response arrived, whatever its code: that a 404
// is an error is for the caller to say. Otherwise:
//   DEADLINE_EXCEEDED    the deadline, or the request's own time limit, passed
//   CANCELLED            Cancel() was heeded, or the transport ended
//   RESOURCE_EXHAUSTED   too many requests in flight
//   UNAVAILABLE          the connection failed or broke, or what came was not HTTP
//   OUT_OF_RANGE         the response is larger than allowed
//   FAILED_PRECONDITION  TLS: not who we want to talk to
//   INVALID_ARGUMENT     a target or header that cannot be put on the wire
// The message is for a person: no URL query, no header, no body in it.
struct HttpResult {
  absl::Status status;
  RequestFate fate = RequestFate::kNotSent;
  HttpResponse response;
};

// Sends requests to one upstream. Thread-safe.
class HttpTransport {
 public:
  using Done = absl::AnyInvocable<void(HttpResult) &&>;

  // Asks a request to end early; harmless when it has ended, and when the handle outlives
  // everything. A request with Repeatable::kNo, once a byte of it was handed to the network, is not
  // ended by this nor by its deadline: it goes on to its own time limit, and `done` tells what came
  // of it.
  class Call {
   public:
    virtual ~Call() = default;  // does not cancel
    virtual void Cancel() = 0;
  };

  virtual ~HttpTransport() = default;

  // `done` runs exactly once, on a thread of the transport, never inside this call; it must not
  // block.
  virtual std::shared_ptr<Call> Send(HttpRequest request, Done done) = 0;

  // How many requests can be under way at once, as far as is known now, before one waits for
  // another: over HTTP/1.1 one a connection, over HTTP/2 many. At least 1.
  virtual int concurrency() const = 0;
};

}  // namespace ipp::http
