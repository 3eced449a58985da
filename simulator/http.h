#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ipp::simulator {

struct FaultRule;

// The protocol of a request, by its ALPN name.
inline constexpr std::string_view kHttp11 = "http/1.1";
inline constexpr std::string_view kHttp2 = "h2";

// One request as it came off a connection. The views live until its Responder has been called.
struct Request {
  std::string_view method;
  std::string_view target;  // origin form, query included, as sent
  std::vector<std::pair<std::string_view, std::string_view>> headers;
  std::string body;
  int connection = 0;  // counts up from 1; tells reused connections from fresh ones
  std::string_view protocol = kHttp11;
  std::shared_ptr<const FaultRule> fault;  // the fault to inject; null: none

  // The first header of that name in any letter case; empty if there is none.
  std::string_view Header(std::string_view name) const;

  std::string_view Path() const { return target.substr(0, target.find('?')); }
  std::string_view RawQuery() const;
};

// How an answer is sent.
enum class Ending {
  kWhole,
  kReset,     // nothing is sent, the connection is reset
  kClosed,    // nothing is sent, the connection is closed
  kSilent,    // nothing is sent until the client closes the connection
  kCutBody,   // half of the announced body is sent, then the connection is closed
  kSlowBody,  // the body is sent in pieces over Response::body_time
  // Over HTTP/2 only:
  kRefused,       // the stream is refused: the request was not handled
  kGoAwayBefore,  // GOAWAY says that it was not handled, then the connection is closed
  kGoAwayAfter,   // GOAWAY says that it may have been handled, then the connection is closed
  kGoAwayAnswer,  // GOAWAY and the answer; the connection is closed when all have theirs
};

struct Response {
  int status = 200;
  std::string body;
  std::string_view content_type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers;  // besides those of every answer
  Ending ending = Ending::kWhole;
  std::chrono::milliseconds body_time{0};
};

// Answers one request. Call it once, on the loop's thread, inside the handler or later.
using Responder = std::function<void(Response)>;

// Runs on the loop's thread.
using Handler = std::function<void(Request&, Responder)>;

// What to do with a request once its head is read.
enum class Admission {
  kRead,      // read and handle it
  kReadLast,  // the same, but no later one of the connection (HTTP/2 only)
  kRefuse,    // refuse its stream (HTTP/2 only)
  kReset,     // reset the connection
};

// The number of pieces in which a slow body is sent.
inline constexpr size_t kPiecesOfABody = 20;

// The value of a Date header, now.
const std::string& HttpDate();

bool EqualsIgnoringCase(std::string_view a, std::string_view b);

}  // namespace ipp::simulator
