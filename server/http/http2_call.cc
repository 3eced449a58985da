#include "server/http/http2_call.h"

#include <sys/eventfd.h>
#include <unistd.h>

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

Http2Inbox::Http2Inbox() : wake_fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

Http2Inbox::~Http2Inbox() { close(wake_fd_); }

bool Http2Inbox::Post(Item item) {
  MutexLock lock(&mutex_);
  if (closed_) return false;
  items_.push_back(std::move(item));
  Wake();
  return true;
}

bool Http2Inbox::Take(std::vector<Item>* batch) {
  MutexLock lock(&mutex_);
  asleep_ = false;
  batch->swap(items_);
  return !stopping_;
}

bool Http2Inbox::MaySleep() {
  MutexLock lock(&mutex_);
  asleep_ = items_.empty() && !stopping_;
  return asleep_;
}

void Http2Inbox::Stop() {
  MutexLock lock(&mutex_);
  stopping_ = true;
  Wake();
}

bool Http2Inbox::Close() {
  MutexLock lock(&mutex_);
  closed_ = items_.empty();
  return closed_;
}

// The write never blocks: it would take 2^64 wakeups.
void Http2Inbox::Wake() {
  if (!asleep_) return;
  asleep_ = false;
  const uint64_t one = 1;
  (void)!write(wake_fd_, &one, sizeof(one));
}

}  // namespace ipp::http
