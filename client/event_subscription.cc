#include "ippclient/event_subscription.h"

#include <utility>

#include "client/event_follower.h"

namespace ipp::client {
namespace {

namespace v1 = ::kustom::ipp::v1;
using Message = v1::SubscribeSessionEventsResponse;

// Passes the message to the handler; returns its cursor.
const std::string& Deliver(const Message& message, EventHandler* handler) {
  switch (message.message_case()) {
    case Message::kStarted:
      handler->OnStarted(message.started());
      return message.started().cursor();
    case Message::kEvent:
      handler->OnEvent(message.event());
      return message.event().cursor();
    case Message::kHeartbeat:
      return message.heartbeat().cursor();
    case Message::kGoodbye:
    case Message::MESSAGE_NOT_SET:  // a kind newer than this library
      break;
  }
  return message.goodbye().cursor();
}

}  // namespace

EventSubscription::EventSubscription(std::shared_ptr<grpc::Channel> channel, Options options)
    : follower_(std::make_unique<EventFollower>(std::move(channel), std::move(options))) {}

EventSubscription::~EventSubscription() {
  Cancel();
  Wait();
}

grpc::Status EventSubscription::Run(EventHandler* handler) {
  while (true) {
    const EventFollower::Step step = follower_->Next(absl::InfiniteDuration());
    switch (step.kind) {
      case EventFollower::Step::Kind::kMessage:
        if (const std::string& cursor = Deliver(*step.message, handler); !cursor.empty()) {
          follower_->MoveTo(cursor);
          handler->OnCursor(cursor);
        }
        break;
      case EventFollower::Step::Kind::kBroken:
        handler->OnDisconnected(step.status, step.retry_in);
        break;
      case EventFollower::Step::Kind::kNothing:
        break;
      case EventFollower::Step::Kind::kEnded:
        return step.status;
    }
  }
}

void EventSubscription::Start(EventHandler* handler) {
  thread_ = std::thread([this, handler] { ended_ = Run(handler); });
}

grpc::Status EventSubscription::Wait() {
  if (thread_.joinable()) thread_.join();
  return ended_;
}

void EventSubscription::Cancel() { follower_->Cancel(); }

std::string EventSubscription::cursor() const { return follower_->cursor(); }

}  // namespace ipp::client
