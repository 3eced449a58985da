#pragma once

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "google/protobuf/message.h"
#include "google/protobuf/message_lite.h"
#include "server/base/mutex.h"
#include "server/base/trace_context.h"
#include "server/events/event_hub.h"
#include "server/rpc/service_context.h"
#include "server/rpc/stream_registry.h"

namespace ipp::rpc {

// Parses the request of a raw method. INVALID_ARGUMENT if the bytes are not one.
absl::Status ParseRequest(const grpc::ByteBuffer& buffer, google::protobuf::Message* request);

// The error UNAVAILABLE / DRAINING.
absl::Status Draining();

// Use an out parameter, since grpc::ByteBuffer can be swapped but not moved.
void Serialize(const google::protobuf::MessageLite& message, grpc::ByteBuffer* out);
// Refers to the event's bytes without a copy.
void ShareMessage(events::EventPtr event, grpc::ByteBuffer* out);

// One stream of events to a caller. One write is in flight and nothing is queued: the next event is
// requested when the previous write has finished. If more events are available at once, as after a
// resumption, one is taken in advance, so that gRPC can send several together. The subclass defines
// the message for an event. Kept alive by its registry and by itself until gRPC has finished with
// it.
class EventStream : public grpc::ServerWriteReactor<grpc::ByteBuffer>,
                    public std::enable_shared_from_this<EventStream> {
 public:
  // Call this once, before the stream is handed to gRPC.
  void KeepUntilDone() { self_ = shared_from_this(); }

  // Called by the registry, on its thread. `now` is Clock::Monotonic(), so that a change of the
  // system time ends no stream.
  void Tick(absl::Duration now);
  // Ends the stream: sends a goodbye once no write is in flight, then `status`.
  void Close(absl::string_view reason, absl::Status status);

 protected:
  EventStream(const ServiceContext& service, StreamRegistry* streams, const Method& method,
              grpc::CallbackServerContext* context);

  const ServiceContext& service() const { return service_; }
  grpc::CallbackServerContext* context() const { return context_; }
  // The trace of the call; always has a trace id.
  const TraceContext& trace() const { return trace_; }
  absl::string_view log_id() const { return service_.backends.store->log_id(); }

  // The subclass calls this once, before anything that takes time: from then on the stream is
  // counted, and a drain ends it. Returns the errors of StreamRegistry::Add.
  absl::Status Admit(const auth::Caller& caller) ABSL_LOCKS_EXCLUDED(mutex_);
  // Not OK if the start should be abandoned: the caller has gone, or the gateway stops.
  absl::Status StillWanted() ABSL_LOCKS_EXCLUDED(mutex_);
  // The subclass calls one of these once, on any thread, to complete the start: Open, after Admit,
  // with a subscription and the first message; or Fail with an error. Open without a subscription
  // sends `first` and ends the stream with OK.
  void Open(std::unique_ptr<events::Subscription> subscription,
            const google::protobuf::MessageLite& first);
  void Fail(const absl::Status& status);

  // The longest time without a message; infinite: no heartbeats.
  void set_heartbeat_interval(absl::Duration interval) { heartbeat_interval_ = interval; }

  // Also sends heartbeats from now until Open or Fail; EarlyHeartbeat makes them.
  void set_early_heartbeats() { early_heartbeats_ = true; }

  // Writes the message for an event into `out`; false: the event is skipped. `*last`: the stream
  // ends with OK after this message.
  virtual bool ForEvent(events::EventPtr event, grpc::ByteBuffer* out, bool* last) = 0;
  virtual void Heartbeat(const events::LogPlace& place, grpc::ByteBuffer* out) = 0;
  // Called on the registry's thread before Open or Fail.
  virtual void EarlyHeartbeat(grpc::ByteBuffer* /*out*/) {}
  // False: no goodbye is sent.
  virtual bool Goodbye(const events::LogPlace& place, absl::string_view reason,
                       grpc::ByteBuffer* out) = 0;
  // The error that the caller gets if the subscription has failed.
  virtual absl::Status WhenFailed(const absl::Status& status) { return status; }
  // Called if StillWanted becomes an error before Open or Fail.
  virtual void OnUnwanted() {}

 private:
  // What to do after the lock is released: gRPC may run a reaction inside StartWrite.
  struct Action {
    enum Kind { kNothing, kWrite, kFinish } kind = kNothing;
    absl::Status status;
    bool more = false;  // another write is certain to follow
  };

  void OnWriteDone(bool ok) final;
  void OnCancel() final;
  void OnDone() final;

  void Do(Action action) ABSL_LOCKS_EXCLUDED(mutex_);
  void GotEvent(absl::StatusOr<events::EventPtr> event) ABSL_LOCKS_EXCLUDED(mutex_);
  // Sends out_. `more`: gRPC may hold it back until the write that follows.
  Action Write(bool more = false) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Action Finished(absl::Status status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Action Step() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Whether a message follows the one in out_; takes it into ahead_.
  bool LookAhead() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Action StepAfterEvent(events::EventPtr event) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Sends a heartbeat if one is due and there is nothing else to send.
  Action Beat(absl::Duration now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const ServiceContext& service_;
  StreamRegistry* const streams_;
  const Method& method_;
  grpc::CallbackServerContext* const context_;
  const TraceContext trace_;
  const absl::Duration started_;  // this and the next two: Clock::Monotonic()
  const absl::Duration ends_;     // when the stream reaches its age
  // These two are set before the registry knows the stream.
  absl::Duration heartbeat_interval_ = absl::InfiniteDuration();
  bool early_heartbeats_ = false;
  std::shared_ptr<EventStream> self_;  // until OnDone
  std::string caller_;                 // set before the registry knows the stream
  int code_ = 0;

  // The hub is called only under this lock (so the hub's lock comes second); gRPC never is.
  Mutex mutex_;
  std::unique_ptr<events::Subscription> subscription_ ABSL_GUARDED_BY(mutex_);
  grpc::ByteBuffer out_;  // the message in flight; owned by the code that set writing_
  // The message after out_. It is always sent, even if the stream is about to end, since gRPC may
  // hold back the one in flight until then.
  grpc::ByteBuffer ahead_ ABSL_GUARDED_BY(mutex_);
  bool has_ahead_ ABSL_GUARDED_BY(mutex_) = false;
  bool ahead_is_last_ ABSL_GUARDED_BY(mutex_) = false;
  size_t kept_back_ ABSL_GUARDED_BY(mutex_) = 0;  // bytes that gRPC may not have sent yet
  bool beginning_ ABSL_GUARDED_BY(mutex_) = true;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool waiting_ ABSL_GUARDED_BY(mutex_) = false;  // for the next event
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  bool last_ ABSL_GUARDED_BY(mutex_) = false;  // the message in flight is the last one
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  bool stalled_ ABSL_GUARDED_BY(mutex_) = false;
  // A tick is cancelling the RPC because its write is stalled. The stream must not end meanwhile,
  // since gRPC's context ends with the stream: what follows from the end of the write waits for the
  // tick.
  bool cancelling_ ABSL_GUARDED_BY(mutex_) = false;
  bool write_ended_ ABSL_GUARDED_BY(mutex_) = false;  // while cancelling_
  std::optional<std::pair<std::string, absl::Status>> closing_ ABSL_GUARDED_BY(mutex_);
  absl::Status final_ ABSL_GUARDED_BY(mutex_);  // after the last message
  absl::Duration last_write_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace ipp::rpc
