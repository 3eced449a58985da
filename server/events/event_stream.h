#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "google/protobuf/message_lite.h"
#include "server/base/clock.h"
#include "server/base/mutex.h"
#include "server/events/event_source.h"
#include "server/events/stream_registry.h"

namespace ipp::events {

// The error UNAVAILABLE / DRAINING.
absl::Status Draining();

// A serialized message on its way to a caller: bytes of its own, or those of an event, which are
// shared with every other stream.
class StreamMessage {
 public:
  StreamMessage() = default;
  explicit StreamMessage(const google::protobuf::MessageLite& message)
      : own_(message.SerializeAsString()) {}
  explicit StreamMessage(EventPtr event) : event_(std::move(event)) {}

  absl::string_view bytes() const { return event_ == nullptr ? own_ : event_->message; }
  // The event whose bytes these are; null: they are its own. The bytes live as long as the event.
  EventPtr TakeEvent() { return std::move(event_); }

  // The trace of the session that this is about; empty: not known, or not asked for.
  void set_traceparent(std::string traceparent) { traceparent_ = std::move(traceparent); }
  std::string TakeTraceparent() { return std::move(traceparent_); }

 private:
  std::string own_;
  EventPtr event_;
  std::string traceparent_;
};

// One stream of events to a caller: what is sent when, and how it ends. The transport (gRPC) and
// the content of the messages are the subclass's.
//
// One write is in flight and nothing is queued: the next event is requested when the previous write
// has finished. If more events are available at once, as after a resumption, one is taken in
// advance, so that the transport can send several together.
//
// Threads: every method may be called on any thread. The subclass's functions are called without
// the stream's lock, except those that make a message. Owned by shared_ptr: the registry and the
// hub hold references; the subclass holds one until its transport has finished.
class EventStream : public std::enable_shared_from_this<EventStream> {
 public:
  struct Options {
    absl::Duration max_age;          // give or take a tenth; then the stream ends
    absl::Duration max_write_stall;  // a write that takes longer ends the call
  };

  virtual ~EventStream() = default;
  EventStream(const EventStream&) = delete;
  EventStream& operator=(const EventStream&) = delete;

  // Called by the registry, on its thread. `now` is Clock::Monotonic(), so that a change of the
  // system time ends no stream.
  void Tick(absl::Duration now);
  // Ends the stream: sends a goodbye once no write is in flight, then `status`.
  void Close(absl::string_view reason, absl::Status status);

 protected:
  EventStream(StreamRegistry* registry, Clock* clock, const Options& options);

  // ---- The start. ----

  // Call this once, before anything that takes time: from then on the stream is counted, and a
  // drain ends it. Returns the errors of StreamRegistry::Add.
  absl::Status Admit(absl::string_view caller, int limit = 0) ABSL_LOCKS_EXCLUDED(mutex_);
  // Not OK if the start should be abandoned: the caller has gone, or the gateway stops.
  absl::Status StillWanted() ABSL_LOCKS_EXCLUDED(mutex_);
  // Call one of these once, to complete the start: Open, after Admit, with the source of the events
  // and the first message; or Fail with an error. Open without a source sends `first` and ends the
  // stream with OK.
  void Open(std::unique_ptr<EventSource> source, StreamMessage first);
  void Fail(const absl::Status& status);

  // These two before Admit. The longest time without a message; infinite: no heartbeats.
  void set_heartbeat_interval(absl::Duration interval) { heartbeat_interval_ = interval; }
  // Also sends heartbeats from now until Open or Fail; EarlyHeartbeat makes them.
  void set_early_heartbeats() { early_heartbeats_ = true; }

  // ---- What the transport reports. ----

  // The write in flight has ended; false: the caller is gone.
  void Written(bool ok);
  // The call was cancelled, or the connection has ended.
  void CallerLeft();
  // Nothing more comes from the transport. The caller must still hold a reference.
  void Done();

  absl::Duration started() const { return started_; }  // Clock::Monotonic()

  // ---- What the transport does. ----

  // Starts to send `message`; Written follows, maybe before this returns. `more`: another message
  // is certain to follow, and this one may wait for it.
  virtual void StartSending(StreamMessage message, bool more) = 0;
  // Ends the call. Nothing is in flight.
  virtual void End(const absl::Status& status) = 0;
  // The client has not read for so long that the call is to be cancelled. Written and CallerLeft
  // follow. `position`: of the last event that the stream took.
  virtual void CutOff(absl::Duration unread_for, int64_t position) = 0;

  // ---- What is sent. Called with the stream's lock held. ----

  // Makes the message for an event; false: the event is skipped. `*last`: the stream ends with OK
  // after this message.
  virtual bool ForEvent(EventPtr event, StreamMessage* out, bool* last) = 0;
  virtual void Heartbeat(const LogPlace& place, StreamMessage* out) = 0;
  virtual void EarlyHeartbeat(StreamMessage* /*out*/) {}
  // False: no goodbye is sent.
  virtual bool Goodbye(const LogPlace& place, absl::string_view reason, StreamMessage* out) = 0;
  // The error that the caller gets if the source has failed.
  virtual absl::Status WhenFailed(const absl::Status& status) { return status; }

  // Called, without the lock, if StillWanted becomes an error before Open or Fail.
  virtual void OnUnwanted() {}

 private:
  // What to do after the lock is released: the transport may call back at once.
  struct Action {
    enum Kind { kNothing, kWrite, kFinish } kind = kNothing;
    absl::Status status;
    bool more = false;  // another write is certain to follow
  };

  void Do(Action action) ABSL_LOCKS_EXCLUDED(mutex_);
  void GotEvent(absl::StatusOr<EventPtr> event) ABSL_LOCKS_EXCLUDED(mutex_);
  // Sends out_. `more`: the transport may hold it back until the write that follows.
  Action Write(bool more = false) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Action Finished(absl::Status status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Action Step() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Whether a message follows the one in out_; takes it into ahead_.
  bool LookAhead() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Action StepAfterEvent(EventPtr event) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Sends a heartbeat if one is due and there is nothing else to send.
  Action Beat(absl::Duration now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  StreamRegistry* const registry_;
  Clock* const clock_;
  const absl::Duration max_write_stall_;
  const absl::Duration started_;  // this and the next: Clock::Monotonic()
  const absl::Duration ends_;     // when the stream reaches its age
  // These two are set before the registry knows the stream.
  absl::Duration heartbeat_interval_ = absl::InfiniteDuration();
  bool early_heartbeats_ = false;

  // The hub is called only under this lock (so the hub's lock comes second); the transport never
  // is.
  Mutex mutex_;
  std::unique_ptr<EventSource> source_ ABSL_GUARDED_BY(mutex_);
  StreamMessage out_;  // the next message to send; owned by the code that set writing_
  // The message after out_. It is always sent, even if the stream is about to end, since the
  // transport may hold back the one in flight until then.
  StreamMessage ahead_ ABSL_GUARDED_BY(mutex_);
  bool has_ahead_ ABSL_GUARDED_BY(mutex_) = false;
  bool ahead_is_last_ ABSL_GUARDED_BY(mutex_) = false;
  size_t kept_back_ ABSL_GUARDED_BY(mutex_) = 0;  // bytes that may not have been sent yet
  bool beginning_ ABSL_GUARDED_BY(mutex_) = true;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool waiting_ ABSL_GUARDED_BY(mutex_) = false;  // for the next event
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  bool last_ ABSL_GUARDED_BY(mutex_) = false;  // the message in flight is the last one
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  bool stalled_ ABSL_GUARDED_BY(mutex_) = false;
  // A tick is cutting the call off because its write is stalled. The stream must not end meanwhile,
  // since the transport's context ends with the stream: what follows from the end of the write
  // waits for the tick.
  bool cutting_off_ ABSL_GUARDED_BY(mutex_) = false;
  bool write_ended_ ABSL_GUARDED_BY(mutex_) = false;  // while cutting_off_
  std::optional<std::pair<std::string, absl::Status>> closing_ ABSL_GUARDED_BY(mutex_);
  absl::Status final_ ABSL_GUARDED_BY(mutex_);  // after the last message
  absl::Duration last_write_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace ipp::events
