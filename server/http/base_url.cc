#include "server/http/base_url.h"

#include <curl/curl.h>

#include <memory>

#include "absl/strings/str_cat.h"

namespace ipp::http {

absl::StatusOr<BaseUrl> ParseBaseUrl(const std::string& text) {
  const std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> url(curl_url(), &curl_url_cleanup);
  if (curl_url_set(url.get(), CURLUPART_URL, text.c_str(), 0) != CURLUE_OK) {
    return absl::InvalidArgumentError("base_url is not a URL");
  }
  const auto part = [&url](CURLUPart which, unsigned int flags = 0) {
    char* value = nullptr;
    if (curl_url_get(url.get(), which, &value, flags) != CURLUE_OK) return std::string();
    std::string copy(value);
    curl_free(value);
    return copy;
  };
  const std::string scheme = part(CURLUPART_SCHEME);
  if (scheme != "http" && scheme != "https") {
    return absl::InvalidArgumentError("base_url begins with neither http:// nor https://");
  }
  // libcurl returns "/" if there is no path.
  if (part(CURLUPART_PATH) != "/" || text.back() == '/' || !part(CURLUPART_QUERY).empty() ||
      !part(CURLUPART_FRAGMENT).empty() || !part(CURLUPART_USER).empty()) {
    return absl::InvalidArgumentError("base_url holds more than scheme, host and port");
  }
  BaseUrl parts;
  parts.tls = scheme == "https";
  parts.host = part(CURLUPART_HOST);
  parts.port = part(CURLUPART_PORT, CURLU_DEFAULT_PORT);
  const std::string other_port = part(CURLUPART_PORT, CURLU_NO_DEFAULT_PORT);
  parts.authority = other_port.empty() ? parts.host : absl::StrCat(parts.host, ":", other_port);
  if (parts.host.front() == '[') parts.host = parts.host.substr(1, parts.host.size() - 2);
  return parts;
}

}  // namespace ipp::http
