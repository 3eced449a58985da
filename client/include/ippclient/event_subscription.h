#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "kustom/ipp/v1/session_event.grpc.pb.h"
#include "server/base/mutex.h"
#include "server/base/scheduler.h"

namespace ipp::client {

// What a subscriber does with what it hears. Every method runs on the thread that called
// EventSubscription::Run, one at a time. A slow handler slows the stream down and loses nothing.
// Any of them may call EventSubscription::Cancel.
class EventHandler {
 public:
  virtual ~EventHandler() = default;

  virtual void OnEvent(const kustom::ipp::v1::SessionEvent& event) = 0;

  // A stream is open, the first or one after a reconnect. With `skipped`, events were lost to
  // retention (only when the request says SKIP_TO_OLDEST).
  virtual void OnStarted(const kustom::ipp::v1::SubscriptionStarted& /*started*/) {}

  // The position has moved: everything before `cursor` was delivered. The place to keep it durably.
  virtual void OnCursor(absl::string_view /*cursor*/) {}

  // The stream broke; a new one follows after `retry_in`.
  virtual void OnDisconnected(const grpc::Status& /*status*/, absl::Duration /*retry_in*/) {}
};

// Follows the gateway's event log for as long as it is wanted: reconnects by itself with the last
// cursor it saw, so that every event is delivered once and none is left out.
//
// A stream that is silent for three heartbeat intervals is dead, whatever TCP says. Between streams
// it waits: exponential, jittered, never shorter than the gateway asked for; the wait starts from
// the beginning once a stream has delivered something after `started`.
class EventSubscription {
 public:
  struct Options {
    // Filter, start (required) and policy. Without a heartbeat interval, 15 s is asked for.
    kustom::ipp::v1::SubscribeSessionEventsRequest request;

    absl::Duration initial_backoff = absl::Milliseconds(250);
    absl::Duration max_backoff = absl::Seconds(30);

    // Times waits and silences; must outlive Run. nullptr: a thread of its own.
    Scheduler* scheduler = nullptr;
    // Uniform in [0, 1), for the jitter. Empty: the machine's.
    std::function<double()> random;
  };

  EventSubscription(std::shared_ptr<grpc::Channel> channel, Options options);
  ~EventSubscription();
  EventSubscription(const EventSubscription&) = delete;
  EventSubscription& operator=(const EventSubscription&) = delete;

  // Blocks until Cancel() (then OK) or an error that a retry cannot heal: INVALID_ARGUMENT,
  // PERMISSION_DENIED, UNAUTHENTICATED, OUT_OF_RANGE, NOT_FOUND, UNIMPLEMENTED. Call it once.
  grpc::Status Run(EventHandler* handler);

  // Ends Run, also one that has yet to begin. Any thread, any number of times.
  void Cancel();

  // Where to continue; empty until the first stream started. Any thread.
  std::string cursor() const;

 private:
  class Stream;
  struct Signals;
  struct Timer;
  struct Ended;

  Ended Follow(EventHandler* handler);
  void Abandon(Stream* stream);
  bool Deliver(const kustom::ipp::v1::SubscribeSessionEventsResponse& message,
               EventHandler* handler);
  void Advance(const std::string& cursor, EventHandler* handler);
  absl::Duration Backoff(int failures) const;
  Timer Arm(absl::Duration delay);
  bool Cancelled() const;

  const std::unique_ptr<kustom::ipp::v1::SessionEventService::Stub> stub_;
  const std::unique_ptr<Scheduler> own_scheduler_;  // only when the caller brought none
  Options options_;
  absl::Duration silence_limit_;
  uint64_t last_timer_ = 0;
  // Shared with timers that may still run when this object is gone.
  const std::shared_ptr<Signals> signals_;
};

}  // namespace ipp::client
