#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "client/clock_and_random.h"
#include "client/retry.h"
#include "client/stream_call.h"
#include "ippclient/event_subscription.h"
#include "kustom/ipp/v1/session_event.grpc.pb.h"
#include "server/base/mutex.h"

namespace ipp::client {

// Follows the event log over broken streams, one step at a time; EventSubscription and EventReader
// are built on it. Next and MoveTo on one thread; the others on any.
class EventFollower {
 public:
  using Message = kustom::ipp::v1::SubscribeSessionEventsResponse;

  struct Step {
    enum class Kind {
      kMessage,  // `message`, until the next call.
      kBroken,   // The stream broke: `status`; the next one is opened after `retry_in`.
      kNothing,  // The time passed.
      kEnded,    // Ended for good: `status`, OK after Cancel. Returned again each time.
    };
    Kind kind;
    const Message* message = nullptr;
    grpc::Status status = {};
    absl::Duration retry_in = {};
  };

  EventFollower(std::shared_ptr<grpc::Channel> channel, SubscriptionOptions options);

  Step Next(absl::Duration until);
  // Everything before `cursor` was delivered: the next stream begins there. An empty cursor is
  // ignored.
  void MoveTo(const std::string& cursor);

  void Cancel();
  std::string cursor() const;

 private:
  using Call = StreamCall<Message>;

  void Open();
  Step Take();
  Step Broken(const grpc::Status& status);
  Step Ended(const grpc::Status& status);
  // Waits until `done`, evaluated under the lock, or Cancel, or the time.
  template <typename Done>
  void Await(absl::Duration until, Done done);
  bool Cancelled() const;

  ClockAndRandom& clock_;
  const std::unique_ptr<kustom::ipp::v1::SessionEventService::Stub> stub_;
  const SubscriptionOptions options_;
  const kustom::ipp::v1::SubscribeSessionEventsRequest request_;
  const absl::Duration silence_limit_;
  Backoff backoff_;

  mutable Wake wake_;
  bool cancelled_ ABSL_GUARDED_BY(wake_.mutex) = false;
  std::string cursor_ ABSL_GUARDED_BY(wake_.mutex);

  // Used by the thread in Next only.
  std::unique_ptr<Call> call_;        // none: between two streams
  bool taken_ = false;                // call_'s message was returned
  absl::Duration listening_since_;    // for the next message
  absl::Duration open_at_;            // end of the pause
  std::optional<grpc::Status> over_;  // for good
};

}  // namespace ipp::client
