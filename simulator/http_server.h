#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "simulator/http.h"

namespace boost::asio {
class io_context;
namespace ssl {
class context;
}
}  // namespace boost::asio

namespace ipp::simulator {

// A listener on one event loop: HTTP/1.1 or, with TLS, the protocol that ALPN selects, HTTP/2 or
// HTTP/1.1. Connections persist, and everything is bounded. HTTP/1.1 handles one request of a
// connection at a time (so pipelined ones are answered in order); a request that exceeds the limits
// is answered 413 or 431, a malformed one 400, and the connection is closed. HTTP/2 answers such a
// request and ends its stream only, unless the protocol itself is violated.
//
// Create and destroy it while the loop does not run; the handler runs on the loop's thread.
class HttpServer {
 public:
  struct Options {
    std::string address = "127.0.0.1";
    uint16_t port = 0;  // 0: any free one
    size_t max_header_bytes = 16 * 1024;
    size_t max_body_bytes = 1024 * 1024;
    // Beyond it new connections wait in the kernel's backlog.
    size_t max_connections = 1000;
    // A connection that has moved no byte for so long is closed.
    std::chrono::seconds idle_timeout{75};
    // Over HTTP/2, of one connection.
    uint32_t max_streams = 100;
    std::shared_ptr<boost::asio::ssl::context> tls;  // null: without
    // Numbers the connections; listeners that share it number theirs together.
    std::shared_ptr<int> connection_count = std::make_shared<int>(0);
  };

  // Callbacks on the loop's thread; `refuse` and `admit` may be empty.
  struct Hooks {
    Handler handle;
    // At each new connection. A value: it is reset at once, and the port is closed for so long.
    std::function<std::optional<std::chrono::milliseconds>()> refuse;
    // When the head of a request is read.
    std::function<Admission(Request&)> admit;
  };

  // Null when the address cannot be bound; *error then says why.
  static std::unique_ptr<HttpServer> Listen(boost::asio::io_context& loop, const Options& options,
                                            Hooks hooks, std::string* error);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  uint16_t port() const;

  // Closes every connection that has no request under way, and returns how many.
  int CloseUnused();

 private:
  class Core;
  explicit HttpServer(std::shared_ptr<Core> core);

  std::shared_ptr<Core> core_;
};

}  // namespace ipp::simulator
