#include "kustom/ipp/v1/enrollment.grpc.pb.h"
#include "server/rpc/services/create_work.h"
#include "server/rpc/services/list_call.h"
#include "server/rpc/services/services.h"

namespace ipp::rpc {
namespace {

namespace v1 = kustom::ipp::v1;
using Context = grpc::CallbackServerContext;
using Reactor = grpc::ServerUnaryReactor;

void CreateEnrollmentWork(UnaryCall* call, const v1::CreateEnrollmentRequest& request,
                          v1::CreateEnrollmentResponse* response) {
  CreateWork(call, request, response);
}

class EnrollmentServiceImpl final : public v1::EnrollmentService::CallbackService {
 public:
  explicit EnrollmentServiceImpl(const ServiceContext* service) : service_(*service) {}

  Reactor* CreateEnrollment(Context* context, const v1::CreateEnrollmentRequest* request,
                            v1::CreateEnrollmentResponse* response) override {
    return Serve(service_, context, request, response, &CreateEnrollmentWork);
  }
  Reactor* ListEnrollments(Context* context, const v1::ListEnrollmentsRequest* request,
                           v1::ListEnrollmentsResponse* response) override {
    return Serve(service_, context, request, response, &ListPage);
  }
  Reactor* DeleteEnrollment(Context* context, const v1::DeleteEnrollmentRequest* request,
                            v1::DeleteEnrollmentResponse* response) override {
    return Serve(service_, context, request, response, &Forward);
  }

 private:
  const ServiceContext& service_;
};

}  // namespace

std::unique_ptr<grpc::Service> NewEnrollmentService(const ServiceContext* service) {
  return std::make_unique<EnrollmentServiceImpl>(service);
}

}  // namespace ipp::rpc
