#pragma once

#include <boost/beast/core/error.hpp>
#include <boost/beast/http/fields.hpp>
#include <boost/beast/http/message.hpp>
#include <cstddef>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "server/web/web_listener.h"

// Checks of a request's head beyond those of Beast's parser. Pure functions.
namespace ipp::web {

using RequestHead = boost::beast::http::request_header<boost::beast::http::fields>;

// The answer to a request that is not served; the connection is closed after it.
struct Refusal {
  int code;
  std::string text;
};

// The answer to a failure of the parser. `start`: what was received if the request line could not
// be read, else empty. 414 for a target and 501 for a method that exceeds the limit, 431 for
// another head that does, 413 for a body, 505 for another major version of HTTP, else 400.
Refusal RefusalFor(const boost::beast::error_code& error, absl::string_view start);

// The position of the minor version's digit if `start` begins with a request line of HTTP/1.2 to
// 1.9, which must be read as HTTP/1.1 (RFC 9110 section 2.5); otherwise npos.
size_t LaterMinorVersion(absl::string_view start);

// The number of bytes of empty lines before a request line. A server ignores them (RFC 9112 section
// 2.2).
size_t EmptyLines(absl::string_view start);

// Nothing if the head's Transfer-Encoding, if there is one, is understood. A part of CheckHead(),
// for a head that Beast does not take as a whole (1.92 refuses what earlier ones left to us).
std::optional<Refusal> CheckCoding(const RequestHead& head);

// Nothing if the head can be served. Sources: RFC 9112 section 3.2 (target, Host), section 6.1
// (Transfer-Encoding), RFC 9110 section 10.1.1 (Expect).
std::optional<Refusal> CheckHead(const RequestHead& head);

// Whether the client waits for "100 Continue" before it sends the body.
bool ExpectsContinue(const RequestHead& head);

// Copies method, target and headers; the body is added later.
WebRequest ToWebRequest(const RequestHead& head);

}  // namespace ipp::web
