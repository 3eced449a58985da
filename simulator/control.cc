#include "simulator/control.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "simulator/fields.h"
#include "simulator/problem.h"
#include "simulator/render.h"

namespace ipp::simulator {
namespace {

Response JsonResponse(int status, std::string body) {
  Response response;
  response.status = status;
  response.body = std::move(body);
  return response;
}

Response NoContent() { return JsonResponse(204, {}); }

constexpr int64_t kMax = std::numeric_limits<int64_t>::max();

int64_t Count(size_t size) { return static_cast<int64_t>(size); }

void RenderMerchant(const Merchant& merchant, size_t session_limit, JsonWriter& json) {
  json.BeginObject();
  json.Key("merchant_id").String(merchant.id);
  json.Key("counts").BeginObject();
  json.Key("locations").Integer(Count(merchant.locations.items().size()));
  json.Key("devices").Integer(Count(merchant.devices.items().size()));
  json.Key("enrollments").Integer(Count(merchant.enrollments.items().size()));
  json.Key("sessions").Integer(Count(merchant.sessions.items().size()));
  json.EndObject();
  json.Key("sessions").BeginArray();
  const auto& sessions = merchant.sessions.items();
  for (size_t i = sessions.size() - std::min(sessions.size(), session_limit); i < sessions.size();
       ++i) {
    json.Raw(sessions[i]->json);
  }
  json.EndArray();
  json.EndObject();
}

void RenderTruth(const Session& session, size_t sequence, JsonWriter& json) {
  const auto text = [&](std::string_view key, const std::string& value) {
    json.Key(key);
    value.empty() ? json.Null() : json.String(value);
  };
  json.BeginObject();
  json.Key("sequence").Integer(Count(sequence));
  json.Key("session_id").String(session.id);
  json.Key("merchant_id").String(session.merchant_id);
  json.Key("status").String(Name(session.status));
  json.Key("device_id").String(session.device_id);
  text("order_id", session.order_id);
  json.Key("order_amount").Integer(session.order_amount);
  text("merchant_reference1", session.merchant_reference1.value_or(std::string()));
  text("merchant_reference2", session.merchant_reference2.value_or(std::string()));
  json.Key("history").BeginArray();
  for (const Session::Step& step : session.history) {
    json.BeginObject();
    json.Key("status").String(Name(step.status));
    json.Key("at").String(FormatNanos(step.at));
    json.EndObject();
  }
  json.EndArray();
  json.EndObject();
}

}  // namespace

const std::vector<Control::Route>& Control::Routes() {
  static const std::vector<Route> routes = {
      {"GET", "/_sim/state", &Control::GetState},
      {"GET", "/_sim/sessions", &Control::ListSessions},
      {"POST", "/_sim/sessions/{}/activate", &Control::Activate},
      {"POST", "/_sim/sessions/{}/clerk-cancel", &Control::ClerkCancel},
      {"POST", "/_sim/sessions/{}/expire", &Control::Expire},
      {"POST", "/_sim/sessions/{}/fail", &Control::Fail},
      {"POST", "/_sim/enrollments/{}/consume", &Control::Consume},
      {"POST", "/_sim/locations", &Control::AddLocation},
      {"POST", "/_sim/clock/advance", &Control::AdvanceClock},
      {"GET", "/_sim/requests", &Control::ListRequests},
      {"DELETE", "/_sim/requests", &Control::ClearRequests},
      {"DELETE", "/_sim/connections", &Control::CloseConnections},
      {"GET", "/_sim/webhooks", &Control::ListWebhooks},
      {"PUT", "/_sim/webhooks", &Control::SetWebhooks},
      {"POST", "/_sim/webhooks/{}/resend", &Control::Resend},
      {"GET", "/_sim/faults", &Control::ListFaults},
      {"PUT", "/_sim/faults", &Control::ReplaceFaults},
      {"POST", "/_sim/faults", &Control::AppendFaults},
      {"DELETE", "/_sim/faults", &Control::ClearFaults},
      {"GET", "/_sim/dialects", &Control::ListDialects},
      {"PUT", "/_sim/dialects", &Control::SetDialects},
      {"GET", "/_sim/terminal", &Control::TerminalPage},
      {"GET", "/_sim/terminal.css", &Control::TerminalStyle},
      {"GET", "/_sim/terminal.js", &Control::TerminalScript},
      {"GET", "/_sim/terminal_words.js", &Control::TerminalWords},
      {"GET", "/_sim/terminal_webhooks.js", &Control::TerminalWebhooks},
      {"GET", "/_sim/terminal.svg", &Control::TerminalIcon},
      {"GET", "/_sim/devices", &Control::ListDevices},
      {"POST", "/_sim/devices", &Control::AddDevice},
      {"GET", "/_sim/devices/{}/sessions", &Control::ListDeviceSessions},
      {"POST", "/_sim/sessions", &Control::AddSession},
      {"GET", "/_sim/tap-outcomes", &Control::ListTapOutcomes},
      {"POST", "/_sim/sessions/{}/tap", &Control::TapSession},
  };
  return routes;
}

Response Control::Handle(const Request& request) {
  if (request.Path() == "/_sim/") {
    Response response = JsonResponse(302, {});
    response.headers.emplace_back("Location", "/_sim/terminal");
    return response;
  }
  const auto match = FindRoute(Routes(), request.method, request.Path());
  if (match.route == nullptr) {
    if (match.allow.empty()) return NotFoundProblem("Path");
    Response response = ProblemResponse(405, "Method Not Allowed",
                                        "This path does not know the method of the request.");
    response.headers.emplace_back("Allow", match.allow);
    return response;
  }
  auto query = Query::Parse(request.RawQuery());
  if (!query) {
    return ProblemResponse(400, "Bad Request", "The query has a broken percent sequence.");
  }
  Call call{request, std::string(match.id), std::move(*query), {}};
  return (this->*match.route->handler)(call);
}

Response Control::GetState(Call& call) {
  const int64_t limit = call.query.Integer("limit", 100, 0, 100'000, &call.errors);
  if (!call.errors.empty()) return ValidationProblem(call.errors);
  JsonWriter json;
  json.BeginObject();
  json.Key("now").String(FormatSeconds(world_.clock().Now()));
  json.Key("clock_offset_seconds").Integer(world_.clock().offset().count());
  json.Key("requests").Integer(static_cast<int64_t>(requests_.count()));
  json.Key("webhooks");
  webhooks_.RenderCounts(json);
  json.Key("merchants").BeginArray();
  for (const auto& merchant : world_.merchants()) {
    for (const auto& session : merchant->sessions.items()) world_.Settle(*session);
    RenderMerchant(*merchant, static_cast<size_t>(limit), json);
  }
  json.EndArray();
  json.EndObject();
  return JsonResponse(200, json.Take());
}

Response Control::ListSessions(Call& call) {
  const int64_t after = call.query.Integer("after", 0, 0, kMax, &call.errors);
  int64_t limit = call.query.Integer("limit", 1000, 0, kMax, &call.errors);
  const std::string* reference = call.query.Find("merchant_reference1");
  if (!call.errors.empty()) return ValidationProblem(call.errors);
  const auto& sessions = world_.sessions();
  JsonWriter json;
  json.BeginObject();
  json.Key("total").Integer(Count(sessions.size()));
  json.Key("sessions").BeginArray();
  for (size_t i = static_cast<size_t>(after); i < sessions.size() && limit > 0; ++i) {
    if (reference != nullptr && sessions[i]->merchant_reference1 != *reference) continue;
    world_.Settle(*sessions[i]);
    RenderTruth(*sessions[i], i + 1, json);
    --limit;
  }
  json.EndArray();
  json.EndObject();
  return JsonResponse(200, json.Take());
}

Session* Control::FindSession(std::string_view id) {
  for (const auto& merchant : world_.merchants()) {
    Session* session = merchant->sessions.Find(LowerCase(id));
    if (session == nullptr) continue;
    world_.Settle(*session);
    return session;
  }
  return nullptr;
}

Response Control::Step(Call& call, SessionStep step) {
  Session* session = FindSession(call.id);
  if (session == nullptr) return NotFoundProblem("Session");
  if (!world_.Advance(*session, step)) {
    return ConflictProblem("The session is " + std::string(Name(session->status)) + ".");
  }
  return JsonResponse(200, session->json);
}

Response Control::Consume(Call& call) {
  for (const auto& merchant : world_.merchants()) {
    for (const auto& enrollment : merchant->enrollments.items()) {
      if (enrollment->code != call.id) continue;
      if (enrollment->StatusAt(world_.clock().Now()) != EnrollmentStatus::kPending) {
        return ConflictProblem("The enrollment is not pending any more.");
      }
      if (merchant->devices.full()) return FullProblem();
      const Device& device = world_.Consume(*merchant, *enrollment);
      JsonWriter json;
      Render(device, json, world_.ids().BearerToken());
      return JsonResponse(201, json.Take());
    }
  }
  return NotFoundProblem("Enrollment");
}

Response Control::AddLocation(Call& call) {
  Response problem;
  const auto body = Body::Parse(call.request, &problem);
  if (body == nullptr) return problem;
  Fields& fields = body->fields();
  const auto text = [&](std::string_view name) {
    return fields.String(name, kOptional).value_or(std::string());
  };
  Merchant* merchant = world_.merchants().front().get();
  if (const auto id = fields.String("merchant_id", kOptional)) merchant = world_.FindMerchant(*id);
  if (merchant == nullptr) fields.Error("merchant_id", "is not known");
  Location location;
  location.id = world_.ids().Uuid();
  location.name = fields.NonBlank("name", kRequired).value_or(std::string());
  location.street_address = text("street_address");
  location.street_address2 = text("street_address2");
  location.postal_code = text("postal_code");
  location.city = text("city");
  location.country = text("country");
  if (!body->errors().empty()) return ValidationProblem(body->errors());
  if (merchant->locations.full()) return FullProblem();
  JsonWriter json;
  Render(world_.AddLocation(*merchant, std::move(location)), json);
  return JsonResponse(201, json.Take());
}

Response Control::AdvanceClock(Call& call) {
  constexpr int64_t kTenYears = int64_t{10} * 366 * 24 * 3600;
  Response problem;
  const auto body = Body::Parse(call.request, &problem);
  if (body == nullptr) return problem;
  const auto seconds = body->fields().Integer("seconds", kRequired);
  if (seconds && (*seconds < 0 || *seconds > kTenYears)) {
    body->fields().Error("seconds", "must be between 0 and ten years");
  }
  if (!body->errors().empty()) return ValidationProblem(body->errors());
  world_.clock().Advance(std::chrono::seconds(*seconds));
  JsonWriter json;
  json.BeginObject();
  json.Key("now").String(FormatSeconds(world_.clock().Now()));
  json.Key("clock_offset_seconds").Integer(world_.clock().offset().count());
  json.EndObject();
  return JsonResponse(200, json.Take());
}

Response Control::ListRequests(Call& call) {
  const int64_t after = call.query.Integer("after", 0, 0, kMax, &call.errors);
  const int64_t limit = call.query.Integer("limit", kMax, 0, kMax, &call.errors);
  if (!call.errors.empty()) return ValidationProblem(call.errors);
  return JsonResponse(200,
                      requests_.Render(static_cast<uint64_t>(after), static_cast<size_t>(limit),
                                       call.query.Find("merchant_reference1")));
}

Response Control::ClearRequests(Call&) {
  requests_.Clear();
  return NoContent();
}

Response Control::CloseConnections(Call&) {
  JsonWriter json;
  json.BeginObject();
  json.Key("closed").Integer(close_unused_());
  json.EndObject();
  return JsonResponse(200, json.Take());
}

Response Control::ListWebhooks(Call& call) {
  const int64_t after = call.query.Integer("after", 0, 0, kMax, &call.errors);
  const int64_t limit = call.query.Integer("limit", kMax, 0, kMax, &call.errors);
  const auto text = [&](std::string_view name) {
    const std::string* value = call.query.Find(name);
    return value == nullptr ? std::string() : *value;
  };
  if (!call.errors.empty()) return ValidationProblem(call.errors);
  return JsonResponse(
      200, webhooks_.RenderDeliveries(static_cast<uint64_t>(after), static_cast<size_t>(limit),
                                      text("state"), LowerCase(text("session_id")),
                                      text("detail") == "true"));
}

Response Control::SetWebhooks(Call& call) {
  Response problem;
  const auto body = Body::Parse(call.request, &problem);
  if (body == nullptr) return problem;
  std::vector<Url> urls;
  for (const std::string& text :
       body->fields().Strings("urls").value_or(std::vector<std::string>())) {
    const auto url = Url::Parse(text);
    if (url) {
      urls.push_back(*url);
    } else {
      body->fields().Error("urls", "must be http URLs");
    }
  }
  if (!body->errors().empty()) return ValidationProblem(body->errors());
  webhooks_.SetDestinations(urls);
  return NoContent();
}

Response Control::Resend(Call& call) {
  if (!webhooks_.Resend(call.id)) return NotFoundProblem("Event");
  return JsonResponse(202, "{}");
}

}  // namespace ipp::simulator
