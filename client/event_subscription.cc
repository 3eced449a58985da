#include "ippclient/event_subscription.h"

#include <utility>

#include "client/event_follower.h"

namespace ipp::client {
namespace {

namespace v1 = ::kustom::ipp::v1;
using Message = v1::SubscribeSessionEventsResponse;

const std::string& CursorOf(const Message& message) {
  switch (message.message_case()) {
    case Message::kStarted:
      return message.started().cursor();
    case Message::kEvent:
      return message.event().cursor();
    case Message::kHeartbeat:
      return message.heartbeat().cursor();
    case Message::kGoodbye:
    case Message::MESSAGE_NOT_SET:  // a kind newer than this library
      break;
  }
  return message.goodbye().cursor();
}

// Passes the message to the handler; an error is the handler's.
grpc::Status Deliver(const Message& message, EventHandler* handler) {
  if (message.has_event()) return handler->TakeEvent(message.event());
  if (message.has_started()) handler->OnStarted(message.started());
  const std::string& cursor = CursorOf(message);
  return cursor.empty() ? grpc::Status::OK : handler->TakePlace(cursor);
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
        if (grpc::Status failed = Deliver(*step.message, handler); !failed.ok()) return failed;
        if (const std::string& cursor = CursorOf(*step.message); !cursor.empty()) {
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
