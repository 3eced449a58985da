#pragma once

#include <optional>
#include <string>

#include "absl/strings/string_view.h"

// Addresses in the form that the configuration uses. Nothing here queries a name server. Pure.
namespace ipp {

struct HostPort {
  std::string host;  // an IPv6 address without its brackets
  int port = 0;      // 0: any free port
};

// "127.0.0.1:50051", "[::1]:50051", "gateway.internal:50051". Nothing if the text is not of that
// form: both parts are required, and an IPv6 address needs its brackets.
std::optional<HostPort> ParseHostPort(absl::string_view text);

// True for localhost, 127.0.0.0/8, ::1 and its IPv4-mapped forms, with or without brackets. False
// for any other name, whatever it resolves to.
bool IsLoopback(absl::string_view host);

}  // namespace ipp
