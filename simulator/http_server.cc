#include "simulator/http_server.h"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <unordered_set>
#include <utility>

#include "simulator/http2_connection.h"
#include "simulator/http_connection.h"
#include "simulator/server_connection.h"
#include "simulator/wire.h"

namespace ipp::simulator {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using tcp = asio::ip::tcp;

constexpr std::chrono::seconds kSweepInterval{5};
constexpr std::chrono::milliseconds kAcceptPause{50};

// A connection during the TLS handshake.
class Greeting final : public ServerConnection, public std::enable_shared_from_this<Greeting> {
 public:
  using Then = std::function<void(std::unique_ptr<Wire>)>;

  Greeting(std::unique_ptr<Wire> wire, std::shared_ptr<const Settings> settings, Leave leave)
      : ServerConnection(std::move(settings), std::move(leave)), wire_(std::move(wire)) {}

  void Start(Then then) {
    wire_->Handshake([self = shared_from_this(), then = std::move(then)](error_code error) {
      if (!error) then(std::move(self->wire_));
    });
  }
  void CloseIfIdle(SteadyTime now) override {
    if (IdleAt(now)) wire_->Close();
  }
  bool CloseIfUnused() override { return false; }

 private:
  std::unique_ptr<Wire> wire_;
};

}  // namespace

class HttpServer::Core : public std::enable_shared_from_this<Core> {
 public:
  Core(asio::io_context& loop, const Options& options, Hooks hooks)
      : settings_(std::make_shared<const ServerConnection::Settings>(
            ServerConnection::Settings{options, std::move(hooks)})),
        loop_(loop),
        acceptor_(loop),
        pause_(loop),
        closed_(loop),
        sweep_(loop) {}

  bool Listen(std::string* error);
  void Accept();
  void Sweep();
  int CloseUnused();

  uint16_t port() const { return port_; }

 private:
  bool full() const { return connections_.size() >= settings_->options.max_connections; }
  void OnAccept(error_code error, tcp::socket socket);
  void Enter(tcp::socket socket);
  void Serve(std::unique_ptr<Wire> wire, int number);
  template <typename Connection, typename... Arguments>
  std::shared_ptr<Connection> Track(Arguments&&... arguments);
  void Leave(ServerConnection* connection);
  void CloseFor(std::chrono::milliseconds time);
  void Reopen();
  error_code BindTo(const tcp::endpoint& endpoint);

  const std::shared_ptr<const ServerConnection::Settings> settings_;
  asio::io_context& loop_;
  tcp::acceptor acceptor_;
  tcp::endpoint endpoint_;
  uint16_t port_ = 0;
  asio::steady_timer pause_;
  asio::steady_timer closed_;
  asio::steady_timer sweep_;
  std::unordered_set<ServerConnection*> connections_;
  bool listening_ = false;
  bool accepting_ = false;
};

bool HttpServer::Core::Listen(std::string* error) {
  const Options& options = settings_->options;
  error_code code;
  const auto address = asio::ip::make_address(options.address, code);
  if (code) {
    *error = "'" + options.address + "' is not an IP address";
    return false;
  }
  code = BindTo({address, options.port});
  if (!code) acceptor_.listen(asio::socket_base::max_listen_connections, code);
  if (!code) endpoint_ = acceptor_.local_endpoint(code);
  if (code) {
    *error = "cannot listen on " + options.address + ":" + std::to_string(options.port) + ": " +
             code.message();
    return false;
  }
  port_ = endpoint_.port();
  listening_ = true;
  return true;
}

error_code HttpServer::Core::BindTo(const tcp::endpoint& endpoint) {
  error_code code;
  acceptor_.open(endpoint.protocol(), code);
  if (!code) acceptor_.set_option(tcp::acceptor::reuse_address(true), code);
  if (!code) acceptor_.bind(endpoint, code);
  return code;
}

void HttpServer::Core::CloseFor(std::chrono::milliseconds time) {
  error_code ignored;
  acceptor_.close(ignored);
  listening_ = false;
  // Bound again at once, so that no other process gets the port. Without listening it refuses
  // connections.
  BindTo(endpoint_);
  closed_.expires_after(time);
  closed_.async_wait([self = shared_from_this()](error_code stopped) {
    if (!stopped) self->Reopen();
  });
}

void HttpServer::Core::Reopen() {
  error_code code;
  acceptor_.listen(asio::socket_base::max_listen_connections, code);
  if (code) return CloseFor(kAcceptPause);
  listening_ = true;
  Accept();
}

void HttpServer::Core::Accept() {
  if (!listening_ || accepting_ || full()) return;
  accepting_ = true;
  acceptor_.async_accept([self = shared_from_this()](error_code error, tcp::socket socket) {
    self->accepting_ = false;
    self->OnAccept(error, std::move(socket));
  });
}

void HttpServer::Core::OnAccept(error_code error, tcp::socket socket) {
  if (error) {
    // Probably out of file descriptors: accepting again at once would spin.
    pause_.expires_after(kAcceptPause);
    pause_.async_wait([self = shared_from_this()](error_code stopped) {
      if (!stopped) self->Accept();
    });
    return;
  }
  const auto& refuse = settings_->hooks.refuse;
  const auto refused = refuse ? refuse() : std::nullopt;
  if (!refused) {
    Enter(std::move(socket));
  } else {
    Reset(socket);
    if (refused->count() > 0) CloseFor(*refused);
  }
  Accept();
}

void HttpServer::Core::Sweep() {
  sweep_.expires_after(std::min(kSweepInterval, settings_->options.idle_timeout));
  sweep_.async_wait([self = shared_from_this()](error_code stopped) {
    if (stopped) return;
    const auto now = std::chrono::steady_clock::now();
    for (ServerConnection* connection : self->connections_) connection->CloseIfIdle(now);
    self->Sweep();
  });
}

int HttpServer::Core::CloseUnused() {
  int closed = 0;
  for (ServerConnection* connection : connections_) closed += connection->CloseIfUnused() ? 1 : 0;
  return closed;
}

void HttpServer::Core::Enter(tcp::socket socket) {
  const int number = ++*settings_->options.connection_count;
  const auto& tls = settings_->options.tls;
  if (tls == nullptr) return Serve(std::make_unique<Wire>(std::move(socket)), number);
  Track<Greeting>(std::make_unique<Wire>(std::move(socket), *tls))
      ->Start([self = shared_from_this(), number](std::unique_ptr<Wire> wire) {
        self->Serve(std::move(wire), number);
      });
}

void HttpServer::Core::Serve(std::unique_ptr<Wire> wire, int number) {
  if (wire->alpn() == kHttp2) {
    Track<Http2Connection>(std::move(wire), number)->Start();
  } else {
    Track<HttpConnection>(std::move(wire), number)->Read();
  }
}

template <typename Connection, typename... Arguments>
std::shared_ptr<Connection> HttpServer::Core::Track(Arguments&&... arguments) {
  auto connection = std::make_shared<Connection>(
      std::forward<Arguments>(arguments)..., settings_,
      [self = shared_from_this()](ServerConnection* gone) { self->Leave(gone); });
  connections_.insert(connection.get());
  return connection;
}

void HttpServer::Core::Leave(ServerConnection* connection) {
  const bool was_full = full();
  connections_.erase(connection);
  // The last connections go when the loop itself is torn down: nothing to accept any more.
  if (was_full && !loop_.stopped()) Accept();
}

HttpServer::HttpServer(std::shared_ptr<Core> core) : core_(std::move(core)) {}
HttpServer::~HttpServer() = default;

std::unique_ptr<HttpServer> HttpServer::Listen(asio::io_context& loop, const Options& options,
                                               Hooks hooks, std::string* error) {
  auto core = std::make_shared<Core>(loop, options, std::move(hooks));
  if (!core->Listen(error)) return nullptr;
  core->Accept();
  core->Sweep();
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(core)));
}

uint16_t HttpServer::port() const { return core_->port(); }
int HttpServer::CloseUnused() { return core_->CloseUnused(); }

}  // namespace ipp::simulator
