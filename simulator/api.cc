#include "simulator/api.h"

#include <utility>

#include "simulator/problem.h"

namespace ipp::simulator {

const std::vector<Api::Route>& Api::Routes() {
  constexpr bool kMerchantHeader = true;
  constexpr bool kPlayground = true;
  static const std::vector<Route> routes = {
      {"GET", "/ipp/v1/sessions/{}", "get_session", &Api::GetSession},
      {"POST", "/ipp/v1/sessions", "create_session", &Api::CreateSession},
      {"PUT", "/ipp/v1/sessions/{}/cancel", "cancel_session", &Api::CancelSession},
      {"GET", "/ipp/v1/enrollments", "list_enrollments", &Api::ListEnrollments, kMerchantHeader},
      {"POST", "/ipp/v1/enrollments", "create_enrollment", &Api::CreateEnrollment},
      {"DELETE", "/ipp/v1/enrollments/{}", "delete_enrollment", &Api::DeleteEnrollment},
      {"GET", "/ipp/v1/locations", "list_locations", &Api::ListLocations, kMerchantHeader},
      {"GET", "/ipp/v1/locations/{}", "get_location", &Api::GetLocation, kMerchantHeader},
      {"GET", "/ipp/v1/devices", "list_devices", &Api::ListDevices, kMerchantHeader},
      {"PUT", "/ipp/v1/devices/{}", "update_device", &Api::UpdateDevice},
      {"DELETE", "/ipp/v1/devices/{}", "delete_device", &Api::DeleteDevice},
      {"POST", "/ipp/v1/dev/devices", "create_simulated_device", &Api::CreateSimulatedDevice, false,
       kPlayground},
      {"POST", "/ipp/v1/dev/sessions/{}/simulate-tap", "simulate_tap", &Api::SimulateTap, false,
       kPlayground},
  };
  return routes;
}

Api::Answer Api::Handle(const Request& request) {
  Answer answer;
  Merchant* merchant = authorizer_.Check(request.Header("authorization"), &answer.form);
  if (merchant == nullptr) {
    answer.response = ProblemResponse(401, "Unauthorized", "Access Denied");
    answer.response.headers.emplace_back("WWW-Authenticate", "Basic");
  } else {
    answer.response = Dispatch(request, *merchant, &answer.session_id);
  }
  return answer;
}

AuthorizationForm Api::FormOf(const Request& request) const {
  AuthorizationForm form = AuthorizationForm::kNone;
  authorizer_.Check(request.Header("authorization"), &form);
  return form;
}

std::vector<std::string_view> Api::Operations() {
  std::vector<std::string_view> names;
  for (const Route& route : Routes()) names.push_back(route.operation);
  return names;
}

std::string_view Api::OperationOf(const Request& request) {
  const auto match = FindRoute(Routes(), request.method, request.Path());
  return match.route == nullptr ? std::string_view() : match.route->operation;
}

Response Api::Dispatch(const Request& request, Merchant& merchant,
                       std::string* created_session_id) {
  const auto match = FindRoute(Routes(), request.method, request.Path());
  if (match.route == nullptr && !match.allow.empty()) {
    Response response = ProblemResponse(405, "Method Not Allowed",
                                        "This path does not know the method of the request.");
    response.headers.emplace_back("Allow", match.allow);
    return response;
  }
  if (match.route == nullptr || (match.route->playground_only && options_.production)) {
    return NotFoundProblem("Path");
  }
  auto query = Query::Parse(request.RawQuery());
  if (!query) {
    return ProblemResponse(400, "Bad Request", "The query has a broken percent sequence.");
  }
  Call call{request, merchant, LowerCase(match.id), std::move(*query), {}, {}};
  if (match.route->needs_merchant_header && request.Header("x-merchant-id").empty()) {
    call.errors.Add("x-merchant-id", "must not be empty");
    return ValidationProblem(call.errors);
  }
  Response response = (this->*match.route->handler)(call);
  *created_session_id = std::move(call.created_session_id);
  return response;
}

Metadata ReadMetadataFilter(const Query& query, FieldErrors* errors) {
  constexpr size_t kMaxFilters = 5;
  const auto filters = query.All("metadata");
  Metadata wanted;
  if (filters.size() > kMaxFilters) errors->Add("metadata", "at most 5 filters are allowed");
  for (const std::string_view filter : filters) {
    const size_t colon = filter.find(':');
    if (colon == std::string_view::npos || colon == 0) {
      errors->Add("metadata", "must have the form key:value");
    } else if (!wanted.emplace(filter.substr(0, colon), filter.substr(colon + 1)).second) {
      errors->Add("metadata", "a key may appear only once");
    }
  }
  return wanted;
}

bool HasAll(const Metadata& metadata, const Metadata& wanted) {
  for (const auto& [key, value] : wanted) {
    const auto found = metadata.find(key);
    if (found == metadata.end() || found->second != value) return false;
  }
  return true;
}

}  // namespace ipp::simulator
