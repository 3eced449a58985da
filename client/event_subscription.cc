#include "ippclient/event_subscription.h"

#include <algorithm>
#include <utility>

#include "absl/random/random.h"
#include "absl/strings/str_cat.h"
#include "ippclient/error.h"

namespace ipp::client {
namespace {

namespace v1 = ::kustom::ipp::v1;

constexpr absl::Duration kDefaultHeartbeat = absl::Seconds(15);
constexpr int kMissedHeartbeats = 3;

bool RetryHeals(grpc::StatusCode code) {
  switch (code) {
    case grpc::StatusCode::INVALID_ARGUMENT:
    case grpc::StatusCode::PERMISSION_DENIED:
    case grpc::StatusCode::UNAUTHENTICATED:
    case grpc::StatusCode::OUT_OF_RANGE:
    case grpc::StatusCode::NOT_FOUND:
    case grpc::StatusCode::UNIMPLEMENTED:
      return false;
    default:
      return true;  // also OK: the log has no end, so a stream that ends was cut
  }
}

}  // namespace

// What other threads tell the one in Run.
struct EventSubscription::Signals {
  mutable Mutex mutex;
  CondVar changed;
  bool cancelled ABSL_GUARDED_BY(mutex) = false;
  bool message_ready ABSL_GUARDED_BY(mutex) = false;
  bool stream_done ABSL_GUARDED_BY(mutex) = false;
  uint64_t timer_fired ABSL_GUARDED_BY(mutex) = 0;  // the newest that did
  std::string cursor ABSL_GUARDED_BY(mutex);
};

struct EventSubscription::Timer {
  uint64_t number;
  Scheduler::TaskId task;
};

// How a stream ended.
struct EventSubscription::Ended {
  grpc::Status status;
  bool delivered = false;  // it said more than `started`
};

// One call. gRPC's threads only raise signals; Run's thread reads, cancels and waits for the end.
class EventSubscription::Stream final
    : public grpc::ClientReadReactor<v1::SubscribeSessionEventsResponse> {
 public:
  explicit Stream(Signals* signals) : signals_(signals) {}

  void Start(v1::SessionEventService::Stub* stub,
             const v1::SubscribeSessionEventsRequest& request) {
    stub->async()->SubscribeSessionEvents(&context_, &request, this);
    AddHold();  // Reads start outside reactions: without a hold the call could end in between.
    StartRead(&message_);
    StartCall();
  }
  void ReadNext() { StartRead(&message_); }
  void Cancel() { context_.TryCancel(); }

  // After `message_ready`, until ReadNext.
  const v1::SubscribeSessionEventsResponse& message() const { return message_; }
  // After `stream_done`.
  const grpc::Status& status() const { return status_; }

  void OnReadDone(bool ok) override {
    if (!ok) {
      RemoveHold();  // The last read; OnDone follows.
      return;
    }
    MutexLock lock(&signals_->mutex);
    signals_->message_ready = true;
    signals_->changed.SignalAll();
  }

  void OnDone(const grpc::Status& status) override {
    status_ = status;
    // Once Run sees the signal this object may go; the lock is not part of it.
    MutexLock lock(&signals_->mutex);
    signals_->stream_done = true;
    signals_->changed.SignalAll();
  }

 private:
  Signals* const signals_;
  grpc::ClientContext context_;
  v1::SubscribeSessionEventsResponse message_;
  grpc::Status status_;
};

EventSubscription::EventSubscription(std::shared_ptr<grpc::Channel> channel, Options options)
    : stub_(v1::SessionEventService::NewStub(std::move(channel))),
      own_scheduler_(options.scheduler ? nullptr : std::make_unique<ThreadScheduler>()),
      options_(std::move(options)),
      signals_(std::make_shared<Signals>()) {
  if (own_scheduler_) options_.scheduler = own_scheduler_.get();
  if (!options_.random) options_.random = [] { return absl::Uniform(absl::BitGen(), 0.0, 1.0); };
  auto& request = options_.request;
  if (!request.has_heartbeat_interval()) {
    request.mutable_heartbeat_interval()->set_seconds(absl::ToInt64Seconds(kDefaultHeartbeat));
  }
  silence_limit_ = kMissedHeartbeats * (absl::Seconds(request.heartbeat_interval().seconds()) +
                                        absl::Nanoseconds(request.heartbeat_interval().nanos()));
}

EventSubscription::~EventSubscription() = default;

grpc::Status EventSubscription::Run(EventHandler* handler) {
  int failures = 0;
  while (!Cancelled()) {
    const Ended ended = Follow(handler);
    if (Cancelled()) break;
    if (!RetryHeals(ended.status.error_code())) return ended.status;

    if (ended.delivered) failures = 0;
    const absl::Duration asked =
        DecodeError(ended.status).retry_delay.value_or(absl::ZeroDuration());
    const absl::Duration delay = std::max(Backoff(failures++), asked);
    const Timer timer = Arm(delay);
    handler->OnDisconnected(ended.status, delay);
    {
      MutexLock lock(&signals_->mutex);
      while (!signals_->cancelled && signals_->timer_fired != timer.number) {
        signals_->changed.Wait(&signals_->mutex);
      }
    }
    options_.scheduler->Cancel(timer.task);
  }
  return grpc::Status::OK;
}

EventSubscription::Ended EventSubscription::Follow(EventHandler* handler) {
  Ended ended;
  v1::SubscribeSessionEventsRequest request = options_.request;
  if (const std::string last = cursor(); !last.empty()) request.set_after_cursor(last);
  {
    MutexLock lock(&signals_->mutex);
    signals_->message_ready = signals_->stream_done = false;
  }
  Stream stream(signals_.get());
  stream.Start(stub_.get(), request);
  bool silent = false;
  while (true) {
    const Timer silence = Arm(silence_limit_);
    bool ready = false;
    bool done = false;
    bool cancelled = false;
    {
      MutexLock lock(&signals_->mutex);
      while (!signals_->cancelled && !signals_->message_ready && !signals_->stream_done &&
             signals_->timer_fired != silence.number) {
        signals_->changed.Wait(&signals_->mutex);
      }
      cancelled = signals_->cancelled;
      ready = !cancelled && std::exchange(signals_->message_ready, false);
      done = signals_->stream_done;
    }
    options_.scheduler->Cancel(silence.task);
    if (ready) {
      if (Deliver(stream.message(), handler)) ended.delivered = true;
      stream.ReadNext();
      continue;
    }
    if (!done) {
      silent = !cancelled;
      Abandon(&stream);
    }
    break;
  }
  ended.status = silent ? grpc::Status(grpc::StatusCode::UNAVAILABLE,
                                       absl::StrCat("no message and no heartbeat for ",
                                                    absl::FormatDuration(silence_limit_)))
                        : stream.status();
  return ended;
}

// Cancels the stream and waits for its end; what still comes in is not delivered, so a later stream
// begins before it.
void EventSubscription::Abandon(Stream* stream) {
  stream->Cancel();
  while (true) {
    {
      MutexLock lock(&signals_->mutex);
      while (!signals_->stream_done && !signals_->message_ready) {
        signals_->changed.Wait(&signals_->mutex);
      }
      if (signals_->stream_done) return;
      signals_->message_ready = false;
    }
    stream->ReadNext();
  }
}

// True for everything but `started`.
bool EventSubscription::Deliver(const v1::SubscribeSessionEventsResponse& message,
                                EventHandler* handler) {
  switch (message.message_case()) {
    case v1::SubscribeSessionEventsResponse::kStarted:
      handler->OnStarted(message.started());
      Advance(message.started().cursor(), handler);
      return false;
    case v1::SubscribeSessionEventsResponse::kEvent:
      handler->OnEvent(message.event());
      Advance(message.event().cursor(), handler);
      return true;
    case v1::SubscribeSessionEventsResponse::kHeartbeat:
      Advance(message.heartbeat().cursor(), handler);
      return true;
    case v1::SubscribeSessionEventsResponse::kGoodbye:
      Advance(message.goodbye().cursor(), handler);
      return true;
    case v1::SubscribeSessionEventsResponse::MESSAGE_NOT_SET:
      return true;  // a kind newer than this library
  }
  return true;
}

void EventSubscription::Advance(const std::string& cursor, EventHandler* handler) {
  if (cursor.empty()) return;
  {
    MutexLock lock(&signals_->mutex);
    signals_->cursor = cursor;
  }
  handler->OnCursor(cursor);
}

absl::Duration EventSubscription::Backoff(int failures) const {
  absl::Duration limit = options_.initial_backoff;
  for (int i = 0; i < failures && limit < options_.max_backoff; ++i) limit *= 2;
  limit = std::min(limit, options_.max_backoff);
  // Half of it for certain, half by chance: never at once, never all subscribers together.
  return limit / 2 + limit / 2 * options_.random();
}

EventSubscription::Timer EventSubscription::Arm(absl::Duration delay) {
  const uint64_t number = ++last_timer_;
  const Scheduler::TaskId task = options_.scheduler->RunAfter(delay, [signals = signals_, number] {
    MutexLock lock(&signals->mutex);
    signals->timer_fired = std::max(signals->timer_fired, number);
    signals->changed.SignalAll();
  });
  return {number, task};
}

void EventSubscription::Cancel() {
  MutexLock lock(&signals_->mutex);
  signals_->cancelled = true;
  signals_->changed.SignalAll();
}

bool EventSubscription::Cancelled() const {
  MutexLock lock(&signals_->mutex);
  return signals_->cancelled;
}

std::string EventSubscription::cursor() const {
  MutexLock lock(&signals_->mutex);
  return signals_->cursor;
}

}  // namespace ipp::client
