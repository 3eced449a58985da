#pragma once

#include <string>
#include <vector>

#include "server/web/web_listener.h"

namespace ipp::web {

// The routes of a listener: one handler for each path and method. It is itself a WebHandler. It
// answers requests that no route takes: 501 for a method that no route could have, 404 for an
// unknown path, 405 with `Allow` for another method, 415 with `Accept-Encoding` for a body with a
// content coding (bodies are passed on as sent), and OPTIONS. HEAD is handled as GET; the listener
// omits the body. Copies share nothing. Thread-safe. Source: RFC 9110 sections 9, 15.5.6, 15.5.16,
// 15.6.2.
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
  // The methods for `path`, where "*" means any path; empty if there is no such path.
  std::vector<std::string> Methods(const std::string& path) const;

  const std::vector<Route> routes_;
  const std::string not_found_;
};

}  // namespace ipp::web
