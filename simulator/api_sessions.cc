#include <algorithm>

#include "simulator/api.h"
#include "simulator/fields.h"
#include "simulator/order.h"
#include "simulator/playground.h"

namespace ipp::simulator {
namespace {

Response SessionResponse(const Session& session) {
  Response response;
  response.body = session.json;
  return response;
}

}  // namespace

Session* Api::FindSession(Call& call) {
  Session* session = call.merchant.sessions.Find(call.id);
  if (session != nullptr) world_.Settle(*session);
  return session;
}

Response Api::CreateSession(Call& call) {
  const std::string location_id = call.query.Uuid("location_id", &call.errors);
  if (!call.errors.empty()) return ValidationProblem(call.errors);
  Response problem;
  const auto body = Body::Parse(call.request, &problem);
  if (body == nullptr) return problem;
  Session session = ReadOrder(body->fields(), options_.strict_tax);
  if (!body->errors().empty()) return ValidationProblem(body->errors());
  if (call.merchant.devices.Find(session.device_id) == nullptr) return NotFoundProblem("Device");
  if (!location_id.empty() && call.merchant.locations.Find(location_id) == nullptr) {
    return NotFoundProblem("Location");
  }
  if (call.merchant.sessions.full()) return FullProblem();
  const Session& added = world_.AddSession(call.merchant, std::move(session));
  call.created_session_id = added.id;
  return SessionResponse(added);
}

Response Api::GetSession(Call& call) {
  const Session* session = FindSession(call);
  return session == nullptr ? NotFoundProblem("Session") : SessionResponse(*session);
}

Response Api::CancelSession(Call& call) {
  Session* session = FindSession(call);
  if (session == nullptr) return NotFoundProblem("Session");
  if (session->status != SessionStatus::kCancelled &&
      !world_.Advance(*session, SessionStep::kCancel)) {
    return ConflictProblem("The session is already " + std::string(Name(session->status)) + ".");
  }
  return SessionResponse(*session);
}

Response Api::SimulateTap(Call& call) {
  const std::string* given = call.query.Find("outcome");
  const auto& outcomes = TapOutcomes();
  const std::string outcome = given == nullptr ? std::string(outcomes.front()) : *given;
  if (!IsUuid(call.id)) call.errors.Add("sessionId", "must be a UUID");
  if (std::find(outcomes.begin(), outcomes.end(), outcome) == outcomes.end()) {
    call.errors.Add("outcome", "is not a known outcome");
  }
  if (!call.errors.empty()) return ValidationProblem(call.errors);
  Session* session = FindSession(call);
  return session == nullptr ? NotFoundProblem("Session") : Tap(world_, *session, outcome);
}

}  // namespace ipp::simulator
