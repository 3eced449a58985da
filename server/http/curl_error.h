#pragma once

#include <curl/curl.h>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace ipp::http {

// The status that the caller of HttpTransport gets for a libcurl code other than CURLE_OK. `words`
// is text for a person.
absl::Status CurlStatus(CURLcode code, absl::string_view words);

}  // namespace ipp::http
