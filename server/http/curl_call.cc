#include "server/http/curl_call.h"

#include <curl/curl.h>

namespace ipp::http {

void CurlCall::Cancel() {
  if (over.load(std::memory_order_acquire) || cancelled.exchange(true)) return;
  inbox->Post({shared_from_this(), true});
}

bool CurlInbox::Post(Item item) {
  MutexLock lock(&mutex_);
  if (closed_) return false;
  items_.push_back(std::move(item));
  Wake();
  return true;
}

bool CurlInbox::Take(std::vector<Item>* batch) {
  MutexLock lock(&mutex_);
  asleep_ = false;
  batch->swap(items_);
  return !stopping_;
}

bool CurlInbox::MaySleep() {
  MutexLock lock(&mutex_);
  asleep_ = items_.empty() && !stopping_;
  return asleep_;
}

void CurlInbox::Stop() {
  MutexLock lock(&mutex_);
  stopping_ = true;
  Wake();
}

bool CurlInbox::Close() {
  MutexLock lock(&mutex_);
  closed_ = items_.empty();
  return closed_;
}

// Called under the lock, since a Cancel() may come while the transport ends: the handle must not be
// destroyed between the check of closed_ and the wakeup. The wakeup is one write to a socket that
// never blocks.
void CurlInbox::Wake() {
  if (!asleep_) return;
  asleep_ = false;
  curl_multi_wakeup(static_cast<CURLM*>(multi_));
}

}  // namespace ipp::http
