#include <limits>

#include "simulator/api.h"
#include "simulator/fields.h"
#include "simulator/page.h"
#include "simulator/playground.h"
#include "simulator/render.h"

namespace ipp::simulator {
namespace {

Response DeviceResponse(const Device& device) {
  JsonWriter json;
  Render(device, json);
  Response response;
  response.body = json.Take();
  return response;
}

}  // namespace

Response Api::ListLocations(Call& call) {
  constexpr int64_t kNoUpperBound = std::numeric_limits<int32_t>::max();
  const PageRequest page = ReadPageRequest(call.query, kNoUpperBound, &call.errors);
  if (!call.errors.empty()) return ValidationProblem(call.errors);
  return RenderPage(
      call.merchant.locations.items(), page, [](const Location&) { return true; },
      [](const Location& location, JsonWriter& json) { Render(location, json); });
}

Response Api::GetLocation(Call& call) {
  if (!IsUuid(call.id)) {
    call.errors.Add("id", "must be a UUID");
    return ValidationProblem(call.errors);
  }
  const Location* location = call.merchant.locations.Find(call.id);
  if (location == nullptr) return NotFoundProblem("Location");
  JsonWriter json;
  Render(*location, json);
  Response response;
  response.body = json.Take();
  return response;
}

Response Api::ListDevices(Call& call) {
  const PageRequest page = ReadPageRequest(call.query, 100, &call.errors);
  const std::string location_id = call.query.Uuid("location_id", &call.errors);
  const Metadata wanted = ReadMetadataFilter(call.query, &call.errors);
  if (!call.errors.empty()) return ValidationProblem(call.errors);
  return RenderPage(
      call.merchant.devices.items(), page,
      [&](const Device& device) {
        return (location_id.empty() || device.location_id == location_id) &&
               HasAll(device.metadata, wanted);
      },
      [](const Device& device, JsonWriter& json) { Render(device, json); });
}

// Replaces the device: fields that the body leaves out are removed.
Response Api::UpdateDevice(Call& call) {
  Device* device = call.merchant.devices.Find(call.id);
  if (device == nullptr) return NotFoundProblem("Device");
  Response problem;
  const auto body = Body::Parse(call.request, &problem);
  if (body == nullptr) return problem;
  Fields& fields = body->fields();
  std::string name = fields.String("name", kOptional).value_or(std::string());
  std::string location_id = fields.Uuid("location_id", kOptional).value_or(std::string());
  Metadata metadata = fields.StringMap("metadata");
  if (!body->errors().empty()) return ValidationProblem(body->errors());
  if (!location_id.empty() && call.merchant.locations.Find(location_id) == nullptr) {
    return NotFoundProblem("Location");
  }
  device->name = std::move(name);
  device->location_id = std::move(location_id);
  device->metadata = std::move(metadata);
  return DeviceResponse(*device);
}

Response Api::DeleteDevice(Call& call) {
  if (call.merchant.devices.Find(call.id) == nullptr) return NotFoundProblem("Device");
  call.merchant.devices.Erase(call.id);
  Response response;
  response.status = 204;
  return response;
}

Response Api::CreateSimulatedDevice(Call& call) {
  return simulator::CreateSimulatedDevice(world_, call.merchant, call.request);
}

}  // namespace ipp::simulator
