#pragma once

#include <grpcpp/grpcpp.h>

#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "kustom/ipp/v1/session_event.grpc.pb.h"
#include "server/base/mutex.h"

namespace ipp::client {

// One stream of a ScriptedEvents.
struct Script {
  std::vector<kustom::ipp::v1::SubscribeSessionEventsResponse> messages = {};
  // How the stream ends after the last message; `silent`: not at all, until the client cancels.
  grpc::Status end = grpc::Status::OK;
  bool silent = false;
};

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

  grpc::ServerWriteReactor<Response>* SubscribeSessionEvents(grpc::CallbackServerContext*,
                                                             const Request* request) override {
    MutexLock lock(&mutex_);
    requests_.push_back(*request);
    if (scripts_.empty()) {
      return new Stream({.end = {grpc::StatusCode::NOT_FOUND, "no script is left"}});
    }
    Script script = std::move(scripts_.front());
    scripts_.pop_front();
    return new Stream(std::move(script));
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
  class Stream final : public grpc::ServerWriteReactor<Response> {
   public:
    explicit Stream(Script script) : script_(std::move(script)) { Next(); }
    void OnWriteDone(bool ok) override { ok ? Next() : FinishOnce(grpc::Status::CANCELLED); }
    void OnCancel() override { FinishOnce(grpc::Status::CANCELLED); }
    void OnDone() override { delete this; }

   private:
    void Next() {
      if (next_ < script_.messages.size()) {
        StartWrite(&script_.messages[next_++]);
      } else if (!script_.silent) {
        FinishOnce(script_.end);
      }
    }
    void FinishOnce(const grpc::Status& status) {
      {
        MutexLock lock(&mutex_);
        if (std::exchange(finished_, true)) return;
      }
      Finish(status);
    }

    Script script_;
    size_t next_ = 0;
    Mutex mutex_;
    bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  };

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

inline grpc::Status Unavailable() { return {grpc::StatusCode::UNAVAILABLE, "gone"}; }

}  // namespace ipp::client
