#include "server/events/event_stream.h"

#include <utility>

#include "absl/random/random.h"
#include "server/base/error.h"

namespace ipp::events {
namespace {

// The bytes that the transport may hold back of messages that are followed by another one at once,
// so that one system call takes many messages.
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

absl::Status Draining() {
  return Ended("DRAINING", "the gateway is stopping; reconnect with the last cursor");
}

EventStream::EventStream(StreamRegistry* registry, Clock* clock, const Options& options)
    : registry_(registry),
      clock_(clock),
      max_write_stall_(options.max_write_stall),
      started_(clock->Monotonic()),
      ends_(started_ + Jittered(options.max_age)),
      last_write_(started_) {}

absl::Status EventStream::Admit(absl::string_view caller, int limit) {
  return registry_->Add(shared_from_this(), caller, limit);
}

absl::Status EventStream::StillWanted() {
  MutexLock lock(&mutex_);
  if (cancelled_) return CallerGone();
  return closing_ ? closing_->second : absl::OkStatus();
}

void EventStream::Open(std::unique_ptr<EventSource> source, StreamMessage first) {
  Action action;
  {
    MutexLock lock(&mutex_);
    beginning_ = false;
    source_ = std::move(source);
    const bool last = source_ == nullptr;
    if (writing_) {  // an early heartbeat: its Written continues
      ahead_ = std::move(first);
      has_ahead_ = true;
      ahead_is_last_ = last;
    } else if (cancelled_) {
      action = Finished(CallerGone());
    } else {
      last_ = last;
      out_ = std::move(first);
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
    if (writing_) {  // an early heartbeat: its Written finishes
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
  // One reading of the clock for what leaves together.
  if (kept_back_ == 0) last_write_ = clock_->Monotonic();
  kept_back_ = more ? kept_back_ + out_.bytes().size() : 0;
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
      return StartSending(std::move(out_), action.more);
    case Action::kFinish:
      return End(action.status);
  }
}

// Decides what comes next; no write is in flight and no event is awaited.
EventStream::Action EventStream::Step() {
  if (cancelled_) return Finished(CallerGone());
  if (last_) return Finished(final_);
  if (has_ahead_) {
    out_ = std::move(ahead_);
    last_ = ahead_is_last_;
    has_ahead_ = false;
    return Write(LookAhead());
  }
  if (closing_) {
    auto [reason, status] = *std::exchange(closing_, std::nullopt);
    if (!Goodbye(source_->place(), reason, &out_)) return Finished(std::move(status));
    last_ = true;
    final_ = std::move(status);
    return Write();
  }
  while (true) {
    waiting_ = true;
    EventPtr event = source_->Next([self = shared_from_this()](absl::StatusOr<EventPtr> later) {
      self->GotEvent(std::move(later));
    });
    if (event == nullptr) return {};
    waiting_ = false;
    if (ForEvent(std::move(event), &out_, &last_)) return Write(LookAhead());
  }
}

bool EventStream::LookAhead() {
  while (!last_ && !closing_ && !has_ahead_) {
    EventPtr event = source_->NextAtHand();
    if (event == nullptr) break;
    has_ahead_ = ForEvent(std::move(event), &ahead_, &ahead_is_last_);
  }
  return has_ahead_;
}

EventStream::Action EventStream::StepAfterEvent(EventPtr event) {
  if (cancelled_) return Finished(CallerGone());
  return ForEvent(std::move(event), &out_, &last_) ? Write() : Step();
}

void EventStream::GotEvent(absl::StatusOr<EventPtr> event) {
  Action action;
  {
    MutexLock lock(&mutex_);
    waiting_ = false;
    action = event.ok() ? StepAfterEvent(*std::move(event)) : Finished(WhenFailed(event.status()));
  }
  Do(std::move(action));
}

void EventStream::Written(bool ok) {
  Action action;
  {
    MutexLock lock(&mutex_);
    if (cutting_off_) {
      write_ended_ = true;
      return;
    }
    writing_ = false;
    if (beginning_) return;  // Open or Fail continues
    action = ok ? Step() : Finished(CallerGone());
  }
  Do(std::move(action));
}

void EventStream::CallerLeft() {
  Action action;
  bool beginning = false;
  {
    MutexLock lock(&mutex_);
    cancelled_ = true;
    beginning = beginning_;
    // If a write is in flight, Written finishes the stream. If an event is about to arrive,
    // GotEvent does.
    if (!beginning && !writing_ && (!waiting_ || source_->Withdraw())) {
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
  if (!waiting_ || (!due && !closing_) || !source_->Withdraw()) return {};
  waiting_ = false;
  if (closing_) return Step();
  Heartbeat(source_->place(), &out_);
  return Write();
}

void EventStream::Tick(absl::Duration now) {
  Action action;
  bool cut_off = false;
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
      // If the client does not read, gRPC ends the write only when the connection is closed.
      cut_off = !stalled_ && now - last_write_ >= max_write_stall_;
      stalled_ = stalled_ || cut_off;
      cutting_off_ = cut_off;
      unread_for = now - last_write_;
      if (source_ != nullptr) position = source_->position();
    }
    if (!writing_) action = Beat(now);
  }
  if (cut_off) {
    CutOff(unread_for, position);
    MutexLock lock(&mutex_);
    cutting_off_ = false;
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
    if (!beginning && !writing_ && waiting_ && source_->Withdraw()) {
      waiting_ = false;
      action = Step();
    }
  }
  if (beginning) OnUnwanted();
  Do(std::move(action));
}

void EventStream::Done() {
  std::unique_ptr<EventSource> ended;
  {
    MutexLock lock(&mutex_);
    ended = std::move(source_);
  }
  registry_->Remove(this);
}

}  // namespace ipp::events
