#pragma once

#include <grpcpp/grpcpp.h>

#include <deque>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "kustom/ipp/v1/outcome.grpc.pb.h"
#include "kustom/ipp/v1/session.grpc.pb.h"
#include "server/base/mutex.h"
#include "tests/client/scripted_stream.h"

namespace ipp::client {

// One answer to a unary call.
template <typename Response>
struct UnaryScript {
  Response response = {};
  grpc::Status status = grpc::Status::OK;
  // Runs when the call has come in, before it is answered.
  std::function<void()> first = nullptr;
  bool silent = false;  // not answered until the client cancels
};

// What is left to say; the last answer is for ever when `for_ever`.
template <typename Script>
struct ScriptQueue {
  std::deque<Script> left = {};
  bool for_ever = false;

  Script Take(Script otherwise) {
    if (left.empty()) return otherwise;
    Script next = left.front();
    if (!for_ever || left.size() > 1) left.pop_front();
    return next;
  }
};

// A SessionService that plays one script a call, in order, and keeps a list of the calls. Past the
// last one: NOT_FOUND.
class ScriptedSessions final : public kustom::ipp::v1::SessionService::CallbackService {
 public:
  using Create = UnaryScript<kustom::ipp::v1::CreateSessionResponse>;
  using Cancel = UnaryScript<kustom::ipp::v1::CancelSessionResponse>;
  using Outcome = UnaryScript<kustom::ipp::v1::GetCreateOutcomeResponse>;
  using Step = kustom::ipp::v1::WatchSessionResponse;
  using Watch = StreamScript<Step>;

  // To be filled before the calls.
  ScriptQueue<Create> creates;
  ScriptQueue<Watch> watches;
  ScriptQueue<Cancel> cancels;
  ScriptQueue<Outcome> outcomes;

  // "create r-1", "watch s-1", "watch r-1", "outcome r-1", "cancel s-1".
  std::vector<std::string> calls() const {
    MutexLock lock(&mutex_);
    return calls_;
  }
  // The other service that answers about creates.
  grpc::Service* outcome_service() { return &outcome_service_; }

 private:
  using Context = grpc::CallbackServerContext;

  template <typename Response>
  class Unary final : public grpc::ServerUnaryReactor {
   public:
    Unary(const UnaryScript<Response>& script, Response* response) {
      if (script.first) script.first();
      *response = script.response;
      if (!script.silent) Finish(script.status);
      silent_ = script.silent;
    }
    void OnCancel() override {
      if (silent_) Finish(grpc::Status::CANCELLED);
    }
    void OnDone() override { delete this; }

   private:
    bool silent_ = false;
  };

  class OutcomeScripts final : public kustom::ipp::v1::OutcomeService::CallbackService {
   public:
    explicit OutcomeScripts(ScriptedSessions* owner) : owner_(*owner) {}
    grpc::ServerUnaryReactor* GetCreateOutcome(
        Context*, const kustom::ipp::v1::GetCreateOutcomeRequest* request,
        kustom::ipp::v1::GetCreateOutcomeResponse* response) override {
      return owner_.Answer("outcome", request->request_id(), &owner_.outcomes, response);
    }

   private:
    ScriptedSessions& owner_;
  };

  grpc::ServerUnaryReactor* CreateSession(
      Context*, const kustom::ipp::v1::CreateSessionRequest* request,
      kustom::ipp::v1::CreateSessionResponse* response) override {
    return Answer("create", request->request_id(), &creates, response);
  }
  grpc::ServerUnaryReactor* CancelSession(
      Context*, const kustom::ipp::v1::CancelSessionRequest* request,
      kustom::ipp::v1::CancelSessionResponse* response) override {
    return Answer("cancel", request->session_id(), &cancels, response);
  }
  grpc::ServerWriteReactor<Step>* WatchSession(
      Context*, const kustom::ipp::v1::WatchSessionRequest* request) override {
    MutexLock lock(&mutex_);
    calls_.push_back(absl::StrCat("watch ", request->session_id(), request->request_id()));
    return new ScriptedStream<Step>(
        watches.Take({.end = {grpc::StatusCode::NOT_FOUND, "no script is left"}}), &progress_);
  }

  template <typename Response>
  grpc::ServerUnaryReactor* Answer(const char* call, const std::string& id,
                                   ScriptQueue<UnaryScript<Response>>* queue, Response* response) {
    UnaryScript<Response> script;
    {
      MutexLock lock(&mutex_);
      calls_.push_back(absl::StrCat(call, " ", id));
      script = queue->Take({.status = {grpc::StatusCode::NOT_FOUND, "no script is left"}});
    }
    return new Unary<Response>(script, response);
  }

  OutcomeScripts outcome_service_{this};
  StreamProgress progress_;
  mutable Mutex mutex_;
  std::vector<std::string> calls_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace ipp::client
