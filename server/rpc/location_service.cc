#include "kustom/ipp/v1/location.grpc.pb.h"
#include "server/rpc/list_call.h"
#include "server/rpc/services.h"

namespace ipp::rpc {
namespace {

namespace v1 = kustom::ipp::v1;
using Context = grpc::CallbackServerContext;
using Reactor = grpc::ServerUnaryReactor;

class LocationServiceImpl final : public v1::LocationService::CallbackService {
 public:
  explicit LocationServiceImpl(const Edge* edge) : edge_(*edge) {}

  Reactor* ListLocations(Context* context, const v1::ListLocationsRequest* request,
                         v1::ListLocationsResponse* response) override {
    return Serve(edge_, context, request, response, &ListPage);
  }
  Reactor* GetLocation(Context* context, const v1::GetLocationRequest* request,
                       v1::GetLocationResponse* response) override {
    return Serve(edge_, context, request, response, &Forward);
  }

 private:
  const Edge& edge_;
};

}  // namespace

std::unique_ptr<grpc::Service> NewLocationService(const Edge* edge) {
  return std::make_unique<LocationServiceImpl>(edge);
}

}  // namespace ipp::rpc
