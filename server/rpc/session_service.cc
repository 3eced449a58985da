#include <memory>
#include <utility>

#include "kustom/ipp/v1/session.grpc.pb.h"
#include "server/base/protobuf_time.h"
#include "server/rpc/cancel_call.h"
#include "server/rpc/create_call.h"
#include "server/rpc/services.h"
#include "server/rpc/unary_call.h"
#include "server/rpc/watch_stream.h"
#include "server/store/keepable.h"
#include "server/upstream/correlation.h"

namespace ipp::rpc {
namespace {

namespace v1 = kustom::ipp::v1;
using Context = grpc::CallbackServerContext;
using Reactor = grpc::ServerUnaryReactor;

// A webhook of a create whose answer was lost comes within a second or so, and then one read.
constexpr absl::Duration kSettleWait = absl::Seconds(3);

// What an answer of the upstream tells of a session.
sessions::News NewsOf(const UnaryCall& call, const std::string& merchant_id,
                      const v1::Session& session, std::string request_id) {
  sessions::News news;
  news.source = v1::SESSION_EVENT_SOURCE_API;
  news.merchant_id = merchant_id;
  news.session_id = session.session_id();
  news.heard_at = call.edge().gateway.clock->Now();
  news.session = session;
  news.request_id = std::move(request_id);
  news.answers_create = true;
  return news;
}

std::unique_ptr<google::protobuf::Message> OutgoingSession(const v1::CreateSessionRequest& request,
                                                           UnaryCall* call) {
  auto sent = std::make_unique<v1::CreateSessionRequest>(request);
  if (!sent->has_purchase_started_at()) {
    *sent->mutable_purchase_started_at() = ToTimestamp(call->edge().gateway.clock->Now());
  }
  upstream::AddCorrelation(call->request_id(), call->edge().gateway.options.correlation,
                           sent.get());
  return sent;
}

void CreateSessionWork(UnaryCall* call, const v1::CreateSessionRequest& request,
                       v1::CreateSessionResponse* response) {
  CreateShape shape;
  shape.outgoing = [&request](UnaryCall* c) { return OutgoingSession(request, c); };
  shape.says_what_was_made = [](const google::protobuf::Message& answer) {
    const std::string& id =
        static_cast<const v1::CreateSessionResponse&>(answer).session().session_id();
    return !id.empty() && id.size() <= store::kMaxIdBytes;
  };
  shape.record = [](UnaryCall* c, const std::string& merchant_id,
                    const google::protobuf::Message& answer) {
    return [book = c->edge().gateway.book,
            news = NewsOf(*c, merchant_id,
                          static_cast<const v1::CreateSessionResponse&>(answer).session(),
                          c->request_id())](sessions::CreateLedger::Written done) {
      book->Record(news, [done = std::move(done)](absl::StatusOr<sessions::Recorded> v) mutable {
        std::move(done)(v.status());
      });
    };
  };
  shape.settle_wait = kSettleWait;
  CreateOnce(call, request, response, std::move(shape));
}

void GetSessionWork(UnaryCall* call, const v1::GetSessionRequest& request,
                    v1::GetSessionResponse* response) {
  const auto context = call->Upstream();
  if (!context) return;
  call->Send(request, response, *context,
             [call, response, merchant_id = context->merchant_id](upstream::CallResult result) {
               call->edge().gateway.observer->Observe(merchant_id, response->session(),
                                                      result.request_id);
               call->Finish(absl::OkStatus());
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
    return Serve(edge_, context, request, response, &CancelAndConfirm);
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
