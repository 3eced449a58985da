#pragma once

#include <boost/beast/core/error.hpp>
#include <boost/beast/http/fields.hpp>
#include <boost/beast/http/message.hpp>
#include <optional>
#include <string>

#include "server/web/web_listener.h"

// What a request's head must be beyond what Beast's parser asks for. Pure.
namespace ipp::web {

using RequestHead = boost::beast::http::request_header<boost::beast::http::fields>;

// An answer to a request that is not served; the connection ends after it.
struct Refusal {
  int code;
  std::string text;
};

// The answer to a failure of the parser: 431, 413, else 400.
Refusal RefusalFor(const boost::beast::error_code& error);

// Absent when the head can be served. Sources: RFC 9112 section 3.2 (Host), section 6.1
// (Transfer-Encoding), RFC 9110 section 10.1.1 (Expect).
std::optional<Refusal> CheckHead(const RequestHead& head);

// The client waits for "100 Continue" before it sends the body.
bool ExpectsContinue(const RequestHead& head);

// Method, target and headers; no body yet.
WebRequest ToWebRequest(const RequestHead& head);

}  // namespace ipp::web
