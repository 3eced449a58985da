#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"
#include "kustom/ipp/v1/annotations.pb.h"
#include "server/json/message_json.h"
#include "server/routes/page.pb.h"
#include "server/routes/path_template.h"

// The REST call of each RPC, compiled once from the contract's `route` options.
namespace ipp::routes {

// A page of the upstream, counted from zero.
struct PageQuery {
  int32_t number = 0;
  int32_t size = 20;
};

struct RestRequest {
  std::string target;  // path and query, percent-encoded
  std::string body;    // JSON; empty if the route has none
};

// The route of one RPC. Immutable, thread-safe.
class Route {
 public:
  // "kustom.ipp.v1.DeviceService/GetDevice"
  const std::string& name() const { return name_; }
  const google::protobuf::MethodDescriptor* method() const { return method_; }
  const kustom::ipp::v1::Route& options() const { return options_; }
  // False for an RPC that the gateway answers itself.
  bool is_rest() const { return path_.has_value(); }
  bool is_paged() const { return response_ != nullptr && response_->is_repeated(); }
  bool is_read() const { return options_.repeat() == kustom::ipp::v1::REPEAT_READ; }
  // Whether the RPC changes something upstream.
  bool is_change() const { return is_rest() && !is_read(); }

  // Builds the REST request; `page` is for a paged route. INVALID_ARGUMENT with a BadRequest if a
  // path variable has a value that cannot be sent.
  absl::StatusOr<RestRequest> Build(const google::protobuf::Message& request,
                                    const std::optional<PageQuery>& page = std::nullopt) const;

  bool Succeeded(int http_code) const;

  // The number of items in the response of a paged route.
  int ItemCount(const google::protobuf::Message& response) const;

  // Reads the body of a success into `response` (of the RPC's response type); for a paged route,
  // reads the members around the items into `envelope`. Reads leniently (json::Read). Fails if the
  // body is not a JSON object, if the items of a page are not a list of objects, or if the
  // resource, or an item of the page, lacks a field that the contract calls `needed`.
  absl::Status ReadAnswer(absl::string_view text, google::protobuf::Message* response,
                          PageEnvelope* envelope, json::ReadOptions options) const;

 private:
  friend class RouteTable;
  using Field = const google::protobuf::FieldDescriptor*;
  struct Needed {
    Field field;
    Field raw;  // its `raw_of` sibling, or null
  };

  static absl::StatusOr<Route> Compile(const google::protobuf::MethodDescriptor* method);
  absl::Status CompileRest();
  absl::Status CompileRequestFields();
  absl::Status CompileResponse();
  // The name of a needed field that `resource` lacks; empty if none is missing.
  absl::string_view MissingFrom(const google::protobuf::Message& resource) const;
  absl::Status Bind(absl::string_view field_name, absl::string_view role);

  std::string name_;
  const google::protobuf::MethodDescriptor* method_ = nullptr;
  kustom::ipp::v1::Route options_;
  std::optional<PathTemplate> path_;
  std::vector<Field> path_fields_;
  std::vector<Field> query_fields_;
  std::vector<Field> body_fields_;  // the body's fields if `body` is `*`
  Field body_ = nullptr;            // the body's field if `body` names one
  Field response_ = nullptr;
  std::vector<Needed> needed_;                // of the resource that response_ holds
  std::map<std::string, std::string> roles_;  // request field → where it is sent
};

class RouteTable {
 public:
  // Compiles every method of the services. Fails with "RPC: what is wrong" if a route is missing,
  // contradicts the messages, leaves a request field unbound, or names no permission.
  static absl::StatusOr<std::unique_ptr<RouteTable>> Compile(
      const std::vector<const google::protobuf::ServiceDescriptor*>& services);

  // The services of kustom.ipp.v1.
  static absl::StatusOr<std::unique_ptr<RouteTable>> CompileContract();

  // The route by its name, "kustom.ipp.v1.DeviceService/GetDevice"; nullptr if there is none.
  const Route* Find(absl::string_view name) const;
  // All routes, ordered by name.
  const std::map<std::string, Route, std::less<>>& routes() const { return routes_; }
  // Every permission that a route names, sorted.
  std::vector<std::string> Permissions() const;
  // One line per route, for the golden file.
  std::string Describe() const;

 private:
  std::map<std::string, Route, std::less<>> routes_;
};

}  // namespace ipp::routes
