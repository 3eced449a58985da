#include "kustom/ipp/v1/simulation.grpc.pb.h"
#include "server/rpc/create_call.h"
#include "server/rpc/services.h"
#include "server/rpc/unary_call.h"

namespace ipp::rpc {
namespace {

namespace v1 = kustom::ipp::v1;
using Context = grpc::CallbackServerContext;
using Reactor = grpc::ServerUnaryReactor;

void CreateSimulatedDeviceWork(UnaryCall* call, const v1::CreateSimulatedDeviceRequest& request,
                               v1::CreateSimulatedDeviceResponse* response) {
  CreateOnce(call, request, response, {});
}

class SimulationServiceImpl final : public v1::SimulationService::CallbackService {
 public:
  explicit SimulationServiceImpl(const Edge* edge) : edge_(*edge) {}

  Reactor* CreateSimulatedDevice(Context* context, const v1::CreateSimulatedDeviceRequest* request,
                                 v1::CreateSimulatedDeviceResponse* response) override {
    return Serve(edge_, context, request, response, &CreateSimulatedDeviceWork);
  }
  Reactor* SimulateCardTap(Context* context, const v1::SimulateCardTapRequest* request,
                           v1::SimulateCardTapResponse* response) override {
    return Serve(edge_, context, request, response, &Forward);
  }

 private:
  const Edge& edge_;
};

}  // namespace

std::unique_ptr<grpc::Service> NewSimulationService(const Edge* edge) {
  return std::make_unique<SimulationServiceImpl>(edge);
}

}  // namespace ipp::rpc
