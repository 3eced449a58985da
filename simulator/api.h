#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "simulator/authorization.h"
#include "simulator/http.h"
#include "simulator/uri.h"
#include "simulator/world.h"

namespace ipp::simulator {

// The operations under /ipp/v1. Checks in this order: authorization (401), path (404), verb (405),
// the merchant header and the query (400), the body (415, 400), the resource itself (404, 409).
class Api {
 public:
  struct Options {
    bool strict_tax = false;  // the tax of an order's lines is checked
    bool production = false;  // the /dev operations do not exist
  };

  Api(World& world, const Authorizer& authorizer, const Options& options)
      : world_(world), authorizer_(authorizer), options_(options) {}

  struct Answer {
    Response response;
    AuthorizationForm form = AuthorizationForm::kNone;
    std::string session_id;  // of a session that the request created
  };
  Answer Handle(const Request& request);

  // The form of the request's authorization; for requests that are not handled.
  AuthorizationForm FormOf(const Request& request) const;

  // The names of the operations, and the one that a request is for; empty: none.
  static std::vector<std::string_view> Operations();
  static std::string_view OperationOf(const Request& request);

 private:
  struct Call {
    const Request& request;
    Merchant& merchant;
    std::string id;  // from the path, lower case
    Query query;
    FieldErrors errors;
    std::string created_session_id;
  };
  struct Route {
    std::string_view method;
    std::string_view pattern;
    std::string_view operation;
    Response (Api::*handler)(Call&);
    bool needs_merchant_header = false;
    bool playground_only = false;
  };
  static const std::vector<Route>& Routes();

  Response Dispatch(const Request& request, Merchant& merchant, std::string* created_session_id);

  Response CreateEnrollment(Call& call);
  Response ListEnrollments(Call& call);
  Response DeleteEnrollment(Call& call);
  Response ListLocations(Call& call);
  Response GetLocation(Call& call);
  Response ListDevices(Call& call);
  Response UpdateDevice(Call& call);
  Response DeleteDevice(Call& call);
  Response CreateSimulatedDevice(Call& call);
  Response CreateSession(Call& call);
  Response GetSession(Call& call);
  Response CancelSession(Call& call);
  Response SimulateTap(Call& call);

  // Null if the merchant has no such session; settled otherwise.
  Session* FindSession(Call& call);

  World& world_;
  const Authorizer& authorizer_;
  const Options options_;
};

// The `metadata=key:value` parameters: at most five, each key once.
Metadata ReadMetadataFilter(const Query& query, FieldErrors* errors);
bool HasAll(const Metadata& metadata, const Metadata& wanted);

}  // namespace ipp::simulator
