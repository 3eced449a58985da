#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace ipp::http {

// The parts of an upstream's base URL, for example https://api.kustom.co.
struct BaseUrl {
  bool tls = false;  // https
  std::string host;  // an IPv6 address without its brackets
  std::string port;  // in digits; the scheme's own if the URL names none
  // host[:port], as a request names it; the scheme's own port is left out.
  std::string authority;
};

// INVALID_ARGUMENT if the text is not an http or https URL, or holds more than scheme, host and
// port. The message does not quote the text, which could contain a password.
absl::StatusOr<BaseUrl> ParseBaseUrl(const std::string& text);

}  // namespace ipp::http
