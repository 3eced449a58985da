#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "absl/time/time.h"
#include "ippclient/event_subscription.h"
#include "kustom/ipp/v1/session_event.pb.h"

namespace ipp::client {

// The result of EventReader::Next.
struct NextEvent {
  enum class Kind {
    kEvent,    // `event`.
    kSkipped,  // Events were lost to retention (only when the request says SKIP_TO_OLDEST); the
               // oldest one that is kept follows.
    kNothing,  // None yet. `status`: OK, or the error of the last stream; a new one follows.
    kEnded,    // No event will follow. `status`: OK after Cancel(), else the error.
  };
  Kind kind;
  kustom::ipp::v1::SessionEvent event;
  grpc::Status status;
};

// Follows the gateway's event log like EventSubscription, for programs that prefer to poll rather
// than to be called back. It needs no thread of its own: it connects and waits inside Next.
//
// It reads ahead by one message (and what gRPC's flow control allows). If Next is not called for a
// while, the gateway ends the stream; the next call continues at the same place.
class EventReader {
 public:
  EventReader(std::shared_ptr<grpc::Channel> channel, SubscriptionOptions options);
  ~EventReader();
  EventReader(const EventReader&) = delete;
  EventReader& operator=(const EventReader&) = delete;

  // Returns the next event; waits for it for at most `timeout`. Zero returns only what is there.
  // One thread at a time. Ends for the same errors as EventSubscription::Run, and then returns
  // kEnded each time.
  NextEvent Next(absl::Duration timeout);

  // Ends the reader, including a Next that waits. Any thread, any number of times.
  void Cancel();

  // Where to continue: after the last event that Next returned; until the first stream has started
  // that is the request's `after_cursor`. An event carries the same cursor; heartbeats advance it.
  // Any thread.
  std::string cursor() const;

 private:
  ClockAndRandom& clock_;
  const std::unique_ptr<EventFollower> follower_;
  grpc::Status broken_;  // the error of the last stream; OK after a message of the next one
};

}  // namespace ipp::client
