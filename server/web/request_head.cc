#include "server/web/request_head.h"

#include <algorithm>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/field.hpp>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "server/web/request_target.h"

namespace ipp::web {
namespace {

namespace http = boost::beast::http;

constexpr absl::string_view kVersion = "HTTP/d.d";

absl::string_view View(boost::beast::string_view text) { return {text.data(), text.size()}; }

// The members of a list that may be spread over several lines; empty members are ignored (RFC 9110
// section 5.6.1).
std::vector<absl::string_view> ListOf(const RequestHead& head, http::field name) {
  std::vector<absl::string_view> members;
  const auto [first, last] = head.equal_range(name);
  for (auto field = first; field != last; ++field) {
    for (const absl::string_view member :
         absl::StrSplit(View(field->value()), ',', absl::SkipWhitespace())) {
      members.push_back(absl::StripAsciiWhitespace(member));
    }
  }
  return members;
}

// The version ("HTTP/2.0") at the end of the first line of `start`; the line's own end may not have
// arrived yet. Empty if there is none.
absl::string_view VersionOf(absl::string_view start) {
  const size_t line = std::min(start.find('\r'), start.size());
  if (line < kVersion.size() + 1) return {};
  const absl::string_view version = start.substr(line - kVersion.size(), kVersion.size());
  const bool is_version = start[line - kVersion.size() - 1] == ' ' &&
                          absl::StartsWith(version, "HTTP/") && absl::ascii_isdigit(version[5]) &&
                          version[6] == '.' && absl::ascii_isdigit(version[7]);
  return is_version ? version : absl::string_view();
}

// Whether `host` is empty or contains only characters that uri-host [ ":" port ] of RFC 3986
// allows.
bool IsHost(absl::string_view host) {
  return std::all_of(host.begin(), host.end(), [](char c) {
    return absl::ascii_isalnum(c) || absl::StrContains("-._~%!$&'()*+,;=:[]", c);
  });
}

}  // namespace

Refusal RefusalFor(const boost::beast::error_code& error, absl::string_view start) {
  if (error == http::error::header_limit) {
    if (start.empty()) return {431, "the request's head is too large"};
    return absl::StrContains(start, ' ') ? Refusal{414, "the request's target is too long"}
                                         : Refusal{501, "the method is not implemented"};
  }
  if (error == http::error::body_limit) return {413, "the request's body is too large"};
  if (error == http::error::bad_version) {
    const absl::string_view version = VersionOf(start);
    if (!version.empty() && version[5] != '1') return {505, "only HTTP/1.1 and 1.0 are spoken"};
  }
  return {400, absl::StrCat("not an HTTP request: ", error.message())};
}

size_t LaterMinorVersion(absl::string_view start) {
  const absl::string_view version = VersionOf(start);
  if (version.empty() || version[5] != '1' || version[7] < '2') return absl::string_view::npos;
  return static_cast<size_t>(&version[7] - start.data());
}

size_t EmptyLines(absl::string_view start) {
  size_t bytes = 0;
  while (absl::StartsWith(start.substr(bytes), "\r\n")) bytes += 2;
  return bytes;
}

std::optional<Refusal> CheckCoding(const RequestHead& head) {
  if (head.count(http::field::transfer_encoding) == 0) return std::nullopt;
  if (head.version() == 10) return Refusal{400, "HTTP/1.0 has no Transfer-Encoding"};
  if (head.count(http::field::content_length) > 0) {
    return Refusal{400, "Transfer-Encoding and Content-Length exclude each other"};
  }
  const std::vector<absl::string_view> codings = ListOf(head, http::field::transfer_encoding);
  if (codings.size() != 1 || !absl::EqualsIgnoreCase(codings[0], "chunked")) {
    return Refusal{501, "no transfer coding but chunked"};
  }
  return std::nullopt;
}

std::optional<Refusal> CheckHead(const RequestHead& head) {
  const auto hosts = head.count(http::field::host);
  if (hosts > 1 || (hosts == 0 && head.version() == 11)) {
    return Refusal{400, "one Host header is needed"};
  }
  if (!IsHost(View(head[http::field::host]))) return Refusal{400, "Host is not a host"};
  // Beast before 1.92 treats a coding that it does not know as an absent one, so the body would be
  // read as the next request (request smuggling).
  if (std::optional<Refusal> refusal = CheckCoding(head)) return refusal;
  if (!PathOf(View(head.method_string()), View(head.target()))) {
    return Refusal{400, "the request's target is neither a path nor an http URI"};
  }
  if (head.version() == 11 && !ListOf(head, http::field::expect).empty() &&
      !ExpectsContinue(head)) {
    return Refusal{417, "no expectation but 100-continue"};
  }
  return std::nullopt;
}

bool ExpectsContinue(const RequestHead& head) {
  const std::vector<absl::string_view> expected = ListOf(head, http::field::expect);
  return head.version() == 11 && !expected.empty() &&
         std::all_of(expected.begin(), expected.end(), [](absl::string_view expectation) {
           return absl::EqualsIgnoreCase(expectation, "100-continue");
         });
}

WebRequest ToWebRequest(const RequestHead& head) {
  WebRequest request;
  request.method = std::string(head.method_string());
  request.target = std::string(head.target());
  request.path = PathOf(request.method, request.target).value_or("");
  for (const auto& field : head) {
    request.headers.emplace_back(absl::AsciiStrToLower(View(field.name_string())),
                                 std::string(field.value()));
  }
  return request;
}

}  // namespace ipp::web
