#include "client/event_follower.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ippclient/error.h"

namespace ipp::client {
namespace {

namespace v1 = ::kustom::ipp::v1;

constexpr int64_t kDefaultHeartbeatSeconds = 15;
constexpr int kMissedHeartbeats = 3;

v1::SubscribeSessionEventsRequest WithHeartbeat(v1::SubscribeSessionEventsRequest request) {
  if (!request.has_heartbeat_interval()) {
    request.mutable_heartbeat_interval()->set_seconds(kDefaultHeartbeatSeconds);
  }
  return request;
}

absl::Duration SilenceLimit(const v1::SubscribeSessionEventsRequest& request) {
  return kMissedHeartbeats * (absl::Seconds(request.heartbeat_interval().seconds()) +
                              absl::Nanoseconds(request.heartbeat_interval().nanos()));
}

}  // namespace

EventFollower::EventFollower(std::shared_ptr<grpc::Channel> channel, SubscriptionOptions options)
    : clock_(ClockAndRandom::OrReal(options.clock)),
      stub_(v1::SessionEventService::NewStub(std::move(channel))),
      options_(std::move(options)),
      request_(WithHeartbeat(options_.request)),
      silence_limit_(SilenceLimit(request_)),
      backoff_(options_.initial_backoff, options_.max_backoff),
      open_at_(clock_.Now()) {}

EventFollower::Step EventFollower::Next(absl::Duration until) {
  if (over_) return {.kind = Step::Kind::kEnded, .status = *over_};
  if (call_ == nullptr) {
    Await(std::min(until, open_at_), [] { return false; });
    if (Cancelled()) return Ended(grpc::Status::OK);
    if (clock_.Now() < open_at_) return {.kind = Step::Kind::kNothing};
    Open();
  } else if (std::exchange(taken_, false)) {
    listening_since_ = clock_.Now();
    call_->ReadNext();
  }
  const absl::Duration dead_at = listening_since_ + silence_limit_;
  Await(std::min(until, dead_at), [this] { return call_->HasMessage() || call_->HasEnded(); });
  if (Cancelled()) return Ended(grpc::Status::OK);
  return Take();
}

void EventFollower::Open() {
  v1::SubscribeSessionEventsRequest request = request_;
  if (const std::string last = cursor(); !last.empty()) request.set_after_cursor(last);
  call_ = std::make_unique<Call>(&wake_);
  listening_since_ = clock_.Now();
  call_->Start([&](grpc::ClientContext* context, Call* call) {
    stub_->async()->SubscribeSessionEvents(context, &request, call);
  });
}

// Evaluates the stream after a wait.
EventFollower::Step EventFollower::Take() {
  bool ready = false;
  bool ended = false;
  {
    MutexLock lock(&wake_.mutex);
    ready = call_->HasMessage();
    ended = call_->HasEnded();
  }
  if (ready) {
    taken_ = true;
    if (!call_->message().has_started()) backoff_.Reset();
    return {.kind = Step::Kind::kMessage, .message = &call_->message()};
  }
  if (ended) return Broken(call_->status());
  if (clock_.Now() < listening_since_ + silence_limit_) return {.kind = Step::Kind::kNothing};
  return Broken(
      {grpc::StatusCode::UNAVAILABLE,
       absl::StrCat("no message and no heartbeat for ", absl::FormatDuration(silence_limit_))});
}

EventFollower::Step EventFollower::Broken(const grpc::Status& status) {
  // Retention has removed events after the cursor. A new stream would continue after the gap, and
  // say so.
  const bool fails_on_loss =
      status.error_code() == grpc::StatusCode::OUT_OF_RANGE &&
      request_.on_cursor_expired() != v1::CURSOR_EXPIRED_POLICY_SKIP_TO_OLDEST;
  if (fails_on_loss || !RetryHeals(status.error_code())) return Ended(status);

  Step step{.kind = Step::Kind::kBroken, .status = status};  // the call owns it
  call_.reset();
  taken_ = false;
  step.retry_in = std::max(backoff_.Next(clock_.Random()),
                           DecodeError(step.status).retry_delay.value_or(absl::ZeroDuration()));
  open_at_ = clock_.Now() + step.retry_in;
  return step;
}

EventFollower::Step EventFollower::Ended(const grpc::Status& status) {
  over_ = status;
  call_.reset();
  return {.kind = Step::Kind::kEnded, .status = *over_};
}

template <typename Done>
void EventFollower::Await(absl::Duration until, Done done) {
  MutexLock lock(&wake_.mutex);
  while (!cancelled_ && !done() && clock_.Now() < until) {
    clock_.Wait(until, &wake_.changed, &wake_.mutex);
  }
}

void EventFollower::MoveTo(const std::string& cursor) {
  if (cursor.empty()) return;
  MutexLock lock(&wake_.mutex);
  cursor_ = cursor;
}

void EventFollower::Cancel() {
  MutexLock lock(&wake_.mutex);
  cancelled_ = true;
  wake_.changed.SignalAll();
}

bool EventFollower::Cancelled() const {
  MutexLock lock(&wake_.mutex);
  return cancelled_;
}

std::string EventFollower::cursor() const {
  MutexLock lock(&wake_.mutex);
  return cursor_;
}

}  // namespace ipp::client
