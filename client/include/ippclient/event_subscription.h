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
class ClockAndRandom;

// The callbacks of a subscriber. Every method runs on the thread of the subscription, one at a
// time. A slow handler slows the stream down and loses nothing. Every method may call
// EventSubscription::Cancel.
class EventHandler {
 public:
  virtual ~EventHandler() = default;

  // Override one of the two. TakeEvent is for a handler that can fail: anything but OK ends the
  // subscription with that status, and the cursor stays before the event.
  virtual void OnEvent(const kustom::ipp::v1::SessionEvent& /*event*/) {}
  virtual grpc::Status TakeEvent(const kustom::ipp::v1::SessionEvent& event) {
    OnEvent(event);
    return grpc::Status::OK;
  }
  // The position has advanced without an event, at a heartbeat for example. As TakeEvent.
  virtual grpc::Status TakePlace(absl::string_view /*cursor*/) { return grpc::Status::OK; }

  // A stream has started: the first one, or one after a reconnect. With `skipped`, events were lost
  // to retention (only if the request says SKIP_TO_OLDEST).
  virtual void OnStarted(const kustom::ipp::v1::SubscriptionStarted& /*started*/) {}

  // The position has advanced: OnEvent has returned for everything before `cursor`. Store the
  // cursor durably here; place.h stores it in the transaction of what the event has changed.
  virtual void OnCursor(absl::string_view /*cursor*/) {}

  // The stream broke; a new one follows after `retry_in`.
  virtual void OnDisconnected(const grpc::Status& /*status*/, absl::Duration /*retry_in*/) {}
};

// Options of EventSubscription and EventReader.
struct SubscriptionOptions {
  // Filter, start (required) and policy. The default heartbeat interval is 15 s.
  kustom::ipp::v1::SubscribeSessionEventsRequest request;

  // The pause before a new stream: it doubles, and half of it is random.
  absl::Duration initial_backoff = absl::Milliseconds(250);
  absl::Duration max_backoff = absl::Seconds(30);

  // Clock and random numbers, for this library's own tests. nullptr: the real ones.
  ClockAndRandom* clock = nullptr;
};

// Follows the gateway's event log until it is cancelled, and calls a handler. It reconnects with
// the last cursor that it has seen, so that every event is delivered once and none is left out.
//
// A stream that is silent for three heartbeat intervals counts as dead, whatever TCP says. The
// pause between streams grows exponentially, with jitter, and is never shorter than the gateway
// asked for. It starts from the beginning once a stream has delivered something after `started`.
class EventSubscription {
 public:
  using Options = SubscriptionOptions;

  EventSubscription(std::shared_ptr<grpc::Channel> channel, Options options);
  ~EventSubscription();  // cancels a subscription begun by Start, and waits for its end
  EventSubscription(const EventSubscription&) = delete;
  EventSubscription& operator=(const EventSubscription&) = delete;

  // Runs on the calling thread. Blocks until Cancel() (then OK) or an error that a retry cannot
  // resolve: INVALID_ARGUMENT, PERMISSION_DENIED, UNAUTHENTICATED, NOT_FOUND, UNIMPLEMENTED, and
  // OUT_OF_RANGE (retention has removed events after the cursor) unless the request says
  // SKIP_TO_OLDEST. What the handler ends it with is returned as it is.
  //
  // Call either Run or Start, once.
  grpc::Status Run(EventHandler* handler);

  // Runs on a thread of its own; returns at once. `handler` must outlive the subscription.
  void Start(EventHandler* handler);
  // Waits for the end of the subscription that Start began; returns what Run would. Must not be
  // called by the handler.
  grpc::Status Wait();

  // Ends the subscription, also before it has begun. Any thread, any number of times.
  void Cancel();

  // Where to continue; until the first stream has started that is the request's `after_cursor`. Any
  // thread.
  std::string cursor() const;

 private:
  const std::unique_ptr<EventFollower> follower_;
  std::thread thread_;
  grpc::Status ended_;  // written by thread_, read after it was joined
};

}  // namespace ipp::client
