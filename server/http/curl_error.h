#pragma once

#include <curl/curl.h>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace ipp::http {

// What a libcurl code other than CURLE_OK means to the caller of HttpTransport. `words` is for a
// person.
absl::Status CurlStatus(CURLcode code, absl::string_view words);

}  // namespace ipp::http
