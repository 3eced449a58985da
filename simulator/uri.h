#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "simulator/problem.h"

namespace ipp::simulator {

// The decoded query of a request. Typed getters note errors in *errors and then return the default.
// If a parameter occurs twice, the first one counts, except with All.
class Query {
 public:
  // Nullopt on a broken percent sequence.
  static std::optional<Query> Parse(std::string_view raw);

  const std::string* Find(std::string_view name) const;
  std::vector<std::string_view> All(std::string_view name) const;

  int64_t Integer(std::string_view name, int64_t fallback, int64_t min, int64_t max,
                  FieldErrors* errors) const;
  bool Bool(std::string_view name, bool fallback, FieldErrors* errors) const;
  // A lower-case UUID, or empty if the parameter is absent.
  std::string Uuid(std::string_view name, FieldErrors* errors) const;

 private:
  std::vector<std::pair<std::string, std::string>> parameters_;
};

// Whether `path` has the shape of `pattern`, where the segment "{}" stands for any non-empty
// segment, which is then put into *id.
bool MatchesPath(std::string_view pattern, std::string_view path, std::string_view* id);

// Finds the route of a request, or the methods that its path has. Route has `method` and `pattern`.
template <typename Route>
struct RouteMatch {
  const Route* route = nullptr;
  std::string_view id;
  std::string allow;  // empty: there is no such path
};

template <typename Routes>
auto FindRoute(const Routes& routes, std::string_view method, std::string_view path) {
  RouteMatch<std::remove_cvref_t<decltype(*std::begin(routes))>> match;
  for (const auto& route : routes) {
    std::string_view id;
    if (!MatchesPath(route.pattern, path, &id)) continue;
    match.id = id;
    if (route.method == method) {
      match.route = &route;
      return match;
    }
    if (!match.allow.empty()) match.allow += ", ";
    match.allow += route.method;
  }
  return match;
}

// A URL of a webhook receiver: http only, since the simulator talks to loopback and test networks.
struct Url {
  std::string text;  // as given
  std::string host;
  std::string port;
  std::string target;

  static std::optional<Url> Parse(std::string_view text);
};

}  // namespace ipp::simulator
