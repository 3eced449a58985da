#pragma once

#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "simulator/server_connection.h"
#include "simulator/wire.h"

namespace ipp::simulator {

// HTTP/1.1 on one connection: reads a request, has it answered, reads the next.
class HttpConnection final : public ServerConnection,
                             public std::enable_shared_from_this<HttpConnection> {
 public:
  HttpConnection(std::unique_ptr<Wire> wire, int number, std::shared_ptr<const Settings> settings,
                 Leave leave);

  void Read();
  void CloseIfIdle(SteadyTime now) override;
  bool CloseIfUnused() override;

 private:
  using ErrorCode = boost::system::error_code;

  bool Unused() const;
  void OnHeader(ErrorCode error);
  void TakeHead();
  void ReadBody();
  void OnRequest(ErrorCode error);
  void Answer(Response response, bool keep_alive);
  void MakeHead(const Response& response, bool keep_alive);
  void Dribble(size_t from, size_t piece, std::chrono::milliseconds pause);
  void OnWritten(ErrorCode error);

  const std::unique_ptr<Wire> wire_;
  const int number_;
  boost::beast::flat_buffer buffer_;
  std::optional<boost::beast::http::request_parser<boost::beast::http::string_body>> parser_;
  Request request_;
  std::string head_;
  std::string body_;
  std::optional<boost::asio::steady_timer> between_pieces_;
  bool reading_head_ = false;
  bool with_handler_ = false;
  bool close_after_write_ = false;
};

}  // namespace ipp::simulator
