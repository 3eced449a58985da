#pragma once

#include <string>
#include <vector>

#include "server/web/web_listener.h"

namespace ipp::web {

// What a listener serves: one handler for a path and a method. A WebHandler itself. Answers what no
// route takes: 501 for a method that no route here could have, 404 for another path, 405 with
// `Allow` for another method, 415 with `Accept-Encoding` for a body with a content coding (bodies
// are handed on as sent), and OPTIONS. HEAD goes where GET does; the listener leaves the body out.
// Copies share nothing. Thread-safe. Source: RFC 9110 sections 9, 15.5.6, 15.5.16, 15.6.2.
class Router {
 public:
  struct Route {
    std::string method;
    std::string path;
    WebHandler handler;
  };

  // `not_found`: the text of a 404.
  explicit Router(std::vector<Route> routes, std::string not_found = "not found\n");

  void operator()(WebRequest request, WebReply reply) const;

 private:
  // The methods for `path`, "*" for any path; empty when there is no such path.
  std::vector<std::string> Methods(const std::string& path) const;

  const std::vector<Route> routes_;
  const std::string not_found_;
};

}  // namespace ipp::web
