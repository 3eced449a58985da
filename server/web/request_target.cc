#include "server/web/request_target.h"

#include <algorithm>
#include <cstddef>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"

namespace ipp::web {
namespace {

bool IsUnreserved(char c) { return absl::ascii_isalnum(c) || absl::StrContains("-._~", c); }

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = absl::ascii_tolower(static_cast<unsigned char>(c));
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// Reserved characters and bytes beyond ASCII stay encoded: "%2F" is not "/".
std::string DecodeUnreserved(absl::string_view path) {
  std::string decoded;
  decoded.reserve(path.size());
  for (size_t i = 0; i < path.size(); ++i) {
    if (path[i] == '%' && i + 2 < path.size()) {
      const int high = HexDigit(path[i + 1]);
      const int low = HexDigit(path[i + 2]);
      const char c = static_cast<char>(high * 16 + low);
      if (high >= 0 && low >= 0 && IsUnreserved(c)) {
        decoded.push_back(c);
        i += 2;
        continue;
      }
    }
    decoded.push_back(path[i]);
  }
  return decoded;
}

// Removes "http://authority" or "https://authority" from the front. False if there is none.
bool ConsumeOrigin(absl::string_view* target) {
  for (const absl::string_view scheme : {"http://", "https://"}) {
    if (!absl::StartsWithIgnoreCase(*target, scheme)) continue;
    const absl::string_view rest = target->substr(scheme.size());
    const size_t authority = std::min(rest.find_first_of("/?"), rest.size());
    *target = rest.substr(authority);
    return authority > 0;
  }
  return false;
}

}  // namespace

std::optional<std::string> PathOf(absl::string_view method, absl::string_view target) {
  if (method == "CONNECT") return "";
  if (target == "*") return method == "OPTIONS" ? std::optional<std::string>("*") : std::nullopt;
  if (!absl::StartsWith(target, "/")) {
    if (!ConsumeOrigin(&target)) return std::nullopt;
    // A URI without a path has the path "/", except for OPTIONS, which then refers to the server as
    // a whole.
    if (target.empty() && method == "OPTIONS") return "*";
  }
  std::string path = DecodeUnreserved(target.substr(0, target.find('?')));
  if (path.empty()) path = "/";
  return path;
}

}  // namespace ipp::web
