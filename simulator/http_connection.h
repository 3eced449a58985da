#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "simulator/http_server.h"

namespace ipp::simulator {

// Closes so that the peer gets a RST.
void Reset(boost::asio::ip::tcp::socket& socket);

// One accepted connection of an HttpServer: reads a request, has it answered, and so on. It lives
// as long as it waits for something, and calls `leave` with its last breath.
class HttpConnection : public std::enable_shared_from_this<HttpConnection> {
 public:
  struct Settings {
    HttpServer::Options options;
    HttpServer::Hooks hooks;
  };
  using Leave = std::function<void(HttpConnection*)>;

  HttpConnection(boost::asio::ip::tcp::socket socket, std::shared_ptr<const Settings> settings,
                 int number, Leave leave);
  ~HttpConnection();

  void Read();
  void CloseIfIdle(std::chrono::steady_clock::time_point now);

 private:
  using ErrorCode = boost::system::error_code;

  void OnHeader(ErrorCode error);
  void TakeHead();
  void ReadBody();
  void OnRequest(ErrorCode error);
  void Answer(Response response, bool keep_alive);
  void MakeHead(const Response& response, bool keep_alive);
  void Dribble(size_t from, size_t piece, std::chrono::milliseconds pause);
  void OnWritten(ErrorCode error);
  void CloseAndDrain();
  void Drain();
  void Touch() { last_activity_ = std::chrono::steady_clock::now(); }

  boost::asio::ip::tcp::socket socket_;
  const std::shared_ptr<const Settings> settings_;
  const int number_;
  const Leave leave_;
  boost::beast::flat_buffer buffer_;
  std::optional<boost::beast::http::request_parser<boost::beast::http::string_body>> parser_;
  Request request_;
  std::string head_;
  std::string body_;
  std::optional<boost::asio::steady_timer> between_pieces_;
  bool with_handler_ = false;
  bool close_after_write_ = false;
  size_t drained_ = 0;
  std::chrono::steady_clock::time_point last_activity_ = std::chrono::steady_clock::now();
};

}  // namespace ipp::simulator
