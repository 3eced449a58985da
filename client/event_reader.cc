#include "ippclient/event_reader.h"

#include <utility>

#include "client/event_follower.h"

namespace ipp::client {

EventReader::EventReader(std::shared_ptr<grpc::Channel> channel, SubscriptionOptions options)
    : clock_(ClockAndRandom::OrReal(options.clock)),
      follower_(std::make_unique<EventFollower>(std::move(channel), std::move(options))) {}

EventReader::~EventReader() = default;

NextEvent EventReader::Next(absl::Duration timeout) {
  using Kind = EventFollower::Step::Kind;
  using Message = kustom::ipp::v1::SubscribeSessionEventsResponse;
  const absl::Duration until = clock_.Now() + timeout;
  while (true) {
    EventFollower::Step step = follower_->Next(until);
    switch (step.kind) {
      case Kind::kMessage:
        break;
      case Kind::kBroken:
        broken_ = std::move(step.status);
        continue;
      case Kind::kNothing:
        return {NextEvent::Kind::kNothing, {}, broken_};
      case Kind::kEnded:
        return {NextEvent::Kind::kEnded, {}, std::move(step.status)};
    }
    broken_ = grpc::Status::OK;
    const Message& message = *step.message;
    switch (message.message_case()) {
      case Message::kEvent:
        follower_->MoveTo(message.event().cursor());
        return {NextEvent::Kind::kEvent, message.event(), {}};
      case Message::kStarted:
        follower_->MoveTo(message.started().cursor());
        if (message.started().skipped()) return {NextEvent::Kind::kSkipped, {}, {}};
        break;
      case Message::kHeartbeat:
        follower_->MoveTo(message.heartbeat().cursor());
        break;
      case Message::kGoodbye:
        follower_->MoveTo(message.goodbye().cursor());
        break;
      case Message::MESSAGE_NOT_SET:  // a kind newer than this library
        break;
    }
  }
}

void EventReader::Cancel() { follower_->Cancel(); }

std::string EventReader::cursor() const { return follower_->cursor(); }

}  // namespace ipp::client
