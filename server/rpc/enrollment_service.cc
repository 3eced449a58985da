#include "kustom/ipp/v1/enrollment.grpc.pb.h"
#include "server/rpc/create_call.h"
#include "server/rpc/list_call.h"
#include "server/rpc/services.h"

namespace ipp::rpc {
namespace {

namespace v1 = kustom::ipp::v1;
using Context = grpc::CallbackServerContext;
using Reactor = grpc::ServerUnaryReactor;

void CreateEnrollmentWork(UnaryCall* call, const v1::CreateEnrollmentRequest& request,
                          v1::CreateEnrollmentResponse* response) {
  CreateOnce(call, request, response, {});
}

class EnrollmentServiceImpl final : public v1::EnrollmentService::CallbackService {
 public:
  explicit EnrollmentServiceImpl(const Edge* edge) : edge_(*edge) {}

  Reactor* CreateEnrollment(Context* context, const v1::CreateEnrollmentRequest* request,
                            v1::CreateEnrollmentResponse* response) override {
    return Serve(edge_, context, request, response, &CreateEnrollmentWork);
  }
  Reactor* ListEnrollments(Context* context, const v1::ListEnrollmentsRequest* request,
                           v1::ListEnrollmentsResponse* response) override {
    return Serve(edge_, context, request, response, &ListPage);
  }
  Reactor* DeleteEnrollment(Context* context, const v1::DeleteEnrollmentRequest* request,
                            v1::DeleteEnrollmentResponse* response) override {
    return Serve(edge_, context, request, response, &Forward);
  }

 private:
  const Edge& edge_;
};

}  // namespace

std::unique_ptr<grpc::Service> NewEnrollmentService(const Edge* edge) {
  return std::make_unique<EnrollmentServiceImpl>(edge);
}

}  // namespace ipp::rpc
