#include "tests/faults/http_connection.h"

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace ipp::faults {
namespace {

// Far below the idle time of every server that is called.
constexpr absl::Duration kLongestIdle = absl::Seconds(10);

}  // namespace

RawResponse HttpConnection::Call(absl::string_view method, absl::string_view target,
                                 absl::string_view headers, absl::string_view body) {
  const std::string request =
      absl::StrCat(method, " ", target, " HTTP/1.1\r\nHost: localhost\r\n", headers,
                   "Content-Length: ", body.size(), "\r\n\r\n", body);
  const absl::Time now = absl::Now();
  // The server closes a connection that was idle, and may do so while the next request is on its
  // way.
  if (now - last_use_ > kLongestIdle) client_.reset();
  if (!client_) client_.emplace(port_);
  RawResponse response = client_->Call(request);
  last_use_ = absl::Now();
  if (response.code == 0 || response.header("connection") == "close") client_.reset();
  return response;
}

}  // namespace ipp::faults
