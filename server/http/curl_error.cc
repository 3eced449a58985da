#include "server/http/curl_error.h"

#include "absl/strings/str_cat.h"

namespace ipp::http {

absl::Status CurlStatus(CURLcode code, absl::string_view words) {
  const std::string message = absl::StrCat("upstream: ", words, " (curl ", code, ")");
  switch (code) {
    // A person must correct the peer's identity or the trusted certificates, so a retry does not
    // help.
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_USE_SSL_FAILED:
      return absl::FailedPreconditionError(message);
    case CURLE_URL_MALFORMAT:
      return absl::InvalidArgumentError(message);
    case CURLE_FAILED_INIT:
    case CURLE_NOT_BUILT_IN:
    case CURLE_BAD_FUNCTION_ARGUMENT:
    case CURLE_UNKNOWN_OPTION:
      return absl::InternalError(message);
    default:
      return absl::UnavailableError(message);
  }
}

}  // namespace ipp::http
