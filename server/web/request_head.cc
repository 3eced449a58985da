#include "server/web/request_head.h"

#include <boost/beast/http/error.hpp>
#include <boost/beast/http/field.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace ipp::web {
namespace {

namespace http = boost::beast::http;

absl::string_view View(boost::beast::string_view text) { return {text.data(), text.size()}; }

}  // namespace

Refusal RefusalFor(const boost::beast::error_code& error) {
  if (error == http::error::header_limit) return {431, "the request's head is too large"};
  if (error == http::error::body_limit) return {413, "the request's body is too large"};
  return {400, absl::StrCat("not an HTTP request: ", error.message())};
}

std::optional<Refusal> CheckHead(const RequestHead& head) {
  const auto hosts = head.count(http::field::host);
  if (hosts > 1 || (hosts == 0 && head.version() == 11)) {
    return Refusal{400, "one Host header is needed"};
  }
  // Beast takes a coding that it does not know for an absent one, so the body would be read as the
  // next request.
  if (const auto codings = head.count(http::field::transfer_encoding); codings > 0) {
    if (head.version() == 10) return Refusal{400, "HTTP/1.0 has no Transfer-Encoding"};
    if (head.count(http::field::content_length) > 0) {
      return Refusal{400, "Transfer-Encoding and Content-Length exclude each other"};
    }
    const absl::string_view coding =
        absl::StripAsciiWhitespace(View(head[http::field::transfer_encoding]));
    if (codings > 1 || !absl::EqualsIgnoreCase(coding, "chunked")) {
      return Refusal{501, "no transfer coding but chunked"};
    }
  }
  if (head.version() == 11 && head.count(http::field::expect) > 0 && !ExpectsContinue(head)) {
    return Refusal{417, "no expectation but 100-continue"};
  }
  return std::nullopt;
}

bool ExpectsContinue(const RequestHead& head) {
  return head.version() == 11 &&
         absl::EqualsIgnoreCase(View(head[http::field::expect]), "100-continue");
}

WebRequest ToWebRequest(const RequestHead& head) {
  WebRequest request;
  request.method = std::string(head.method_string());
  request.target = std::string(head.target());
  for (const auto& field : head) {
    request.headers.emplace_back(absl::AsciiStrToLower(View(field.name_string())),
                                 std::string(field.value()));
  }
  return request;
}

}  // namespace ipp::web
