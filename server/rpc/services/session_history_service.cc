#include <memory>

#include "kustom/ipp/v1/session_history.grpc.pb.h"
#include "server/rpc/services/services.h"
#include "server/rpc/services/session_list.h"
#include "server/rpc/unary_call.h"

namespace ipp::rpc {
namespace {

namespace v1 = kustom::ipp::v1;
using Context = grpc::CallbackServerContext;
using Reactor = grpc::ServerUnaryReactor;

class SessionHistoryServiceImpl final : public v1::SessionHistoryService::CallbackService {
 public:
  explicit SessionHistoryServiceImpl(const ServiceContext* service) : service_(*service) {}

  Reactor* ListSessions(Context* context, const v1::ListSessionsRequest* request,
                        v1::ListSessionsResponse* response) override {
    return Serve(service_, context, request, response, &ListSessionsWork);
  }
  Reactor* GetSessionHistory(Context* context, const v1::GetSessionHistoryRequest* request,
                             v1::GetSessionHistoryResponse* response) override {
    return Serve(service_, context, request, response, &GetSessionHistoryWork);
  }

 private:
  const ServiceContext& service_;
};

}  // namespace

std::unique_ptr<grpc::Service> NewSessionHistoryService(const ServiceContext* service) {
  return std::make_unique<SessionHistoryServiceImpl>(service);
}

}  // namespace ipp::rpc
