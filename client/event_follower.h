#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "client/stream_follower.h"
#include "ippclient/event_subscription.h"
#include "kustom/ipp/v1/session_event.grpc.pb.h"
#include "server/base/mutex.h"

namespace ipp::client {

// Follows the event log over broken streams, one step at a time; EventSubscription and EventReader
// are built on it. Next on one thread; the others on any.
class EventFollower {
 public:
  using Message = kustom::ipp::v1::SubscribeSessionEventsResponse;
  using Step = StreamFollower<Message>::Step;

  EventFollower(std::shared_ptr<grpc::Channel> channel, SubscriptionOptions options);

  Step Next(absl::Duration until) { return stream_.Next(until); }
  // Everything before `cursor` was delivered: the next stream begins there. An empty cursor is
  // ignored.
  void MoveTo(const std::string& cursor);

  void Cancel() { stream_.Cancel(); }
  std::string cursor() const;

 private:
  void Open(grpc::ClientContext* context, grpc::ClientReadReactor<Message>* reactor);

  const std::unique_ptr<kustom::ipp::v1::SessionEventService::Stub> stub_;
  kustom::ipp::v1::SubscribeSessionEventsRequest request_;  // used by the thread in Next only
  mutable Mutex mutex_;
  std::string cursor_ ABSL_GUARDED_BY(mutex_);
  StreamFollower<Message> stream_;
};

}  // namespace ipp::client
