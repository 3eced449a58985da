#include "server/web/router.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "server/web/request_target.h"

namespace ipp::web {
namespace {

// Methods that can be applied to a resource. CONNECT is not one of them: it asks for a tunnel.
// Sources: RFC 9110 section 9.3, RFC 5789.
bool IsMethod(absl::string_view method) {
  for (const absl::string_view known :
       {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"}) {
    if (method == known) return true;
  }
  return false;
}

bool HasContentCoding(const WebRequest& request) {
  for (absl::string_view coding :
       absl::StrSplit(request.header("content-encoding"), ',', absl::SkipWhitespace())) {
    if (!absl::EqualsIgnoreCase(absl::StripAsciiWhitespace(coding), "identity")) return true;
  }
  return false;
}

std::vector<Router::Route> Normalized(std::vector<Router::Route> routes) {
  for (Router::Route& route : routes) {
    if (auto path = PathOf(route.method, route.path)) route.path = *std::move(path);
  }
  return routes;
}

WebResponse Say(int code, std::string text) {
  WebResponse response;
  response.code = code;
  response.body = std::move(text);
  return response;
}

}  // namespace

Router::Router(std::vector<Route> routes, std::string not_found)
    : routes_(Normalized(std::move(routes))), not_found_(std::move(not_found)) {}

std::vector<std::string> Router::Methods(const std::string& path) const {
  std::vector<std::string> methods;
  const auto add = [&methods](const std::string& method) {
    if (std::find(methods.begin(), methods.end(), method) == methods.end()) {
      methods.push_back(method);
    }
  };
  for (const Route& route : routes_) {
    if (path != "*" && path != route.path) continue;
    add(route.method);
    if (route.method == "GET") add("HEAD");
  }
  if (!methods.empty()) add("OPTIONS");
  return methods;
}

void Router::operator()(WebRequest request, WebReply reply) const {
  if (!IsMethod(request.method)) {
    return std::move(reply)(Say(501, "the method is not implemented\n"));
  }
  const std::vector<std::string> methods = Methods(request.path);
  if (methods.empty()) return std::move(reply)(Say(404, not_found_));
  if (request.method == "OPTIONS") {
    WebResponse response = Say(204, "");
    response.headers = {{"Allow", absl::StrJoin(methods, ", ")}};
    return std::move(reply)(std::move(response));
  }
  const std::string method = request.method == "HEAD" ? "GET" : request.method;
  const auto route = std::find_if(routes_.begin(), routes_.end(), [&](const Route& candidate) {
    return candidate.path == request.path && candidate.method == method;
  });
  if (route == routes_.end()) {
    const std::string allowed = absl::StrJoin(methods, ", ");
    WebResponse response = Say(405, "method not allowed, only " + allowed + "\n");
    response.headers = {{"Allow", allowed}};
    return std::move(reply)(std::move(response));
  }
  if (!request.body.empty() && HasContentCoding(request)) {
    WebResponse response =
        Say(415, "Content-Encoding is not supported: send the body without a content coding\n");
    response.headers = {{"Accept-Encoding", "identity"}};
    return std::move(reply)(std::move(response));
  }
  route->handler(std::move(request), std::move(reply));
}

}  // namespace ipp::web
