#include "simulator/http_server.h"

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/status.hpp>
#include <boost/beast/http/string_body.hpp>
#include <ctime>
#include <optional>
#include <unordered_set>
#include <utility>

#include "simulator/problem.h"

namespace ipp::simulator {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;
using tcp = asio::ip::tcp;
using SteadyTime = std::chrono::steady_clock::time_point;

constexpr std::chrono::seconds kSweepInterval{5};
constexpr std::chrono::milliseconds kAcceptPause{50};
// What a refused client may still send before the connection is cut; without reading it, the
// kernel would reset the connection and the answer could be lost.
constexpr size_t kMaxDrainedBytes = 8 * 1024 * 1024;

std::string_view View(boost::beast::string_view text) { return {text.data(), text.size()}; }

// RFC 9110 asks for a Date; made once a second.
const std::string& DateLine() {
  static thread_local std::time_t made_at = 0;
  static thread_local std::string line;
  const std::time_t now = std::time(nullptr);
  if (now != made_at) {
    std::tm parts{};
    gmtime_r(&now, &parts);
    char text[64];
    std::strftime(text, sizeof(text), "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &parts);
    line = text;
    made_at = now;
  }
  return line;
}

Response Refusal(const error_code& error) {
  if (error == http::error::body_limit) {
    return ProblemResponse(413, "Payload Too Large", "The body is larger than this server reads.");
  }
  if (error == http::error::header_limit) {
    return ProblemResponse(431, "Request Header Fields Too Large",
                           "The header is larger than this server reads.");
  }
  return ProblemResponse(400, "Bad Request", "This is not HTTP: " + error.message() + ".");
}

bool IsProtocolError(const error_code& error) {
  return error.category() == http::make_error_code(http::error::bad_method).category() &&
         error != http::error::end_of_stream && error != http::error::partial_message;
}

}  // namespace

class HttpServer::Core : public std::enable_shared_from_this<Core> {
 public:
  Core(asio::io_context& loop, const Options& options, Handler handler)
      : options_(options),
        handler_(std::move(handler)),
        loop_(loop),
        acceptor_(loop),
        pause_(loop),
        sweep_(loop) {}

  bool Bind(std::string* error);
  void Accept();
  void Sweep();

  uint16_t port() const { return acceptor_.local_endpoint().port(); }
  const Options& options() const { return options_; }
  const Handler& handler() const { return handler_; }

  void Enter(Connection* connection) { connections_.insert(connection); }
  void Leave(Connection* connection);
  int NextConnectionNumber() { return ++connection_count_; }

 private:
  const Options options_;
  const Handler handler_;
  asio::io_context& loop_;
  tcp::acceptor acceptor_;
  asio::steady_timer pause_;
  asio::steady_timer sweep_;
  std::unordered_set<Connection*> connections_;
  int connection_count_ = 0;
  bool accepting_ = false;
};

class HttpServer::Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(tcp::socket socket, std::shared_ptr<Core> core)
      : socket_(std::move(socket)), core_(std::move(core)), number_(core_->NextConnectionNumber()) {
    error_code ignored;
    socket_.set_option(tcp::no_delay(true), ignored);
    core_->Enter(this);
  }
  ~Connection() { core_->Leave(this); }

  void Read();
  void CloseIfIdle(SteadyTime now);

 private:
  void OnHeader(error_code error);
  void ReadBody();
  void OnRequest(error_code error);
  void Answer(Response response, bool keep_alive);
  void OnWritten(error_code error);
  void Drain();
  void Touch() { last_activity_ = std::chrono::steady_clock::now(); }

  tcp::socket socket_;
  const std::shared_ptr<Core> core_;
  const int number_;
  boost::beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  Request request_;
  std::string head_;
  std::string body_;
  bool close_after_write_ = false;
  size_t drained_ = 0;
  SteadyTime last_activity_ = std::chrono::steady_clock::now();
};

bool HttpServer::Core::Bind(std::string* error) {
  error_code code;
  const auto address = asio::ip::make_address(options_.address, code);
  if (code) {
    *error = "'" + options_.address + "' is not an IP address";
    return false;
  }
  const tcp::endpoint endpoint(address, options_.port);
  acceptor_.open(endpoint.protocol(), code);
  if (!code) acceptor_.set_option(tcp::acceptor::reuse_address(true), code);
  if (!code) acceptor_.bind(endpoint, code);
  if (!code) acceptor_.listen(asio::socket_base::max_listen_connections, code);
  if (code) {
    *error = "cannot listen on " + options_.address + ":" + std::to_string(options_.port) + ": " +
             code.message();
    return false;
  }
  return true;
}

void HttpServer::Core::Accept() {
  if (accepting_ || connections_.size() >= options_.max_connections) return;
  accepting_ = true;
  acceptor_.async_accept([self = shared_from_this()](error_code error, tcp::socket socket) {
    self->accepting_ = false;
    if (!error) {
      std::make_shared<Connection>(std::move(socket), self)->Read();
      self->Accept();
      return;
    }
    // Out of file descriptors, most likely: trying again at once would spin.
    self->pause_.expires_after(kAcceptPause);
    self->pause_.async_wait([self](error_code stopped) {
      if (!stopped) self->Accept();
    });
  });
}

void HttpServer::Core::Sweep() {
  sweep_.expires_after(kSweepInterval);
  sweep_.async_wait([self = shared_from_this()](error_code stopped) {
    if (stopped) return;
    const auto now = std::chrono::steady_clock::now();
    for (Connection* connection : self->connections_) connection->CloseIfIdle(now);
    self->Sweep();
  });
}

void HttpServer::Core::Leave(Connection* connection) {
  const bool was_full = connections_.size() >= options_.max_connections;
  connections_.erase(connection);
  // The last connections go when the loop itself is torn down: nothing to accept any more.
  if (was_full && !loop_.stopped()) Accept();
}

void HttpServer::Connection::CloseIfIdle(SteadyTime now) {
  if (now - last_activity_ < core_->options().idle_timeout) return;
  error_code ignored;
  socket_.close(ignored);
}

void HttpServer::Connection::Read() {
  parser_.emplace();
  parser_->header_limit(static_cast<uint32_t>(core_->options().max_header_bytes));
  parser_->body_limit(core_->options().max_body_bytes);
  http::async_read_header(
      socket_, buffer_, *parser_,
      [self = shared_from_this()](error_code error, size_t) { self->OnHeader(error); });
}

void HttpServer::Connection::OnHeader(error_code error) {
  Touch();
  if (error || parser_->is_done()) return OnRequest(error);
  if (EqualsIgnoringCase(View(parser_->get()[http::field::expect]), "100-continue")) {
    head_ = "HTTP/1.1 100 Continue\r\n\r\n";
    asio::async_write(socket_, asio::buffer(head_),
                      [self = shared_from_this()](error_code failed, size_t) {
                        if (!failed) self->ReadBody();
                      });
    return;
  }
  ReadBody();
}

void HttpServer::Connection::ReadBody() {
  http::async_read(
      socket_, buffer_, *parser_,
      [self = shared_from_this()](error_code error, size_t) { self->OnRequest(error); });
}

void HttpServer::Connection::OnRequest(error_code error) {
  Touch();
  if (error) {
    if (IsProtocolError(error)) Answer(Refusal(error), /*keep_alive=*/false);
    return;  // otherwise the peer is gone, and with the last handler so is this connection
  }
  auto& message = parser_->get();
  request_.method = View(message.method_string());
  request_.target = View(message.target());
  request_.headers.clear();
  for (const auto& field : message) {
    request_.headers.emplace_back(View(field.name_string()), View(field.value()));
  }
  request_.body = std::move(message.body());
  request_.connection = number_;
  core_->handler()(request_, [self = shared_from_this()](Response response) {
    self->Answer(std::move(response), self->parser_->get().keep_alive());
  });
}

void HttpServer::Connection::Answer(Response response, bool keep_alive) {
  close_after_write_ = !keep_alive;
  body_ = std::move(response.body);
  head_.clear();
  head_.append("HTTP/1.1 ").append(std::to_string(response.status)).push_back(' ');
  head_.append(View(http::obsolete_reason(http::int_to_status(response.status)))).append("\r\n");
  head_.append(DateLine());
  if (response.status != 204) {
    head_.append("Content-Type: ").append(response.content_type);
    head_.append("\r\nContent-Length: ").append(std::to_string(body_.size())).append("\r\n");
  }
  for (const auto& [name, value] : response.headers) {
    head_.append(name).append(": ").append(value).append("\r\n");
  }
  if (!keep_alive) {
    head_.append("Connection: close\r\n");
  } else if (parser_->get().version() < 11) {
    head_.append("Connection: keep-alive\r\n");
  }
  head_.append("\r\n");
  if (parser_->is_header_done() && parser_->get().method() == http::verb::head) body_.clear();
  const std::array<asio::const_buffer, 2> buffers = {asio::buffer(head_), asio::buffer(body_)};
  asio::async_write(socket_, buffers, [self = shared_from_this()](error_code error, size_t) {
    self->OnWritten(error);
  });
}

void HttpServer::Connection::OnWritten(error_code error) {
  Touch();
  if (error) return;
  if (!close_after_write_) return Read();
  error_code ignored;
  socket_.shutdown(tcp::socket::shutdown_send, ignored);
  buffer_.clear();
  Drain();
}

void HttpServer::Connection::Drain() {
  if (drained_ > kMaxDrainedBytes) return;
  body_.resize(64 * 1024);
  socket_.async_read_some(asio::buffer(body_),
                          [self = shared_from_this()](error_code error, size_t count) {
                            self->drained_ += count;
                            if (!error) self->Drain();
                          });
}

HttpServer::HttpServer(std::shared_ptr<Core> core) : core_(std::move(core)) {}
HttpServer::~HttpServer() = default;

std::unique_ptr<HttpServer> HttpServer::Listen(asio::io_context& loop, const Options& options,
                                               Handler handler, std::string* error) {
  auto core = std::make_shared<Core>(loop, options, std::move(handler));
  if (!core->Bind(error)) return nullptr;
  core->Accept();
  core->Sweep();
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(core)));
}

uint16_t HttpServer::port() const { return core_->port(); }

}  // namespace ipp::simulator
