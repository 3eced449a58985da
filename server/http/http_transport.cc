#include "server/http/http_transport.h"

namespace ipp::http {

absl::string_view HttpResponse::header(absl::string_view name) const {
  for (const Header& header : headers) {
    if (header.first == name) return header.second;
  }
  return {};
}

}  // namespace ipp::http
