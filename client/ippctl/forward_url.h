#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace ipp::ippctl {

// Where webhooks are sent, taken apart.
struct ForwardUrl {
  std::string origin;        // "http://127.0.0.1:3000"
  std::string target;        // "/hooks?x=1"; "/" when the URL has no path
  bool is_loopback = false;  // localhost, 127.0.0.0/8, ::1
};

// http and https with a host and perhaps a port, path and query. The error is a sentence for the
// user that begins with the flag; it does not repeat the URL, which may hold a password.
absl::StatusOr<ForwardUrl> ParseForwardUrl(absl::string_view url);

}  // namespace ipp::ippctl
