#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "absl/time/time.h"
#include "ippclient/event_subscription.h"
#include "kustom/ipp/v1/session_event.pb.h"

namespace ipp::client {

// What EventReader::Next found.
struct NextEvent {
  enum class Kind {
    kEvent,    // `event`.
    kSkipped,  // Events were lost to retention (only when the request says SKIP_TO_OLDEST); the
               // oldest one that is kept follows.
    kNothing,  // None yet. `status`: OK, or how the last stream broke; a new one follows.
    kEnded,    // None will come any more. `status`: OK after Cancel(), else why.
  };
  Kind kind;
  kustom::ipp::v1::SessionEvent event;
  grpc::Status status;
};

// Follows the gateway's event log as EventSubscription does, for whoever would rather ask than be
// called. Needs no thread of its own: it connects and waits inside Next.
//
// Reads ahead by one message (and what gRPC's flow control lets through); whoever stops asking is
// disconnected by the gateway some time, and goes on where they stopped.
class EventReader {
 public:
  EventReader(std::shared_ptr<grpc::Channel> channel, SubscriptionOptions options);
  ~EventReader();
  EventReader(const EventReader&) = delete;
  EventReader& operator=(const EventReader&) = delete;

  // The next event. Waits for it for at most `timeout`; zero takes what is there. One thread at a
  // time. Ends for the reasons for which EventSubscription::Run does, and says so each time after.
  NextEvent Next(absl::Duration timeout);

  // Ends it, also a Next that waits. Any thread, any number of times.
  void Cancel();

  // Where to continue: behind the last event that Next returned, before whatever it did not; empty
  // until the first stream started. An event carries the same cursor; heartbeats move it on. Any
  // thread.
  std::string cursor() const;

 private:
  Machine& machine_;
  const std::unique_ptr<EventFollower> follower_;
  grpc::Status broken_;  // how the last stream ended; OK once the next one speaks
};

}  // namespace ipp::client
