#pragma once

#include <boost/beast/core/error.hpp>
#include <boost/beast/http/fields.hpp>
#include <boost/beast/http/message.hpp>
#include <cstddef>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "server/web/web_listener.h"

// What a request's head must be beyond what Beast's parser asks for. Pure.
namespace ipp::web {

using RequestHead = boost::beast::http::request_header<boost::beast::http::fields>;

// An answer to a request that is not served; the connection ends after it.
struct Refusal {
  int code;
  std::string text;
};

// The answer to a failure of the parser. `start`: what was received when the request line could not
// be read, else empty. 414 for a target and 501 for a method that exceed the limit, 431 for other
// heads, 413 for a body, 505 for another major version of HTTP, else 400.
Refusal RefusalFor(const boost::beast::error_code& error, absl::string_view start);

// Whether `start` begins with a request line of HTTP/1.2 to 1.9, which is to be read as HTTP/1.1
// (RFC 9110 section 2.5): the index of the digit behind the point, or npos.
size_t LaterMinorVersion(absl::string_view start);

// How many bytes of empty lines stand before a request line, which a server ignores (RFC 9112
// section 2.2).
size_t EmptyLines(absl::string_view start);

// Absent when the head can be served. Sources: RFC 9112 section 3.2 (target, Host), section 6.1
// (Transfer-Encoding), RFC 9110 section 10.1.1 (Expect).
std::optional<Refusal> CheckHead(const RequestHead& head);

// The client waits for "100 Continue" before it sends the body.
bool ExpectsContinue(const RequestHead& head);

// Method, target and headers; no body yet.
WebRequest ToWebRequest(const RequestHead& head);

}  // namespace ipp::web
