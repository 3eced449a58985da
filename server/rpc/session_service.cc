#include <utility>

#include "kustom/ipp/v1/session.grpc.pb.h"
#include "server/base/log.h"
#include "server/base/protobuf_time.h"
#include "server/rpc/services.h"
#include "server/rpc/unary_call.h"
#include "server/rpc/watch_stream.h"

namespace ipp::rpc {
namespace {

namespace v1 = kustom::ipp::v1;
using Context = grpc::CallbackServerContext;
using Reactor = grpc::ServerUnaryReactor;

// What an answer of the upstream tells of a session.
sessions::News NewsOf(const UnaryCall& call, const std::string& merchant_id,
                      const v1::Session& session) {
  sessions::News news;
  news.source = v1::SESSION_EVENT_SOURCE_API;
  news.merchant_id = merchant_id;
  news.session_id = session.session_id();
  news.heard_at = call.edge().gateway.clock->Now();
  news.session = session;
  news.request_id = call.request_id();
  return news;
}

// Writes the news down, then finishes the RPC. What the upstream has done is done: a store that
// fails must not turn it into an error, and the webhook brings the same news again.
void RecordAndFinish(UnaryCall* call, sessions::News news) {
  call->edge().gateway.book->Record(
      news, [call, news](absl::StatusOr<sessions::Verdict> verdict) mutable {
        if (absl::IsAlreadyExists(verdict.status())) {
          // Another session bears this request_id: two creates were sent with it. This one is known
          // by its own id only.
          news.request_id.clear();
          return RecordAndFinish(call, std::move(news));
        }
        if (!verdict.ok()) {
          LogError("a session could not be recorded",
                   {{"session_id", news.session_id}, {"status", verdict.status().ToString()}});
        }
        call->Finish(absl::OkStatus());
      });
}

void CreateSessionWork(UnaryCall* call, const v1::CreateSessionRequest& request,
                       v1::CreateSessionResponse* response) {
  const auto context = call->Upstream();
  if (!context) return;
  v1::CreateSessionRequest sent = request;
  if (!sent.has_purchase_started_at()) {
    *sent.mutable_purchase_started_at() = ToTimestamp(call->edge().gateway.clock->Now());
  }
  call->Send(sent, response, *context,
             [call, response, merchant_id = context->merchant_id](upstream::CallResult) {
               if (response->session().session_id().empty()) {
                 return call->Finish(MakeError(
                     absl::StatusCode::kInternal, "the upstream's answer names no session",
                     {.reason = "UPSTREAM_MALFORMED",
                      .metadata = {{"outcome", "UNKNOWN"}, {"retry_safe", "false"}},
                      .violations = {},
                      .retry_after = std::nullopt}));
               }
               RecordAndFinish(call, NewsOf(*call, merchant_id, response->session()));
             });
}

void GetSessionWork(UnaryCall* call, const v1::GetSessionRequest& request,
                    v1::GetSessionResponse* response) {
  const auto context = call->Upstream();
  if (!context) return;
  call->Send(request, response, *context,
             [call, response, merchant_id = context->merchant_id](upstream::CallResult) {
               call->edge().gateway.observer->Observe(merchant_id, response->session());
               call->Finish(absl::OkStatus());
             });
}

void CancelSessionWork(UnaryCall* call, const v1::CancelSessionRequest& request,
                       v1::CancelSessionResponse* response) {
  const auto context = call->Upstream();
  if (!context) return;
  call->Send(request, response, *context,
             [call, &request, response, merchant_id = context->merchant_id](upstream::CallResult) {
               if (response->session().session_id().empty()) {
                 // Done, but not the whole session that is documented: nothing to write down. The
                 // webhook tells.
                 response->mutable_session()->set_session_id(request.session_id());
                 return call->Finish(absl::OkStatus());
               }
               RecordAndFinish(call, NewsOf(*call, merchant_id, response->session()));
             });
}

using RawWatch =
    v1::SessionService::WithRawCallbackMethod_WatchSession<v1::SessionService::CallbackService>;

class SessionServiceImpl final : public RawWatch {
 public:
  SessionServiceImpl(const Edge* edge, StreamRegistry* streams) : edge_(*edge), streams_(streams) {}

  Reactor* CreateSession(Context* context, const v1::CreateSessionRequest* request,
                         v1::CreateSessionResponse* response) override {
    return Serve(edge_, context, request, response, &CreateSessionWork);
  }
  Reactor* GetSession(Context* context, const v1::GetSessionRequest* request,
                      v1::GetSessionResponse* response) override {
    return Serve(edge_, context, request, response, &GetSessionWork);
  }
  Reactor* CancelSession(Context* context, const v1::CancelSessionRequest* request,
                         v1::CancelSessionResponse* response) override {
    return Serve(edge_, context, request, response, &CancelSessionWork);
  }
  grpc::ServerWriteReactor<grpc::ByteBuffer>* WatchSession(
      Context* context, const grpc::ByteBuffer* request) override {
    return StartWatchStream(edge_, streams_, context, request);
  }

 private:
  const Edge& edge_;
  StreamRegistry* const streams_;
};

}  // namespace

std::unique_ptr<grpc::Service> NewSessionService(const Edge* edge, StreamRegistry* streams) {
  return std::make_unique<SessionServiceImpl>(edge, streams);
}

}  // namespace ipp::rpc
