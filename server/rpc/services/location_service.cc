#include "kustom/ipp/v1/location.grpc.pb.h"
#include "server/rpc/services/list_call.h"
#include "server/rpc/services/services.h"

namespace ipp::rpc {
namespace {

namespace v1 = kustom::ipp::v1;
using Context = grpc::CallbackServerContext;
using Reactor = grpc::ServerUnaryReactor;

class LocationServiceImpl final : public v1::LocationService::CallbackService {
 public:
  explicit LocationServiceImpl(const ServiceContext* service) : service_(*service) {}

  Reactor* ListLocations(Context* context, const v1::ListLocationsRequest* request,
                         v1::ListLocationsResponse* response) override {
    return Serve(service_, context, request, response, &ListPage);
  }
  Reactor* GetLocation(Context* context, const v1::GetLocationRequest* request,
                       v1::GetLocationResponse* response) override {
    return Serve(service_, context, request, response, &Forward);
  }

 private:
  const ServiceContext& service_;
};

}  // namespace

std::unique_ptr<grpc::Service> NewLocationService(const ServiceContext* service) {
  return std::make_unique<LocationServiceImpl>(service);
}

}  // namespace ipp::rpc
