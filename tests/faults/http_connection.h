#pragma once

#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "tests/support/web_client.h"

namespace ipp::faults {

// HTTP/1.1 to a port of this machine, one call after the other over one connection that is made
// again when it broke. Every call ends (within 20 s). One thread.
class HttpConnection {
 public:
  explicit HttpConnection(int port) : port_(port) {}

  // `headers` are whole lines, each with its end. Code 0: no answer came.
  RawResponse Call(absl::string_view method, absl::string_view target,
                   absl::string_view headers = "", absl::string_view body = "");

 private:
  const int port_;
  std::optional<WebClient> client_;
  absl::Time last_use_ = absl::InfinitePast();
};

}  // namespace ipp::faults
