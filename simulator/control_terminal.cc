#include <algorithm>
#include <string>
#include <unordered_map>

#include "simulator/control.h"
#include "simulator/order.h"
#include "simulator/playground.h"
#include "simulator/problem.h"
#include "simulator/render.h"
#include "simulator/terminal.h"

namespace ipp::simulator {
namespace {

// The page polls each second, so this bounds the cost of a long run with many sessions.
constexpr size_t kSessionsLookedAt = 10'000;

// Only its own files, no frame around it, and nothing that turns text into HTML: the text of an
// order is untrusted data.
constexpr std::string_view kContentSecurityPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'";

constexpr std::string_view kJavaScript = "text/javascript; charset=utf-8";

Response FileResponse(std::string_view content_type, std::string_view text) {
  Response response;
  response.content_type = content_type;
  response.body = std::string(text);
  response.headers = {{"Content-Security-Policy", std::string(kContentSecurityPolicy)},
                      {"X-Content-Type-Options", "nosniff"},
                      {"Referrer-Policy", "no-referrer"},
                      {"Cache-Control", "no-cache"}};
  return response;
}

void StringOrNull(JsonWriter& json, std::string_view key, const std::string& value) {
  json.Key(key);
  value.empty() ? json.Null() : json.String(value);
}

void RenderAtTerminal(const Session& session, JsonWriter& json) {
  json.BeginObject();
  json.Key("session").Raw(session.json);
  StringOrNull(json, "failure_reason", session.failure_reason);
  json.Key("created_at").String(FormatSeconds(session.created_at));
  json.EndObject();
}

void RenderPhone(const Device& device, const Merchant& merchant, int64_t open_sessions,
                 JsonWriter& json) {
  const Location* location = merchant.locations.Find(device.location_id);
  json.BeginObject();
  json.Key("id").String(device.id);
  json.Key("merchant_id").String(merchant.id);
  json.Key("name").String(device.name);
  StringOrNull(json, "location_name", location == nullptr ? std::string() : location->name);
  json.Key("open_sessions").Integer(open_sessions);
  json.EndObject();
}

Response JsonResponse(JsonWriter& json) {
  Response response;
  response.body = json.Take();
  return response;
}

}  // namespace

Response Control::TerminalPage(Call&) {
  return FileResponse("text/html; charset=utf-8", kTerminalHtml);
}
Response Control::TerminalStyle(Call&) {
  return FileResponse("text/css; charset=utf-8", kTerminalCss);
}
Response Control::TerminalScript(Call&) { return FileResponse(kJavaScript, kTerminalJs); }
Response Control::TerminalWords(Call&) { return FileResponse(kJavaScript, kTerminalWordsJs); }
Response Control::TerminalWebhooks(Call&) { return FileResponse(kJavaScript, kTerminalWebhooksJs); }
Response Control::TerminalIcon(Call&) { return FileResponse("image/svg+xml", kTerminalSvg); }

// The newest devices of each merchant.
Response Control::ListDevices(Call& call) {
  const int64_t limit = call.query.Integer("limit", 200, 0, 100'000, &call.errors);
  if (!call.errors.empty()) return ValidationProblem(call.errors);
  std::unordered_map<std::string_view, int64_t> open_sessions;
  const auto& sessions = world_.sessions();
  for (size_t i = sessions.size() - std::min(sessions.size(), kSessionsLookedAt);
       i < sessions.size(); ++i) {
    world_.Settle(*sessions[i]);
    if (!IsFinal(sessions[i]->status)) ++open_sessions[sessions[i]->device_id];
  }
  JsonWriter json;
  json.BeginObject();
  json.Key("devices").BeginArray();
  for (const auto& merchant : world_.merchants()) {
    const auto& devices = merchant->devices.items();
    for (size_t i = devices.size() - std::min(devices.size(), static_cast<size_t>(limit));
         i < devices.size(); ++i) {
      RenderPhone(*devices[i], *merchant, open_sessions[devices[i]->id], json);
    }
  }
  json.EndArray();
  json.EndObject();
  return JsonResponse(json);
}

Response Control::AddDevice(Call& call) {
  Merchant* merchant = world_.merchants().front().get();
  if (const std::string* id = call.query.Find("merchant_id")) merchant = world_.FindMerchant(*id);
  if (merchant == nullptr) return NotFoundProblem("Merchant");
  return CreateSimulatedDevice(world_, *merchant, call.request);
}

// Newest first.
Response Control::ListDeviceSessions(Call& call) {
  int64_t limit = call.query.Integer("limit", 10, 0, 1000, &call.errors);
  if (!call.errors.empty()) return ValidationProblem(call.errors);
  const std::string id = LowerCase(call.id);
  const auto& merchants = world_.merchants();
  if (std::none_of(merchants.begin(), merchants.end(),
                   [&](const auto& merchant) { return merchant->devices.Find(id) != nullptr; })) {
    return NotFoundProblem("Device");
  }
  const auto& sessions = world_.sessions();
  JsonWriter json;
  json.BeginObject();
  json.Key("sessions").BeginArray();
  for (size_t age = 0; age < std::min(sessions.size(), kSessionsLookedAt) && limit > 0; ++age) {
    Session& session = *sessions[sessions.size() - 1 - age];
    if (session.device_id != id) continue;
    world_.Settle(session);
    RenderAtTerminal(session, json);
    --limit;
  }
  json.EndArray();
  json.EndObject();
  return JsonResponse(json);
}

// A payment request as by the API, for a shop that has none of its own to send it. The device says
// whose it is.
Response Control::AddSession(Call& call) {
  Response problem;
  const auto body = Body::Parse(call.request, &problem);
  if (body == nullptr) return problem;
  Session session = ReadOrder(body->fields(), /*strict_tax=*/false);
  if (!body->errors().empty()) return ValidationProblem(body->errors());
  for (const auto& merchant : world_.merchants()) {
    if (merchant->devices.Find(session.device_id) == nullptr) continue;
    if (merchant->sessions.full()) return FullProblem();
    Response response;
    response.body = world_.AddSession(*merchant, std::move(session)).json;
    return response;
  }
  return NotFoundProblem("Device");
}

Response Control::ListTapOutcomes(Call&) {
  JsonWriter json;
  json.BeginObject();
  json.Key("outcomes").BeginArray();
  for (const std::string_view outcome : TapOutcomes()) json.String(outcome);
  json.EndArray();
  json.EndObject();
  return JsonResponse(json);
}

Response Control::TapSession(Call& call) {
  const std::string* given = call.query.Find("outcome");
  const auto& outcomes = TapOutcomes();
  const std::string outcome = given == nullptr ? std::string(outcomes.front()) : *given;
  if (std::find(outcomes.begin(), outcomes.end(), outcome) == outcomes.end()) {
    call.errors.Add("outcome", "is not a known outcome");
    return ValidationProblem(call.errors);
  }
  Session* session = FindSession(call.id);
  return session == nullptr ? NotFoundProblem("Session") : Tap(world_, *session, outcome);
}

}  // namespace ipp::simulator
