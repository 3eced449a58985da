#pragma once

#include <grpcpp/grpcpp.h>

#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "kustom/ipp/v1/session_event.grpc.pb.h"
#include "server/base/mutex.h"
#include "tests/client/scripted_stream.h"

namespace ipp::client {

using Script = StreamScript<kustom::ipp::v1::SubscribeSessionEventsResponse>;

// A SessionEventService that plays one script a subscription, in order. Past the last one it
// answers NOT_FOUND, which ends a client that reconnects more often than expected.
class ScriptedEvents final : public kustom::ipp::v1::SessionEventService::CallbackService {
 public:
  using Request = kustom::ipp::v1::SubscribeSessionEventsRequest;
  using Response = kustom::ipp::v1::SubscribeSessionEventsResponse;

  void Add(Script script) {
    MutexLock lock(&mutex_);
    scripts_.push_back(std::move(script));
  }
  std::vector<Request> requests() {
    MutexLock lock(&mutex_);
    return requests_;
  }

  const StreamProgress& progress() const { return progress_; }

  grpc::ServerWriteReactor<Response>* SubscribeSessionEvents(grpc::CallbackServerContext*,
                                                             const Request* request) override {
    MutexLock lock(&mutex_);
    requests_.push_back(*request);
    if (scripts_.empty()) {
      return new ScriptedStream<Response>(
          {.end = {grpc::StatusCode::NOT_FOUND, "no script is left"}}, &progress_);
    }
    Script script = std::move(scripts_.front());
    scripts_.pop_front();
    return new ScriptedStream<Response>(std::move(script), &progress_);
  }

  grpc::ServerUnaryReactor* ListSessionEvents(
      grpc::CallbackServerContext* context,
      const kustom::ipp::v1::ListSessionEventsRequest* request,
      kustom::ipp::v1::ListSessionEventsResponse* response) override {
    MutexLock lock(&mutex_);
    list_requests.push_back(*request);
    *response = list_response;
    if (request->page_token().empty() && !second_page_token.empty()) {
      response->set_next_page_token(second_page_token);
    }
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }

  // For ListSessionEvents; read them after the call.
  kustom::ipp::v1::ListSessionEventsResponse list_response;
  std::string second_page_token;
  std::vector<kustom::ipp::v1::ListSessionEventsRequest> list_requests;

 private:
  StreamProgress progress_;
  Mutex mutex_;
  std::deque<Script> scripts_ ABSL_GUARDED_BY(mutex_);
  std::vector<Request> requests_ ABSL_GUARDED_BY(mutex_);
};

inline ScriptedEvents::Response StartedAt(const std::string& cursor) {
  ScriptedEvents::Response message;
  message.mutable_started()->set_cursor(cursor);
  return message;
}

// Event `id` with cursor "c-<id>".
inline ScriptedEvents::Response EventOf(const std::string& id) {
  ScriptedEvents::Response message;
  message.mutable_event()->set_event_id(id);
  message.mutable_event()->set_cursor("c-" + id);
  return message;
}

inline ScriptedEvents::Response HeartbeatAt(const std::string& cursor) {
  ScriptedEvents::Response message;
  message.mutable_heartbeat()->set_cursor(cursor);
  return message;
}

inline ScriptedEvents::Response GoodbyeAt(const std::string& cursor) {
  ScriptedEvents::Response message;
  message.mutable_goodbye()->set_cursor(cursor);
  message.mutable_goodbye()->set_reason("draining");
  return message;
}

}  // namespace ipp::client
