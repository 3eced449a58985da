#include "tests/support/gateway_streams.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace ipp {

namespace v1 = kustom::ipp::v1;

EventFeed::EventFeed(const std::shared_ptr<grpc::Channel>& channel,
                     const v1::SubscribeSessionEventsRequest& request, const CallOptions& options)
    : stub_(channel) {
  Prepare(options, &context_);
  reader_ = stub_.SubscribeSessionEvents(&context_, request);
  if (const std::optional<Message> first = Next()) {
    EXPECT_TRUE(first->has_started()) << first->ShortDebugString();
    started_ = first->started();
  }
}

EventFeed::EventFeed(const std::shared_ptr<grpc::Channel>& channel, const std::string& request,
                     const CallOptions& options)
    : EventFeed(channel, Text<v1::SubscribeSessionEventsRequest>(request), options) {}

EventFeed::~EventFeed() {
  if (ended_) return;
  Cancel();
  End();
}

std::optional<EventFeed::Message> EventFeed::Next() {
  Message message;
  if (!reader_->Read(&message)) return std::nullopt;
  switch (message.message_case()) {
    case Message::kStarted:
      cursor_ = message.started().cursor();
      break;
    case Message::kEvent:
      cursor_ = message.event().cursor();
      break;
    case Message::kHeartbeat:
      cursor_ = message.heartbeat().cursor();
      break;
    case Message::kGoodbye:
      cursor_ = message.goodbye().cursor();
      break;
    case Message::MESSAGE_NOT_SET:
      ADD_FAILURE() << "an empty message";
  }
  return message;
}

v1::SessionEvent EventFeed::NextEvent() {
  while (std::optional<Message> message = Next()) {
    if (message->has_event()) return message->event();
    EXPECT_TRUE(message->has_heartbeat()) << message->ShortDebugString();
  }
  ADD_FAILURE() << "the stream ended: " << Ok(End()).message();
  return {};
}

std::vector<std::string> EventFeed::NextTypes(int count) {
  std::vector<std::string> types;
  while (count-- > 0 && !ended_) types.push_back(ShortName(NextEvent().type()));
  return types;
}

RpcEnd EventFeed::End() {
  for (Message message; reader_->Read(&message);) {
  }
  ended_ = true;
  return EndOf(reader_->Finish(), context_);
}

std::string ShortName(v1::SessionEventType type) {
  return std::string(absl::StripPrefix(v1::SessionEventType_Name(type), "SESSION_EVENT_TYPE_"));
}

std::string ShortName(v1::SessionStatus status) {
  return std::string(absl::StripPrefix(v1::SessionStatus_Name(status), "SESSION_STATUS_"));
}

SessionWatch::SessionWatch(const std::shared_ptr<grpc::Channel>& channel,
                           const v1::WatchSessionRequest& request, const CallOptions& options)
    : stub_(channel) {
  Prepare(options, &context_);
  reader_ = stub_.WatchSession(&context_, request);
}

SessionWatch::~SessionWatch() {
  if (ended_) return;
  Cancel();
  End();
}

std::string SessionWatch::NextStep() {
  do {
    if (!reader_->Read(&last_)) return "end";
  } while (last_.heartbeat());
  if (!last_.failure_reason().empty()) {
    return absl::StrCat("PAYMENT_FAILED ", last_.failure_reason());
  }
  return ShortName(last_.session().status());
}

std::optional<v1::WatchSessionResponse> SessionWatch::NextMessage() {
  if (!reader_->Read(&last_)) return std::nullopt;
  return last_;
}

RpcEnd SessionWatch::End() {
  for (v1::WatchSessionResponse message; reader_->Read(&message);) {
  }
  ended_ = true;
  return EndOf(reader_->Finish(), context_);
}

}  // namespace ipp
