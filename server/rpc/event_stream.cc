#include "server/rpc/event_stream.h"

#include <grpcpp/support/proto_buffer_reader.h>

#include <utility>

#include "absl/random/random.h"
#include "server/base/error.h"
#include "server/base/identifiers.h"
#include "server/base/status_macros.h"
#include "server/rpc/grpc_status.h"

namespace ipp::rpc {
namespace {

// The bytes that gRPC may hold back of messages that are followed by another one at once, so that
// one system call takes many messages.
constexpr size_t kMostKeptBack = 16 * 1024;

// Plus or minus a tenth, so that the streams of many clients do not end at the same time.
absl::Duration Jittered(absl::Duration age) {
  thread_local absl::BitGen random;
  return age * absl::Uniform<double>(random, 0.9, 1.1);
}

// The caller cannot read this status; it is for the metrics.
absl::Status CallerGone() {
  return MakeError(absl::StatusCode::kCancelled, "the caller has gone", {.reason = "CANCELLED"});
}

absl::Status Ended(absl::string_view reason, absl::string_view message) {
  return MakeError(absl::StatusCode::kUnavailable, message,
                   {.reason = std::string(reason), .metadata = {{"retry_safe", "true"}}});
}

}  // namespace

absl::Status ParseRequest(const grpc::ByteBuffer& buffer, google::protobuf::Message* request) {
  grpc::ByteBuffer copy(buffer);  // reading takes the buffer's slices
  grpc::ProtoBufferReader reader(&copy);
  if (reader.status().ok() && request->ParseFromZeroCopyStream(&reader)) {
    IdentifierFields(request->GetDescriptor()).Canonicalize(request);
    return absl::OkStatus();
  }
  return InvalidRequest({{"request", "is not the message that this RPC takes"}});
}

absl::Status Draining() {
  return Ended("DRAINING", "the gateway is stopping; reconnect with the last cursor");
}

void Serialize(const google::protobuf::MessageLite& message, grpc::ByteBuffer* out) {
  const std::string bytes = message.SerializeAsString();
  const grpc::Slice slice(bytes);
  grpc::ByteBuffer(&slice, 1).Swap(out);
}

void ShareMessage(events::EventPtr event, grpc::ByteBuffer* out) {
  const std::string& bytes = event->message;
  auto* reference = new events::EventPtr(std::move(event));
  const grpc::Slice slice(
      const_cast<char*>(bytes.data()), bytes.size(),
      [](void* pointer) { delete static_cast<events::EventPtr*>(pointer); }, reference);
  grpc::ByteBuffer(&slice, 1).Swap(out);
}

EventStream::EventStream(const ServiceContext& service, StreamRegistry* streams,
                         const Method& method, grpc::CallbackServerContext* context)
    : service_(service),
      streams_(streams),
      method_(method),
      context_(context),
      trace_(TraceOf(*context)),
      started_(service.backends.clock->Monotonic()),
      ends_(started_ + Jittered(service.backends.options.max_stream_age)),
      last_write_(started_) {
  method_.started->Add();
  method_.received->Add();
}

absl::Status EventStream::Admit(const auth::Caller& caller) {
  // Without configured callers, the clients cannot be distinguished.
  if (caller.use == nullptr) return streams_->Add(shared_from_this(), "");
  caller_ = caller.name;
  IPP_RETURN_IF_ERROR(caller.use->BeginStream(service_.backends.clock->Monotonic()));
  return streams_->Add(shared_from_this(), caller.name, caller.use->limits().subscribers);
}

absl::Status EventStream::StillWanted() {
  MutexLock lock(&mutex_);
  if (cancelled_) return CallerGone();
  return closing_ ? closing_->second : absl::OkStatus();
}

void EventStream::Open(std::unique_ptr<events::Subscription> subscription,
                       const google::protobuf::MessageLite& first) {
  Action action;
  {
    MutexLock lock(&mutex_);
    beginning_ = false;
    subscription_ = std::move(subscription);
    const bool last = subscription_ == nullptr;
    if (writing_) {  // an early heartbeat: its OnWriteDone continues
      Serialize(first, &ahead_);
      has_ahead_ = true;
      ahead_is_last_ = last;
    } else if (cancelled_) {
      action = Finished(CallerGone());
    } else {
      last_ = last;
      Serialize(first, &out_);
      action = Write();
    }
  }
  Do(std::move(action));
}

void EventStream::Fail(const absl::Status& status) {
  Action action;
  {
    MutexLock lock(&mutex_);
    beginning_ = false;
    if (writing_) {  // an early heartbeat: its OnWriteDone finishes
      last_ = true;
      final_ = status;
    } else {
      action = Finished(status);
    }
  }
  Do(std::move(action));
}

EventStream::Action EventStream::Write(bool more) {
  writing_ = true;
  last_write_ = service_.backends.clock->Monotonic();
  kept_back_ = more ? kept_back_ + out_.Length() : 0;
  if (kept_back_ >= kMostKeptBack) kept_back_ = 0;
  return {Action::kWrite, absl::OkStatus(), kept_back_ > 0};
}

EventStream::Action EventStream::Finished(absl::Status status) {
  if (finished_) return {};
  finished_ = true;
  return {Action::kFinish, std::move(status)};
}

void EventStream::Do(Action action) {
  switch (action.kind) {
    case Action::kNothing:
      return;
    case Action::kWrite:
      method_.sent->Add();
      return StartWrite(
          &out_, action.more ? grpc::WriteOptions().set_buffer_hint() : grpc::WriteOptions());
    case Action::kFinish:
      if (action.status.ok()) return Finish(grpc::Status::OK);
      ErrorDetail detail = GetErrorDetail(action.status);
      method_.errors->Count(detail.reason);
      detail.metadata.emplace("trace_id", trace_.trace_id());
      const grpc::Status status =
          ToGrpcStatus(action.status.code(), action.status.message(), detail);
      code_ = status.error_code();
      return Finish(status);
  }
}

// Decides what comes next; no write is in flight and no event is awaited.
EventStream::Action EventStream::Step() {
  if (cancelled_) return Finished(CallerGone());
  if (last_) return Finished(final_);
  if (has_ahead_) {
    ahead_.Swap(&out_);
    last_ = ahead_is_last_;
    has_ahead_ = false;
    return Write(LookAhead());
  }
  if (closing_) {
    auto [reason, status] = *std::exchange(closing_, std::nullopt);
    if (!Goodbye(subscription_->place(), reason, &out_)) return Finished(std::move(status));
    last_ = true;
    final_ = std::move(status);
    return Write();
  }
  while (true) {
    waiting_ = true;
    events::EventPtr event =
        subscription_->Next([self = shared_from_this()](absl::StatusOr<events::EventPtr> later) {
          self->GotEvent(std::move(later));
        });
    if (event == nullptr) return {};
    waiting_ = false;
    if (ForEvent(std::move(event), &out_, &last_)) return Write(LookAhead());
  }
}

bool EventStream::LookAhead() {
  while (!last_ && !closing_ && !has_ahead_) {
    events::EventPtr event = subscription_->NextAtHand();
    if (event == nullptr) break;
    has_ahead_ = ForEvent(std::move(event), &ahead_, &ahead_is_last_);
  }
  return has_ahead_;
}

EventStream::Action EventStream::StepAfterEvent(events::EventPtr event) {
  if (cancelled_) return Finished(CallerGone());
  return ForEvent(std::move(event), &out_, &last_) ? Write() : Step();
}

void EventStream::GotEvent(absl::StatusOr<events::EventPtr> event) {
  Action action;
  {
    MutexLock lock(&mutex_);
    waiting_ = false;
    action = event.ok() ? StepAfterEvent(*std::move(event)) : Finished(WhenFailed(event.status()));
  }
  Do(std::move(action));
}

void EventStream::OnWriteDone(bool ok) {
  Action action;
  {
    MutexLock lock(&mutex_);
    if (cancelling_) {
      write_ended_ = true;
      return;
    }
    writing_ = false;
    if (beginning_) return;  // Open or Fail continues
    action = ok ? Step() : Finished(CallerGone());
  }
  Do(std::move(action));
}

void EventStream::OnCancel() {
  Action action;
  bool beginning = false;
  {
    MutexLock lock(&mutex_);
    cancelled_ = true;
    beginning = beginning_;
    // If a write is in flight, OnWriteDone finishes the stream. If an event is about to arrive,
    // GotEvent does.
    if (!beginning && !writing_ && (!waiting_ || subscription_->Withdraw())) {
      waiting_ = false;
      action = Finished(CallerGone());
    }
  }
  if (beginning) OnUnwanted();
  Do(std::move(action));
}

EventStream::Action EventStream::Beat(absl::Duration now) {
  const bool due = now - last_write_ >= heartbeat_interval_;
  if (beginning_) {
    if (!due || closing_ || !early_heartbeats_) return {};
    EarlyHeartbeat(&out_);
    return Write();
  }
  if (!waiting_ || (!due && !closing_) || !subscription_->Withdraw()) return {};
  waiting_ = false;
  if (closing_) return Step();
  Heartbeat(subscription_->place(), &out_);
  return Write();
}

void EventStream::Tick(absl::Duration now) {
  Action action;
  bool cancel = false;
  absl::Duration unread_for;
  int64_t position = 0;
  {
    MutexLock lock(&mutex_);
    if (finished_ || cancelled_) return;
    // Also checked while a write is in flight: a stream that is never idle must end at its age,
    // too.
    if (!closing_ && now >= ends_) {
      closing_.emplace("stream_age", Ended("STREAM_AGE",
                                           "the stream has reached its age; reconnect "
                                           "with the last cursor"));
    }
    if (writing_) {
      // If the reader does not read, gRPC ends the write only when the connection is closed.
      cancel = !stalled_ && now - last_write_ >= service_.backends.options.max_write_stall;
      stalled_ = stalled_ || cancel;
      cancelling_ = cancel;
      unread_for = now - last_write_;
      if (subscription_ != nullptr) position = subscription_->position();
    }
    if (!writing_) action = Beat(now);
  }
  if (cancel) {
    streams_->CountCutOff({.caller = caller_,
                           .rpc = method_.route->method()->name(),
                           .unread_for = unread_for,
                           .position = position,
                           .trace_id = std::string(trace_.trace_id())});
    context_->TryCancel();
    MutexLock lock(&mutex_);
    cancelling_ = false;
    if (write_ended_) {
      writing_ = false;
      if (!beginning_) action = Finished(CallerGone());
    }
  }
  Do(std::move(action));
}

void EventStream::Close(absl::string_view reason, absl::Status status) {
  Action action;
  bool beginning = false;
  {
    MutexLock lock(&mutex_);
    if (finished_ || closing_) return;
    closing_.emplace(std::string(reason), std::move(status));
    beginning = beginning_;
    if (!beginning && !writing_ && waiting_ && subscription_->Withdraw()) {
      waiting_ = false;
      action = Step();
    }
  }
  if (beginning) OnUnwanted();
  Do(std::move(action));
}

void EventStream::OnDone() {
  method_.handled[static_cast<size_t>(code_)]->Add();
  method_.seconds->Observe(absl::ToDoubleSeconds(service_.backends.clock->Monotonic() - started_));
  std::unique_ptr<events::Subscription> ended;
  {
    MutexLock lock(&mutex_);
    ended = std::move(subscription_);
  }
  streams_->Remove(this);
  // Must be the last statement: it destroys this object, unless a tick still holds a reference.
  const std::shared_ptr<EventStream> self = std::move(self_);
}

}  // namespace ipp::rpc
