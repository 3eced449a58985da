#include <memory>
#include <utility>

#include "kustom/ipp/v1/session.grpc.pb.h"
#include "server/base/protobuf_time.h"
#include "server/rpc/services/create_work.h"
#include "server/rpc/services/services.h"
#include "server/rpc/unary_call.h"
#include "server/rpc/watch_stream.h"
#include "server/sessions/cancel_flow.h"
#include "server/store/keepable.h"
#include "server/upstream/correlation.h"

namespace ipp::rpc {
namespace {

namespace v1 = kustom::ipp::v1;
using Context = grpc::CallbackServerContext;
using Reactor = grpc::ServerUnaryReactor;

// If the answer to a create was lost, its webhook arrives within about a second, followed by one
// read.
constexpr absl::Duration kSettleWait = absl::Seconds(3);

// The session update for an answer of the upstream.
sessions::SessionUpdate UpdateOf(const UnaryCall& call, const std::string& merchant_id,
                                 const v1::Session& session, std::string request_id) {
  sessions::SessionUpdate update;
  update.source = v1::SESSION_EVENT_SOURCE_API;
  update.merchant_id = merchant_id;
  update.session_id = session.session_id();
  update.heard_at = call.service().backends.store->Now();
  update.session = session;
  update.request_id = std::move(request_id);
  update.answers_create = true;
  return update;
}

std::unique_ptr<google::protobuf::Message> OutgoingSession(const v1::CreateSessionRequest& request,
                                                           const UnaryCall& call) {
  auto sent = std::make_unique<v1::CreateSessionRequest>(request);
  if (!sent->has_purchase_started_at()) {
    *sent->mutable_purchase_started_at() = ToTimestamp(call.service().backends.clock->Now());
  }
  upstream::AddCorrelation(call.request_id(), call.service().backends.options.correlation,
                           sent.get());
  return sent;
}

bool HasSessionId(const google::protobuf::Message& answer) {
  const auto& response = static_cast<const v1::CreateSessionResponse&>(answer);
  const std::string& id = response.session().session_id();
  return !id.empty() && id.size() <= store::kMaxIdBytes;
}

// Writes the session's record and the end of the create in one transaction.
creates::CreateLedger::Write RecordOf(const UnaryCall& call, const std::string& merchant_id,
                                      const google::protobuf::Message& answer) {
  const auto& response = static_cast<const v1::CreateSessionResponse&>(answer);
  return [recorder = call.service().backends.recorder,
          update = std::make_shared<const sessions::SessionUpdate>(
              UpdateOf(call, merchant_id, response.session(), call.request_id()))](
             creates::CreateLedger::Written done) {
    recorder->Record(update,
                     [done = std::move(done)](absl::StatusOr<sessions::Recorded> v) mutable {
                       std::move(done)(v.status());
                     });
  };
}

void CreateSessionWork(UnaryCall* call, const v1::CreateSessionRequest& request,
                       v1::CreateSessionResponse* response) {
  const auto context = call->Upstream();
  if (!context) return;
  creates::CreateShape shape;
  shape.outgoing = [call, &request] { return OutgoingSession(request, *call); };
  shape.has_resource_id = &HasSessionId;
  shape.record = [call, merchant_id = context->merchant_id](const auto& answer) {
    return RecordOf(*call, merchant_id, answer);
  };
  shape.settle_wait = kSettleWait;
  CreateWork(call, *context, request, response, std::move(shape));
}

void CancelSessionWork(UnaryCall* call, const v1::CancelSessionRequest& request,
                       v1::CancelSessionResponse* response) {
  const auto context = call->Upstream();
  if (!context) return;
  const ServiceContext& service = call->service();
  service.backends.recorder->NoteCancel({.merchant_id = context->merchant_id,
                                         .session_id = request.session_id(),
                                         .caller = call->caller().name,
                                         .traceparent = call->trace().traceparent,
                                         .asked_at = {}});
  sessions::CancelAndConfirm({.cancel = &call->route(),
                              .get = service.methods.Find<v1::GetSessionRequest>().route,
                              .recorder = service.backends.recorder,
                              .clock = service.backends.clock,
                              .scheduler = service.backends.scheduler},
                             call, *context, request, response);
}

void GetSessionWork(UnaryCall* call, const v1::GetSessionRequest& request,
                    v1::GetSessionResponse* response) {
  const auto context = call->Upstream();
  if (!context) return;
  call->Send(request, response, *context,
             [call, response, merchant_id = context->merchant_id](upstream::CallResult result) {
               call->service().backends.observer->Observe(merchant_id, response->session(),
                                                          result.request_id);
               call->Finish(absl::OkStatus());
             });
}

using RawWatch =
    v1::SessionService::WithRawCallbackMethod_WatchSession<v1::SessionService::CallbackService>;

class SessionServiceImpl final : public RawWatch {
 public:
  SessionServiceImpl(const ServiceContext* service, events::StreamRegistry* streams)
      : service_(*service), streams_(streams) {}

  Reactor* CreateSession(Context* context, const v1::CreateSessionRequest* request,
                         v1::CreateSessionResponse* response) override {
    return Serve(service_, context, request, response, &CreateSessionWork);
  }
  Reactor* GetSession(Context* context, const v1::GetSessionRequest* request,
                      v1::GetSessionResponse* response) override {
    return Serve(service_, context, request, response, &GetSessionWork);
  }
  Reactor* CancelSession(Context* context, const v1::CancelSessionRequest* request,
                         v1::CancelSessionResponse* response) override {
    return Serve(service_, context, request, response, &CancelSessionWork);
  }
  grpc::ServerWriteReactor<grpc::ByteBuffer>* WatchSession(
      Context* context, const grpc::ByteBuffer* request) override {
    return StartWatchStream(service_, streams_, context, request);
  }

 private:
  const ServiceContext& service_;
  events::StreamRegistry* const streams_;
};

}  // namespace

std::unique_ptr<grpc::Service> NewSessionService(const ServiceContext* service,
                                                 events::StreamRegistry* streams) {
  return std::make_unique<SessionServiceImpl>(service, streams);
}

}  // namespace ipp::rpc
