#include "kustom/ipp/v1/simulation.grpc.pb.h"
#include "server/rpc/services/create_work.h"
#include "server/rpc/services/services.h"
#include "server/rpc/unary_call.h"

namespace ipp::rpc {
namespace {

namespace v1 = kustom::ipp::v1;
using Context = grpc::CallbackServerContext;
using Reactor = grpc::ServerUnaryReactor;

void CreateSimulatedDeviceWork(UnaryCall* call, const v1::CreateSimulatedDeviceRequest& request,
                               v1::CreateSimulatedDeviceResponse* response) {
  CreateWork(call, request, response);
}

class SimulationServiceImpl final : public v1::SimulationService::CallbackService {
 public:
  explicit SimulationServiceImpl(const ServiceContext* service) : service_(*service) {}

  Reactor* CreateSimulatedDevice(Context* context, const v1::CreateSimulatedDeviceRequest* request,
                                 v1::CreateSimulatedDeviceResponse* response) override {
    return Serve(service_, context, request, response, &CreateSimulatedDeviceWork);
  }
  Reactor* SimulateCardTap(Context* context, const v1::SimulateCardTapRequest* request,
                           v1::SimulateCardTapResponse* response) override {
    return Serve(service_, context, request, response, &Forward);
  }

 private:
  const ServiceContext& service_;
};

}  // namespace

std::unique_ptr<grpc::Service> NewSimulationService(const ServiceContext* service) {
  return std::make_unique<SimulationServiceImpl>(service);
}

}  // namespace ipp::rpc
