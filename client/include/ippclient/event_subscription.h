#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>
#include <thread>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "kustom/ipp/v1/session_event.pb.h"

namespace ipp::client {

class EventFollower;
class Machine;

// What a subscriber does with what it hears. Every method runs on the thread of the subscription,
// one at a time. A slow handler slows the stream down and loses nothing. Any of them may call
// EventSubscription::Cancel.
class EventHandler {
 public:
  virtual ~EventHandler() = default;

  virtual void OnEvent(const kustom::ipp::v1::SessionEvent& event) = 0;

  // A stream is open, the first or one after a reconnect. With `skipped`, events were lost to
  // retention (only when the request says SKIP_TO_OLDEST).
  virtual void OnStarted(const kustom::ipp::v1::SubscriptionStarted& /*started*/) {}

  // The position has moved: OnEvent has returned for everything before `cursor`. The place to keep
  // it durably.
  virtual void OnCursor(absl::string_view /*cursor*/) {}

  // The stream broke; a new one follows after `retry_in`.
  virtual void OnDisconnected(const grpc::Status& /*status*/, absl::Duration /*retry_in*/) {}
};

// Of EventSubscription and EventReader.
struct SubscriptionOptions {
  // Filter, start (required) and policy. Without a heartbeat interval, 15 s is asked for.
  kustom::ipp::v1::SubscribeSessionEventsRequest request;

  // The pause before a new stream: doubles, half of it at random.
  absl::Duration initial_backoff = absl::Milliseconds(250);
  absl::Duration max_backoff = absl::Seconds(30);

  // Time and chance, for this library's own tests. nullptr: the real ones.
  Machine* machine = nullptr;
};

// Follows the gateway's event log for as long as it is wanted, and calls a handler: reconnects by
// itself with the last cursor it saw, so that every event is delivered once and none is left out.
//
// A stream that is silent for three heartbeat intervals is dead, whatever TCP says. Between streams
// it waits: exponential, jittered, never shorter than the gateway asked for; the wait starts from
// the beginning once a stream has delivered something after `started`.
class EventSubscription {
 public:
  using Options = SubscriptionOptions;

  EventSubscription(std::shared_ptr<grpc::Channel> channel, Options options);
  ~EventSubscription();  // cancels what Start began, and waits for it
  EventSubscription(const EventSubscription&) = delete;
  EventSubscription& operator=(const EventSubscription&) = delete;

  // On the caller's thread. Blocks until Cancel() (then OK) or an error that a retry cannot heal:
  // INVALID_ARGUMENT, PERMISSION_DENIED, UNAUTHENTICATED, NOT_FOUND, UNIMPLEMENTED, and
  // OUT_OF_RANGE (retention has overtaken the cursor) unless the request says SKIP_TO_OLDEST.
  //
  // Either Run or Start, once.
  grpc::Status Run(EventHandler* handler);

  // The same on a thread of its own; returns at once. `handler` must outlive it.
  void Start(EventHandler* handler);
  // Waits for the end of what Start began: what Run would have returned. Not from the handler.
  grpc::Status Wait();

  // Ends it, also before it has begun. Any thread, any number of times.
  void Cancel();

  // Where to continue; empty until the first stream started. Any thread.
  std::string cursor() const;

 private:
  const std::unique_ptr<EventFollower> follower_;
  std::thread thread_;
  grpc::Status ended_;  // of thread_, read after it was joined
};

}  // namespace ipp::client
