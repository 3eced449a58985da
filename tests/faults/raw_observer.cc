#include "tests/faults/raw_observer.h"

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ippclient/error.h"
#include "tests/faults/fresh_channel.h"
#include "tests/faults/plan.h"

namespace ipp::faults {

namespace v1 = kustom::ipp::v1;

RawObserver::RawObserver(Options options, Changes* changes)
    : options_(std::move(options)),
      notebook_(options_.name, options_.filter, changes),
      random_(options_.seed),
      thread_([this] { Run(); }) {}

RawObserver::~RawObserver() {
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
    stopped_.SignalAll();
    if (context_ != nullptr) context_->TryCancel();
  }
  thread_.join();
}

void RawObserver::Run() {
  size_t turn = options_.seed;
  while (Follow(options_.gateways[turn++ % options_.gateways.size()])) {
    MutexLock lock(&mutex_);
    if (!stopping_) stopped_.WaitFor(&mutex_, std::chrono::milliseconds(20));
  }
}

void RawObserver::ChooseStart(v1::SubscribeSessionEventsRequest* request) {
  const size_t seen = notebook_.size();
  if (options_.restless_after > 0 && seen > 0 && Draw(&random_, 2) == 0) {
    // Somewhere in the last hundred events, or anywhere.
    const size_t span = Draw(&random_, 4) == 0 ? seen : std::min<size_t>(seen, 100);
    next_ = seen - Draw(&random_, span);
    cursor_ = notebook_.at(next_ - 1)->event.cursor();
  }
  asked_for_ = cursor_;
  if (cursor_.empty()) {
    request->set_position(v1::START_POSITION_FROM_OLDEST);
  } else {
    request->set_after_cursor(cursor_);
  }
}

bool RawObserver::Follow(const std::string& gateway) {
  v1::SubscribeSessionEventsRequest request;
  *request.mutable_filter() = options_.filter;
  request.mutable_heartbeat_interval()->set_seconds(1);
  ChooseStart(&request);
  const auto channel = FreshChannel(gateway);
  const auto stub = v1::SessionEventService::NewStub(channel);
  grpc::ClientContext* context = nullptr;
  {
    MutexLock lock(&mutex_);
    if (stopping_) return false;
    context_ = std::make_unique<grpc::ClientContext>();
    context = context_.get();
  }
  const auto reader = stub->SubscribeSessionEvents(context, request);
  const int patience =
      options_.restless_after == 0
          ? -1
          : 1 + static_cast<int>(Draw(&random_, static_cast<uint64_t>(options_.restless_after)));
  int messages = 0;
  bool left = false;
  for (Message message; reader->Read(&message);) {
    if (left) continue;  // what was under way
    Take(message, messages == 0);
    if (++messages == patience) {
      left = true;
      context->TryCancel();
    }
  }
  const grpc::Status status = reader->Finish();
  MutexLock lock(&mutex_);
  if (stopping_) return false;
  if (left || EndedWithTheGateway(status)) return true;
  notebook_.Complain(absl::StrCat("a stream ended with ", client::CodeName(status.error_code()),
                                  ": ", status.error_message()));
  return false;
}

void RawObserver::Take(const Message& message, bool first) {
  if (first != (message.message_case() == Message::kStarted)) {
    notebook_.Complain("'started' must be the first message, and only that");
  }
  switch (message.message_case()) {
    case Message::kStarted:
      if (message.started().skipped()) notebook_.Complain("events were skipped");
      if (!asked_for_.empty() && message.started().cursor() != asked_for_) {
        notebook_.Complain("a stream starts somewhere else than it was asked to");
      }
      ++streams_;
      cursor_ = message.started().cursor();
      if (cursor_.empty()) notebook_.Complain("'started' has no cursor");
      return;
    case Message::kEvent:
      return TakeEvent(message.event());
    case Message::kHeartbeat:
      ++heartbeats_;
      return TakePosition(message.heartbeat().cursor(), "a heartbeat");
    case Message::kGoodbye:
      return TakePosition(message.goodbye().cursor(), "a goodbye");
    default:
      notebook_.Complain("an empty message");
  }
}

void RawObserver::TakeEvent(const v1::SessionEvent& event) {
  if (event.cursor().empty()) notebook_.Complain("an event without a cursor");
  cursor_ = event.cursor();
  if (next_ == notebook_.size()) {
    notebook_.Append(event);
  } else if (notebook_.at(next_)->bytes != event.SerializeAsString()) {
    notebook_.Complain(absl::StrCat("resumed, it saw ", event.event_id(), " where it had seen ",
                                    notebook_.at(next_)->event.event_id()));
  }
  ++next_;
}

// A heartbeat must not overtake an event: where all events are wanted, it stands still.
void RawObserver::TakePosition(const std::string& cursor, absl::string_view what) {
  if (cursor.empty()) notebook_.Complain(absl::StrCat(what, " without a cursor"));
  if (options_.filter.ByteSizeLong() == 0 && cursor != cursor_) {
    notebook_.Complain(absl::StrCat(what, " has moved without an event"));
  }
  cursor_ = cursor;
}

}  // namespace ipp::faults
