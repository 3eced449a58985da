#pragma once

#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "server/web/loop_gate.h"
#include "server/web/request_head.h"
#include "server/web/web_listener.h"

namespace ipp::web {

class Connection;

// What a connection needs of its listener. All on the listener's thread.
class ConnectionOwner {
 public:
  virtual ~ConnectionOwner() = default;
  virtual const WebOptions& options() const = 0;
  virtual const std::shared_ptr<LoopGate>& gate() const = 0;
  virtual bool draining() const = 0;
  virtual void Handle(WebRequest request, WebReply reply) = 0;
  // It has a request now, or has none any more.
  virtual void Busy(Connection* connection, bool busy) = 0;
  // A request was not read in time.
  virtual void TimedOut() = 0;
  // Once, when the connection has closed.
  virtual void Closed(Connection* connection) = 0;
};

// One peer: reads a request, has it handled, writes the answer, and reads the next one only then;
// so pipelined requests are answered in order and what is buffered is bounded. All on the
// listener's thread. Shared, since whatever is under way on the socket needs it alive.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(boost::asio::ip::tcp::socket socket, ConnectionOwner* owner);

  // One of these, once.
  void Serve();
  void TurnAway();  // 503 and close

  // The answer to the request that is being handled; ignored when there is none any more.
  void Answer(WebResponse response);
  // Ends after the requests that have arrived.
  void Drain();
  void Close();

 private:
  // kIdle: between requests. kHandling: the answer is awaited. kLingering: all is said; what the
  // peer still sends is thrown away, because closing on unread bytes resets the connection and the
  // peer may lose the answer.
  enum class Phase { kIdle, kHead, kBody, kHandling, kWriting, kLingering, kClosed };

  void Next();
  void Begin();
  void NewParser();
  bool SkipEmptyLines();
  absl::string_view Unread() const;
  void Read();
  void OnRead(const boost::system::error_code& error, size_t bytes);
  void Parse();
  bool ReadAsHttp11();
  bool OnHead();  // false when the request was refused or the parser must wait
  void Continue();
  void Dispatch();
  void Refuse(const Refusal& refusal);
  void Write(WebResponse response, bool keep_alive);
  void OnWritten(const boost::system::error_code& error);
  void Linger();
  void Discard();

  void Arm(absl::Duration limit);
  void Disarm();
  void OnDeadline();

  ConnectionOwner* const owner_;
  boost::asio::ip::tcp::socket socket_;
  boost::asio::steady_timer deadline_;
  std::string peer_;
  Phase phase_ = Phase::kIdle;

  boost::beast::flat_buffer buffer_;
  std::optional<boost::beast::http::request_parser<boost::beast::http::string_body>> parser_;
  WebRequest request_;
  size_t head_bytes_ = 0;
  unsigned version_ = 11;
  bool head_only_ = false;
  bool keep_alive_ = false;

  boost::beast::http::response<boost::beast::http::string_body> response_;
  std::array<char, 4096> discarded_;
};

}  // namespace ipp::web
