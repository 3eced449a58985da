#include "server/http/curl_call.h"

namespace ipp::http {

void CurlCall::Cancel() {
  if (over.load(std::memory_order_acquire) || cancelled.exchange(true)) return;
  inbox->Post({shared_from_this(), true});
}

}  // namespace ipp::http
