#include "server/http/http2_call.h"

#include <utility>

namespace ipp::http {

void Http2Call::Cancel() {
  if (over.load(std::memory_order_acquire) || cancelled.exchange(true)) return;
  inbox->Post({shared_from_this(), true});
}

void Http2Call::Reset(size_t max_response_bytes) {
  connection = nullptr;
  stream = 0;
  body_sent = 0;
  answer.Reset(max_response_bytes);
  committed = false;
  fill = 0;
  not_processed = false;
}

RequestFate Http2Call::fate() const {
  if (answer.began()) return RequestFate::kSent;
  if (committed && !not_processed) return RequestFate::kUnknown;
  return perhaps_before ? RequestFate::kUnknown : RequestFate::kNotSent;
}

void Http2CallList::PushBack(Http2Call* call) {
  call->previous = last_;
  call->next = nullptr;
  (last_ != nullptr ? last_->next : first_) = call;
  last_ = call;
  ++size_;
}

void Http2CallList::PushFront(Http2Call* call) {
  call->previous = nullptr;
  call->next = first_;
  (first_ != nullptr ? first_->previous : last_) = call;
  first_ = call;
  ++size_;
}

void Http2CallList::Remove(Http2Call* call) {
  (call->previous != nullptr ? call->previous->next : first_) = call->next;
  (call->next != nullptr ? call->next->previous : last_) = call->previous;
  call->previous = call->next = nullptr;
  --size_;
}

}  // namespace ipp::http
