#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "kustom/ipp/v1/device.grpc.pb.h"
#include "server/base/error.h"
#include "server/rpc/services/list_call.h"
#include "server/rpc/services/services.h"

namespace ipp::rpc {
namespace {

namespace v1 = kustom::ipp::v1;
using Context = grpc::CallbackServerContext;
using Reactor = grpc::ServerUnaryReactor;

void GetDeviceWork(UnaryCall* call, const v1::GetDeviceRequest& request,
                   v1::GetDeviceResponse* response) {
  const auto context = call->Upstream();
  if (!context) return;
  call->CancelWithCaller([&] {
    return call->service().backends.devices->Find(
        request.device_id(), *context, [call, response](absl::StatusOr<v1::Device> device) {
          const absl::Status status = device.status();
          if (status.ok()) *response->mutable_device() = *std::move(device);
          call->Finish(status);
        });
  });
}

// The body for the upstream's PUT. It must contain every setting, since PUT replaces all of them.
v1::UpdateDeviceRequest Merge(const v1::UpdateDeviceRequest& change, const v1::Device& device) {
  v1::UpdateDeviceRequest merged;
  merged.set_device_id(change.device_id());
  v1::DeviceSettings* settings = merged.mutable_settings();
  settings->set_name(device.name());
  if (!device.location_id().empty()) settings->set_location_id(device.location_id());
  *settings->mutable_metadata() = device.metadata();
  for (const std::string& path : change.update_mask().paths()) {
    if (path == "name") {
      settings->set_name(change.settings().name());
    } else if (path == "metadata") {
      *settings->mutable_metadata() = change.settings().metadata();
    } else if (change.settings().location_id().empty()) {
      settings->clear_location_id();
    } else {
      settings->set_location_id(change.settings().location_id());
    }
  }
  return merged;
}

// The name of a field that the upstream sent, that we could not read, and that the PUT would
// therefore overwrite with an empty value; empty if there is none.
absl::string_view LostInMerge(const v1::UpdateDeviceRequest& change, const v1::Device& device) {
  for (const std::string& field : device.unreadable_fields()) {
    const bool sent_back = field == "name" || field == "location_id" || field == "metadata";
    const auto& paths = change.update_mask().paths();
    if (sent_back && std::find(paths.begin(), paths.end(), field) == paths.end()) return field;
  }
  return "";
}

absl::Status CannotMerge(absl::string_view field) {
  return MakeError(absl::StatusCode::kInternal,
                   absl::StrCat("the device's ", field,
                                " cannot be read, and an update would overwrite it; name it in the "
                                "mask, or send no mask"),
                   {.reason = "UPSTREAM_MALFORMED",
                    .metadata = {{"outcome", "NOT_SENT"}, {"retry_safe", "true"}}});
}

void UpdateDeviceWork(UnaryCall* call, const v1::UpdateDeviceRequest& request,
                      v1::UpdateDeviceResponse* response) {
  if (!request.has_update_mask()) return Forward(call, request, response);
  const auto context = call->Upstream();
  if (!context) return;
  call->CancelWithCaller([&] {
    return call->service().backends.devices->Find(
        request.device_id(), *context,
        [call, &request, response, context = *context](absl::StatusOr<v1::Device> device) {
          if (!device.ok()) return call->Finish(device.status());
          const absl::string_view lost = LostInMerge(request, *device);
          if (!lost.empty()) return call->Finish(CannotMerge(lost));
          call->Send(Merge(request, *device), response, context,
                     [call](upstream::CallResult) { call->Finish(absl::OkStatus()); });
        });
  });
}

class DeviceServiceImpl final : public v1::DeviceService::CallbackService {
 public:
  explicit DeviceServiceImpl(const ServiceContext* service) : service_(*service) {}

  Reactor* ListDevices(Context* context, const v1::ListDevicesRequest* request,
                       v1::ListDevicesResponse* response) override {
    return Serve(service_, context, request, response, &ListPage);
  }
  Reactor* GetDevice(Context* context, const v1::GetDeviceRequest* request,
                     v1::GetDeviceResponse* response) override {
    return Serve(service_, context, request, response, &GetDeviceWork);
  }
  Reactor* UpdateDevice(Context* context, const v1::UpdateDeviceRequest* request,
                        v1::UpdateDeviceResponse* response) override {
    return Serve(service_, context, request, response, &UpdateDeviceWork);
  }
  Reactor* DeleteDevice(Context* context, const v1::DeleteDeviceRequest* request,
                        v1::DeleteDeviceResponse* response) override {
    return Serve(service_, context, request, response, &Forward);
  }

 private:
  const ServiceContext& service_;
};

}  // namespace

std::unique_ptr<grpc::Service> NewDeviceService(const ServiceContext* service) {
  return std::make_unique<DeviceServiceImpl>(service);
}

}  // namespace ipp::rpc
