#include "client/ippctl/forward_url.h"

#include <arpa/inet.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace ipp::ippctl {
namespace {

absl::Status Wrong(absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("--forward-to ", what));
}

bool IsHostName(absl::string_view host) {
  return !host.empty() && std::all_of(host.begin(), host.end(), [](char c) {
    return absl::ascii_isalnum(c) || c == '.' || c == '-' || c == '_';
  });
}

bool IsLoopback(const std::string& host) {
  if (absl::EqualsIgnoreCase(host, "localhost")) return true;
  in_addr v4;
  if (inet_pton(AF_INET, host.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  in6_addr v6;
  return inet_pton(AF_INET6, host.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

// "host", "host:port", "[::1]:port" → host without brackets; empty when it is none of these.
std::string HostOf(absl::string_view authority) {
  absl::string_view port;
  std::string host;
  if (absl::ConsumePrefix(&authority, "[")) {
    const size_t end = authority.find(']');
    if (end == absl::string_view::npos) return "";
    host = std::string(authority.substr(0, end));
    port = authority.substr(end + 1);
    in6_addr v6;
    if (inet_pton(AF_INET6, host.c_str(), &v6) != 1) return "";
  } else {
    const size_t colon = authority.find(':');
    host = std::string(authority.substr(0, colon));
    port = colon == absl::string_view::npos ? "" : authority.substr(colon);
    if (!IsHostName(host)) return "";
  }
  if (port.empty()) return host;
  int number = 0;
  const bool digits = absl::ConsumePrefix(&port, ":") && !port.empty() &&
                      std::all_of(port.begin(), port.end(), absl::ascii_isdigit);
  return digits && absl::SimpleAtoi(port, &number) && number >= 1 && number <= 65535 ? host : "";
}

}  // namespace

absl::StatusOr<ForwardUrl> ParseForwardUrl(absl::string_view url) {
  const size_t scheme_end = url.find("://");
  const std::string scheme = absl::AsciiStrToLower(url.substr(0, scheme_end));
  if (scheme_end == absl::string_view::npos || (scheme != "http" && scheme != "https")) {
    return Wrong("begins with neither http:// nor https://");
  }
  url.remove_prefix(scheme_end + 3);
  const absl::string_view authority = url.substr(0, url.find_first_of("/?#"));
  url.remove_prefix(authority.size());
  if (absl::StrContains(authority, '@')) return Wrong("holds a user: leave it out");
  const std::string host = HostOf(authority);
  if (host.empty()) return Wrong("names no host, or a port that is none");
  if (absl::StrContains(url, '#')) return Wrong("holds a fragment (#), which is never sent");
  if (!std::all_of(url.begin(), url.end(), absl::ascii_isgraph)) {
    return Wrong("holds a character that has to be percent-encoded");
  }
  return ForwardUrl{.origin = absl::StrCat(scheme, "://", authority),
                    .target = absl::StrCat(absl::StartsWith(url, "/") ? "" : "/", url),
                    .is_loopback = IsLoopback(host)};
}

}  // namespace ipp::ippctl
