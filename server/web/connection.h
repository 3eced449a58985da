#pragma once

#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/error.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/string_type.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
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

// The part of the listener that a connection uses. All on the listener's thread.
class ConnectionOwner {
 public:
  virtual ~ConnectionOwner() = default;
  virtual const WebOptions& options() const = 0;
  virtual const std::shared_ptr<LoopGate>& gate() const = 0;
  virtual bool draining() const = 0;
  virtual void Handle(WebRequest request, WebReply reply) = 0;
  // The connection has a request now (`busy`), or has none any more.
  virtual void Busy(Connection* connection, bool busy) = 0;
  // A request was not received within its time limit.
  virtual void TimedOut() = 0;
  // Called once, when the connection has closed.
  virtual void Closed(Connection* connection) = 0;
};

// One connection to a peer. Reads a request, has it handled, writes the answer, and only then reads
// the next request; so pipelined requests are answered in order and the buffered data is bounded.
// All on the listener's thread. Shared, since an operation in progress on the socket keeps it
// alive.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(boost::asio::ip::tcp::socket socket, ConnectionOwner* owner);

  // Call one of these two, once.
  void Serve();
  void TurnAway();  // 503 and close

  // Sends the answer to the request that is being handled; ignored if there is none any more.
  void Answer(WebResponse response);
  // Closes the connection after the requests that have already arrived.
  void Drain();
  void Close();

 private:
  // kIdle: between requests. kHandling: the answer is awaited. kLingering: the answer is sent; what
  // the peer still sends is read and discarded, because closing a socket with unread bytes resets
  // the connection, and the peer may lose the answer.
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
  void RefuseTrailer();
  void Write(WebResponse response, bool keep_alive);
  void OnWritten(const boost::system::error_code& error);
  void Linger();
  void Discard();

  void Arm(absl::Duration limit);  // OnDeadline() runs then, unless it is armed anew or disarmed
  void Disarm();
  void Wait();
  void OnDeadline();

  ConnectionOwner* const owner_;
  boost::asio::ip::tcp::socket socket_;
  boost::asio::steady_timer deadline_;
  bool waiting_ = false;  // for deadline_
  std::chrono::steady_clock::time_point due_ = std::chrono::steady_clock::time_point::max();
  std::string peer_;
  Phase phase_ = Phase::kIdle;

  boost::beast::flat_buffer buffer_;
  std::optional<boost::beast::http::request_parser<boost::beast::http::string_body>> parser_;
  WebRequest request_;
  // The last chunk's head is read. Beast calls on_chunk_ with the size of each chunk.
  bool in_trailer_ = false;
  std::function<void(uint64_t, boost::beast::string_view, boost::beast::error_code&)> on_chunk_ =
      [this](uint64_t size, auto, auto&) { in_trailer_ = size == 0; };
  size_t head_bytes_ = 0;
  unsigned version_ = 11;
  bool head_only_ = false;
  bool keep_alive_ = false;

  boost::beast::http::response<boost::beast::http::string_body> response_;
  std::array<char, 4096> discarded_;
};

}  // namespace ipp::web
