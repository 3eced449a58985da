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

// The request of a raw method. INVALID_ARGUMENT when it is not one.
absl::Status ParseRequest(const grpc::ByteBuffer& buffer, google::protobuf::Message* request);

// UNAVAILABLE / DRAINING.
absl::Status Draining();

// Out parameters, since grpc::ByteBuffer can be swapped but not moved.
void Serialize(const google::protobuf::MessageLite& message, grpc::ByteBuffer* out);
// Shares the event's bytes, no copy.
void ShareMessage(events::EventPtr event, grpc::ByteBuffer* out);

// One stream of events to a caller. One write in flight, nothing queued: the next event is asked
// for when the last one has left; while there are more at hand, as after a resumption, one of them
// is taken ahead, so that gRPC may send some together. What is sent for an event is the subclass's
// business. Kept alive by its registry and by itself until gRPC is done with it.
class EventStream : public grpc::ServerWriteReactor<grpc::ByteBuffer>,
                    public std::enable_shared_from_this<EventStream> {
 public:
  // To be called once, before the stream is handed to gRPC.
  void KeepUntilDone() { self_ = shared_from_this(); }

  // For the registry, on its thread. `now`: Clock::Monotonic(), so that an operator who sets the
  // time ends nobody.
  void Tick(absl::Duration now);
  // Ends the stream: a goodbye when nothing is in flight, then `status`.
  void Close(absl::string_view reason, absl::Status status);

 protected:
  EventStream(const ServiceContext& service, StreamRegistry* streams, const Method& method,
              grpc::CallbackServerContext* context);

  const ServiceContext& service() const { return service_; }
  grpc::CallbackServerContext* context() const { return context_; }
  // What the call is a part of; never without a trace id.
  const TraceContext& trace() const { return trace_; }
  absl::string_view log_id() const { return service_.backends.store->log_id(); }

  // Called once by the subclass, before anything that takes time: from now on the stream counts,
  // and a drain knows of it. The errors of StreamRegistry::Add.
  absl::Status Admit(const auth::Caller& caller) ABSL_LOCKS_EXCLUDED(mutex_);
  // Why there is no sense in beginning any more: the caller has gone, or the gateway stops.
  absl::Status StillWanted() ABSL_LOCKS_EXCLUDED(mutex_);
  // Called once by the subclass, on any thread, to end the beginning: either with a subscription
  // and the first message (after Admit), or with an error. A status that is OK without a
  // subscription sends `first` and ends the stream.
  void Open(std::unique_ptr<events::Subscription> subscription,
            const google::protobuf::MessageLite& first);
  void Fail(const absl::Status& status);

  // How long the stream may be silent; infinite: no heartbeats.
  void set_heartbeat_interval(absl::Duration interval) { heartbeat_interval_ = interval; }

  // Heartbeats also from now until Open or Fail, by EarlyHeartbeat.
  void set_early_heartbeats() { early_heartbeats_ = true; }

  // Puts the message for an event into `out`; false: the event is passed over. `*last`: the stream
  // ends with OK after it.
  virtual bool ForEvent(events::EventPtr event, grpc::ByteBuffer* out, bool* last) = 0;
  virtual void Heartbeat(const events::LogPlace& place, grpc::ByteBuffer* out) = 0;
  // Runs while the subclass is still beginning, on the registry's thread.
  virtual void EarlyHeartbeat(grpc::ByteBuffer* /*out*/) {}
  // False: none is sent.
  virtual bool Goodbye(const events::LogPlace& place, absl::string_view reason,
                       grpc::ByteBuffer* out) = 0;
  // What the caller is told when the subscription has failed.
  virtual absl::Status WhenFailed(const absl::Status& status) { return status; }
  // StillWanted has turned to no while the subclass was still beginning.
  virtual void OnUnwanted() {}

 private:
  // What to do once the lock is let go: gRPC may run a reaction inside StartWrite.
  struct Action {
    enum Kind { kNothing, kWrite, kFinish } kind = kNothing;
    absl::Status status;
    bool more = false;  // another write follows for certain
  };

  void OnWriteDone(bool ok) final;
  void OnCancel() final;
  void OnDone() final;

  void Do(Action action) ABSL_LOCKS_EXCLUDED(mutex_);
  void GotEvent(absl::StatusOr<events::EventPtr> event) ABSL_LOCKS_EXCLUDED(mutex_);
  // Sends what is in out_. `more`: gRPC may keep it back for the write that follows.
  Action Write(bool more = false) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Action Finished(absl::Status status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Action Step() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Whether there is a message after the one in out_, taken into ahead_.
  bool LookAhead() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Action StepAfterEvent(events::EventPtr event) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // A heartbeat when one is due and nothing else is to be sent.
  Action Beat(absl::Duration now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const ServiceContext& service_;
  StreamRegistry* const streams_;
  const Method& method_;
  grpc::CallbackServerContext* const context_;
  const TraceContext trace_;
  const absl::Duration started_;  // this and the next two: Clock::Monotonic()
  const absl::Duration ends_;     // of its age
  // These two: set before the registry knows of the stream.
  absl::Duration heartbeat_interval_ = absl::InfiniteDuration();
  bool early_heartbeats_ = false;
  std::shared_ptr<EventStream> self_;  // until OnDone
  std::string caller_;                 // set before the registry knows of the stream
  int code_ = 0;

  // The only lock under which the hub is called (its lock comes second); gRPC never is.
  Mutex mutex_;
  std::unique_ptr<events::Subscription> subscription_ ABSL_GUARDED_BY(mutex_);
  grpc::ByteBuffer out_;  // the message in flight; touched by whoever set writing_
  // The message after it. It goes out whatever becomes of the stream's wishes, since gRPC may keep
  // the one in flight back until then.
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
  // A tick is cancelling the RPC for its stalled write. The stream must not end under it, since
  // gRPC's context ends with the stream: what the write's end asks for waits for the tick.
  bool cancelling_ ABSL_GUARDED_BY(mutex_) = false;
  bool write_ended_ ABSL_GUARDED_BY(mutex_) = false;  // meanwhile
  std::optional<std::pair<std::string, absl::Status>> closing_ ABSL_GUARDED_BY(mutex_);
  absl::Status final_ ABSL_GUARDED_BY(mutex_);  // after the last message
  absl::Duration last_write_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace ipp::rpc
