#include "simulator/playground.h"

#include <string>
#include <utility>

#include "simulator/fields.h"
#include "simulator/problem.h"
#include "simulator/render.h"

namespace ipp::simulator {

const std::vector<std::string_view>& TapOutcomes() {
  static const std::vector<std::string_view> outcomes = {
      "SUCCESS",          "DECLINED_GENERIC",      "INSUFFICIENT_FUNDS", "LOST_CARD",
      "STOLEN_CARD",      "EXPIRED_CARD",          "INCORRECT_CVC",      "PROCESSING_ERROR",
      "INCORRECT_NUMBER", "CARD_VELOCITY_EXCEEDED"};
  return outcomes;
}

Response Tap(World& world, Session& session, std::string_view outcome) {
  if (IsFinal(session.status)) {
    return ConflictProblem("The session is already " + std::string(Name(session.status)) + ".");
  }
  world.Advance(session, SessionStep::kActivate);  // does nothing if it is active already
  if (outcome == TapOutcomes().front()) {
    world.Advance(session, SessionStep::kPay);
  } else {
    world.Advance(session, SessionStep::kDecline, LowerCase(outcome));
  }
  Response response;
  response.body = session.json;
  return response;
}

Response CreateSimulatedDevice(World& world, Merchant& merchant, const Request& request) {
  Response problem;
  const auto body = Body::Parse(request, &problem);
  if (body == nullptr) return problem;
  Fields& fields = body->fields();
  Device device;
  device.name = fields.NonBlank("name", kRequired).value_or(std::string());
  device.location_id = fields.Uuid("location_id", kOptional).value_or(std::string());
  if (!device.location_id.empty() && merchant.locations.Find(device.location_id) == nullptr) {
    fields.Error("location_id", "is not a location of this merchant");
  }
  device.metadata = fields.StringMap("metadata");
  if (!body->errors().empty()) return ValidationProblem(body->errors());
  if (merchant.devices.full()) return FullProblem();

  device.id = world.ids().Uuid();
  device.merchant_id = merchant.id;
  device.hardware_id = world.ids().HardwareId();
  device.platform = "TERMINAL";
  device.metadata["simulated"] = "true";
  device.created_at = world.clock().Now();
  JsonWriter json;
  Render(merchant.devices.Add(std::move(device)), json);
  Response response;
  response.status = 201;
  response.body = json.Take();
  return response;
}

}  // namespace ipp::simulator
