#include "server/routes/route_table.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "google/protobuf/reflection.h"
#include "kustom/ipp/v1/device.pb.h"
#include "kustom/ipp/v1/enrollment.pb.h"
#include "kustom/ipp/v1/location.pb.h"
#include "kustom/ipp/v1/outcome.pb.h"
#include "kustom/ipp/v1/report.pb.h"
#include "kustom/ipp/v1/session.pb.h"
#include "kustom/ipp/v1/session_event.pb.h"
#include "kustom/ipp/v1/session_history.pb.h"
#include "kustom/ipp/v1/shared_subscription.pb.h"
#include "kustom/ipp/v1/simulation.pb.h"
#include "server/base/status_macros.h"

namespace ipp::routes {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
namespace v1 = kustom::ipp::v1;

constexpr char kItemsKey[] = "content";

bool IsStringMap(const FieldDescriptor* field) {
  return field->is_map() &&
         field->message_type()->map_key()->cpp_type() == FieldDescriptor::CPPTYPE_STRING &&
         field->message_type()->map_value()->cpp_type() == FieldDescriptor::CPPTYPE_STRING;
}

bool CanBeQuery(const FieldDescriptor* field) {
  if (IsStringMap(field)) return true;
  if (field->is_repeated()) return false;
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
    case FieldDescriptor::CPPTYPE_BOOL:
    case FieldDescriptor::CPPTYPE_INT32:
    case FieldDescriptor::CPPTYPE_INT64:
    case FieldDescriptor::CPPTYPE_ENUM:
      return true;
    default:
      return false;
  }
}

absl::Status NeededButMissing(absl::string_view path) {
  return absl::InvalidArgumentError(absl::StrCat(path, ": missing, or not readable"));
}

bool IsPresent(const Message& message, const FieldDescriptor* field) {
  return message.GetReflection()->HasField(message, field);
}

std::string ScalarText(const Message& message, const FieldDescriptor* field) {
  const Reflection* reflection = message.GetReflection();
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_BOOL:
      return reflection->GetBool(message, field) ? "true" : "false";
    case FieldDescriptor::CPPTYPE_INT32:
      return absl::StrCat(reflection->GetInt32(message, field));
    case FieldDescriptor::CPPTYPE_INT64:
      return absl::StrCat(reflection->GetInt64(message, field));
    case FieldDescriptor::CPPTYPE_ENUM: {
      const int number = reflection->GetEnumValue(message, field);
      const auto* value = field->enum_type()->FindValueByNumber(number);
      return value != nullptr ? json::EnumWord(value) : absl::StrCat(number);
    }
    default:
      return reflection->GetString(message, field);
  }
}

void AppendQuery(absl::string_view name, absl::string_view value, std::string* target) {
  target->push_back(target->find('?') == std::string::npos ? '?' : '&');
  AppendPercentEncoded(name, target);
  target->push_back('=');
  AppendPercentEncoded(value, target);
}

void AppendQueryField(const Message& request, const FieldDescriptor* field, std::string* target) {
  if (!field->is_map()) {
    if (IsPresent(request, field)) AppendQuery(field->name(), ScalarText(request, field), target);
    return;
  }
  // Sorted, so that the same request always gives the same target.
  std::map<std::string, std::string> pairs;
  const auto rows = request.GetReflection()->GetRepeatedFieldRef<Message>(request, field);
  const FieldDescriptor* key = field->message_type()->map_key();
  const FieldDescriptor* value = field->message_type()->map_value();
  for (const Message& row : rows) {
    pairs[row.GetReflection()->GetString(row, key)] = row.GetReflection()->GetString(row, value);
  }
  for (const auto& [k, v] : pairs) AppendQuery(field->name(), absl::StrCat(k, ":", v), target);
}

}  // namespace

absl::Status Route::Bind(absl::string_view field_name, absl::string_view role) {
  if (method_->input_type()->FindFieldByName(std::string(field_name)) == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat(role, " names '", field_name, "', which ",
                                                   method_->input_type()->name(),
                                                   " does not have"));
  }
  const auto [it, inserted] = roles_.emplace(std::string(field_name), std::string(role));
  if (inserted) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("'", field_name, "' is bound twice: by ", it->second, " and by ", role));
}

absl::StatusOr<Route> Route::Compile(const google::protobuf::MethodDescriptor* method) {
  Route route;
  route.method_ = method;
  route.name_ = absl::StrCat(method->service()->full_name(), "/", method->name());
  if (!method->options().HasExtension(v1::route)) {
    return absl::InvalidArgumentError("has no route option");
  }
  route.options_ = method->options().GetExtension(v1::route);
  if (route.options_.permission().empty()) {
    return absl::InvalidArgumentError("route names no permission");
  }
  if (!route.options_.method().empty()) {
    IPP_RETURN_IF_ERROR(route.CompileRest());
    return route;
  }
  v1::Route permission_only;
  permission_only.set_permission(route.options_.permission());
  if (route.options_.SerializeAsString() != permission_only.SerializeAsString()) {
    return absl::InvalidArgumentError("route without a method may state its permission only");
  }
  return route;
}

absl::Status Route::CompileRest() {
  static const std::set<std::string> kMethods = {"GET", "POST", "PUT", "DELETE"};
  if (!kMethods.contains(options_.method())) {
    return absl::InvalidArgumentError(
        absl::StrCat("method '", options_.method(), "' is none of GET, POST, PUT, DELETE"));
  }
  if (method_->client_streaming() || method_->server_streaming()) {
    return absl::InvalidArgumentError("a stream cannot be one REST call");
  }
  if (options_.repeat() == v1::REPEAT_UNSPECIFIED) {
    return absl::InvalidArgumentError("route does not say what repeating it does");
  }
  if ((options_.method() == "GET") != is_read()) {
    return absl::InvalidArgumentError("GET, and nothing else, is REPEAT_READ");
  }
  if (options_.success().empty() ||
      std::any_of(options_.success().begin(), options_.success().end(),
                  [](int code) { return code < 200 || code > 299; })) {
    return absl::InvalidArgumentError("success must list codes from 200 to 299");
  }
  IPP_ASSIGN_OR_RETURN(path_, PathTemplate::Parse(options_.path()));
  IPP_RETURN_IF_ERROR(CompileRequestFields());
  return CompileResponse();
}

absl::Status Route::CompileRequestFields() {
  const google::protobuf::Descriptor* request = method_->input_type();
  for (const std::string& name : path_->variables()) {
    IPP_RETURN_IF_ERROR(Bind(name, "path"));
    path_fields_.push_back(request->FindFieldByName(name));
    if (path_fields_.back()->cpp_type() != FieldDescriptor::CPPTYPE_STRING ||
        path_fields_.back()->is_repeated()) {
      return absl::InvalidArgumentError(absl::StrCat("path variable '", name, "' is not a string"));
    }
  }
  for (const std::string& name : options_.query()) {
    IPP_RETURN_IF_ERROR(Bind(name, "query"));
    query_fields_.push_back(request->FindFieldByName(name));
    if (!CanBeQuery(query_fields_.back())) {
      return absl::InvalidArgumentError(
          absl::StrCat("query field '", name, "' has a type that no query parameter can hold"));
    }
  }
  for (const std::string& name : options_.local()) IPP_RETURN_IF_ERROR(Bind(name, "local"));
  if (!options_.body().empty() && options_.method() != "POST" && options_.method() != "PUT") {
    return absl::InvalidArgumentError(absl::StrCat(options_.method(), " has no body"));
  }
  if (!options_.body().empty() && options_.body() != "*") {
    IPP_RETURN_IF_ERROR(Bind(options_.body(), "body"));
    body_ = request->FindFieldByName(options_.body());
    if (body_->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE || body_->is_repeated()) {
      return absl::InvalidArgumentError(
          absl::StrCat("body field '", options_.body(), "' is not a message"));
    }
  }
  for (int i = 0; i < request->field_count(); ++i) {
    const Field field = request->field(i);
    if (roles_.contains(std::string(field->name()))) continue;
    if (options_.body() != "*") {
      return absl::InvalidArgumentError(
          absl::StrCat("request field '", field->name(), "' is in no path, query, body or local"));
    }
    body_fields_.push_back(field);
  }
  return absl::OkStatus();
}

absl::Status Route::CompileResponse() {
  if (options_.response().empty()) return absl::OkStatus();
  response_ = method_->output_type()->FindFieldByName(options_.response());
  if (response_ == nullptr || response_->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE ||
      response_->is_map()) {
    return absl::InvalidArgumentError(absl::StrCat("response field '", options_.response(),
                                                   "' is no message field of ",
                                                   method_->output_type()->name()));
  }
  const google::protobuf::Descriptor* resource = response_->message_type();
  for (int i = 0; i < resource->field_count(); ++i) {
    const Field field = resource->field(i);
    if (!field->options().GetExtension(v1::needed)) continue;
    needed_.push_back({field, nullptr});
    for (int j = 0; j < resource->field_count(); ++j) {
      const Field other = resource->field(j);
      if (other->options().GetExtension(v1::raw_of) == field->name()) needed_.back().raw = other;
    }
  }
  if (!is_paged()) return absl::OkStatus();
  for (const char* name : {"page_size", "page_token"}) {
    const auto role = roles_.find(name);
    if (role == roles_.end() || role->second != "local") {
      return absl::InvalidArgumentError(absl::StrCat("a page needs '", name, "' as a local field"));
    }
  }
  for (const char* name : {"next_page_token", "total_size"}) {
    if (method_->output_type()->FindFieldByName(name) == nullptr) {
      return absl::InvalidArgumentError(absl::StrCat("a page needs '", name, "' in its response"));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<RestRequest> Route::Build(const Message& request,
                                         const std::optional<PageQuery>& page) const {
  RestRequest rest;
  IPP_ASSIGN_OR_RETURN(
      rest.target, path_->Expand([&](size_t i) { return ScalarText(request, path_fields_[i]); }));
  for (const Field field : query_fields_) AppendQueryField(request, field, &rest.target);
  if (page) {
    AppendQuery("page_number", absl::StrCat(page->number), &rest.target);
    AppendQuery("page_size", absl::StrCat(page->size), &rest.target);
  }
  if (body_ != nullptr) {
    const Message& part = request.GetReflection()->GetMessage(request, body_);
    IPP_RETURN_IF_ERROR(json::Write(part, &rest.body));
  } else if (options_.body() == "*") {
    IPP_RETURN_IF_ERROR(json::Write(request, &rest.body, [this](Field field) {
      return std::find(body_fields_.begin(), body_fields_.end(), field) != body_fields_.end();
    }));
  }
  return rest;
}

bool Route::Succeeded(int http_code) const {
  return std::find(options_.success().begin(), options_.success().end(), http_code) !=
         options_.success().end();
}

int Route::ItemCount(const Message& response) const {
  return response.GetReflection()->FieldSize(response, response_);
}

absl::Status Route::ReadAnswer(absl::string_view text, Message* response, PageEnvelope* envelope,
                               json::ReadOptions options) const {
  if (response_ == nullptr) return absl::OkStatus();
  options.lenient = true;
  const Reflection* reflection = response->GetReflection();
  if (!is_paged()) {
    Message* resource = reflection->MutableMessage(response, response_);
    IPP_RETURN_IF_ERROR(json::Read(text, resource, options));
    const absl::string_view missing = MissingFrom(*resource);
    return missing.empty() ? absl::OkStatus() : NeededButMissing(missing);
  }
  IPP_RETURN_IF_ERROR(json::ReadPage(text, kItemsKey, response_, response, envelope, options));
  for (int i = 0; i < ItemCount(*response); ++i) {
    const absl::string_view missing =
        MissingFrom(reflection->GetRepeatedMessage(*response, response_, i));
    if (missing.empty()) continue;
    return NeededButMissing(absl::StrCat(kItemsKey, "[", i, "].", missing));
  }
  return absl::OkStatus();
}

absl::string_view Route::MissingFrom(const Message& resource) const {
  for (const Needed& needed : needed_) {
    if (IsPresent(resource, needed.field)) continue;
    if (needed.raw != nullptr && IsPresent(resource, needed.raw)) continue;
    return needed.field->name();
  }
  return "";
}

absl::StatusOr<std::unique_ptr<RouteTable>> RouteTable::Compile(
    const std::vector<const google::protobuf::ServiceDescriptor*>& services) {
  auto table = std::make_unique<RouteTable>();
  std::map<std::string, std::string> shapes;
  for (const google::protobuf::ServiceDescriptor* service : services) {
    for (int i = 0; i < service->method_count(); ++i) {
      const std::string rpc(service->method(i)->full_name());
      absl::StatusOr<Route> route = Route::Compile(service->method(i));
      if (!route.ok()) {
        return absl::InvalidArgumentError(absl::StrCat(rpc, ": ", route.status().message()));
      }
      if (route->is_rest()) {
        const std::string shape =
            absl::StrCat(route->options().method(), " ", route->options().path());
        const auto [other, inserted] = shapes.emplace(shape, rpc);
        if (!inserted) {
          return absl::InvalidArgumentError(
              absl::StrCat(rpc, ": '", shape, "' is already ", other->second));
        }
      }
      std::string name = route->name();
      table->routes_.emplace(std::move(name), *std::move(route));
    }
  }
  return table;
}

absl::StatusOr<std::unique_ptr<RouteTable>> RouteTable::CompileContract() {
  // Using one message of each file makes the linker include the file's descriptors.
  std::vector<const google::protobuf::ServiceDescriptor*> services;
  for (const google::protobuf::FileDescriptor* file :
       {v1::Device::descriptor()->file(), v1::Enrollment::descriptor()->file(),
        v1::Location::descriptor()->file(), v1::CreateOutcome::descriptor()->file(),
        v1::SharedSubscription::descriptor()->file(), v1::DayTotal::descriptor()->file(),
        v1::KnownSession::descriptor()->file(), v1::Session::descriptor()->file(),
        v1::SessionEvent::descriptor()->file(), v1::SimulateCardTapRequest::descriptor()->file()}) {
    for (int i = 0; i < file->service_count(); ++i) services.push_back(file->service(i));
  }
  return Compile(services);
}

const Route* RouteTable::Find(absl::string_view name) const {
  const auto it = routes_.find(std::string(name));
  return it == routes_.end() ? nullptr : &it->second;
}

std::vector<std::string> RouteTable::Permissions() const {
  std::set<std::string> found;
  for (const auto& [name, route] : routes_) found.insert(route.options().permission());
  return {found.begin(), found.end()};
}

std::string RouteTable::Describe() const {
  std::string text;
  for (const auto& [name, route] : routes_) {
    const v1::Route& o = route.options();
    absl::StrAppend(&text, name, "  needs ", o.permission());
    if (route.is_rest()) {
      absl::StrAppend(&text, "  ", o.method(), " ", o.path());
      if (!o.query().empty()) absl::StrAppend(&text, " ?", absl::StrJoin(o.query(), "&"));
      if (!o.body().empty()) absl::StrAppend(&text, "  body ", o.body());
      absl::StrAppend(&text, "  -> ", absl::StrJoin(o.success(), ","));
      if (!o.response().empty()) absl::StrAppend(&text, " ", o.response());
      if (route.is_paged()) absl::StrAppend(&text, " (page)");
      absl::StrAppend(&text, "  ", v1::Repeat_Name(o.repeat()));
      if (o.merchant_header()) absl::StrAppend(&text, " x-merchant-id");
    }
    absl::StrAppend(&text, "\n");
  }
  return text;
}

}  // namespace ipp::routes
