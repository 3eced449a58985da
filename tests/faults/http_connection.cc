#include "tests/faults/http_connection.h"

#include "absl/strings/str_cat.h"

namespace ipp::faults {

RawResponse HttpConnection::Call(absl::string_view method, absl::string_view target,
                                 absl::string_view headers, absl::string_view body) {
  const std::string request =
      absl::StrCat(method, " ", target, " HTTP/1.1\r\nHost: localhost\r\n", headers,
                   "Content-Length: ", body.size(), "\r\n\r\n", body);
  if (!client_) client_.emplace(port_);
  RawResponse response = client_->Call(request);
  if (response.code == 0 || response.header("connection") == "close") client_.reset();
  return response;
}

}  // namespace ipp::faults
