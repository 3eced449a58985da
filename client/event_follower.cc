#include "client/event_follower.h"

#include <utility>

#include "client/proto_duration.h"

namespace ipp::client {
namespace {

namespace v1 = ::kustom::ipp::v1;

v1::SubscribeSessionEventsRequest WithHeartbeat(v1::SubscribeSessionEventsRequest request) {
  if (!request.has_heartbeat_interval()) {
    *request.mutable_heartbeat_interval() = ToProto(kDefaultHeartbeat);
  }
  return request;
}

StreamRules RulesOf(const v1::SubscribeSessionEventsRequest& request,
                    const SubscriptionOptions& options) {
  return {.silence_limit = kMissedHeartbeats * FromProto(request.heartbeat_interval()),
          .skips_expired = request.on_cursor_expired() == v1::CURSOR_EXPIRED_POLICY_SKIP_TO_OLDEST,
          .first_pause = options.initial_backoff,
          .longest_pause = options.max_backoff};
}

}  // namespace

EventFollower::EventFollower(std::shared_ptr<grpc::Channel> channel, SubscriptionOptions options)
    : stub_(v1::SessionEventService::NewStub(std::move(channel))),
      request_(WithHeartbeat(options.request)),
      cursor_(request_.after_cursor()),
      stream_(RulesOf(request_, options), &ClockAndRandom::OrReal(options.clock),
              [this](grpc::ClientContext* context, grpc::ClientReadReactor<Message>* reactor) {
                Open(context, reactor);
              }) {}

void EventFollower::Open(grpc::ClientContext* context, grpc::ClientReadReactor<Message>* reactor) {
  if (const std::string last = cursor(); !last.empty()) request_.set_after_cursor(last);
  stub_->async()->SubscribeSessionEvents(context, &request_, reactor);
}

void EventFollower::MoveTo(const std::string& cursor) {
  if (cursor.empty()) return;
  MutexLock lock(&mutex_);
  cursor_ = cursor;
}

std::string EventFollower::cursor() const {
  MutexLock lock(&mutex_);
  return cursor_;
}

}  // namespace ipp::client
