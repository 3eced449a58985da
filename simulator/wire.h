#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace ipp::simulator {

// Closes so that the peer gets a RST.
void Reset(boost::asio::ip::tcp::socket& socket);

// The bytes of one accepted connection, bare or within TLS: what Asio and Beast take for a stream,
// one read and one write at a time, and the ways in which it can end. One thread.
//
// An `owner` is kept alive until what was begun has come to its end; it must own this.
class Wire {
 public:
  using Socket = boost::asio::ip::tcp::socket;
  using ErrorCode = boost::system::error_code;
  using executor_type = Socket::executor_type;

  explicit Wire(Socket socket);
  // TLS, server's side: nothing else before the handshake is done.
  Wire(Socket socket, boost::asio::ssl::context& context);

  void Handshake(std::function<void(ErrorCode)> then);
  // What TLS agreed on by ALPN (RFC 7301); empty: nothing.
  std::string_view alpn();

  executor_type get_executor() { return socket_.get_executor(); }

  template <typename Buffers, typename Handler>
  void async_read_some(const Buffers& buffers, Handler&& handler) {
    tls_ ? tls_->async_read_some(buffers, std::forward<Handler>(handler))
         : socket_.async_read_some(buffers, std::forward<Handler>(handler));
  }
  template <typename Buffers, typename Handler>
  void async_write_some(const Buffers& buffers, Handler&& handler) {
    tls_ ? tls_->async_write_some(buffers, std::forward<Handler>(handler))
         : socket_.async_write_some(buffers, std::forward<Handler>(handler));
  }

  // Whether bytes have come that nobody has read.
  bool HasInput() const;

  void Reset() { ipp::simulator::Reset(socket_); }
  void Close();

  // In good order: close_notify if it is TLS, FIN, and then whatever still comes is thrown away
  // until the peer closes too. No write may be under way; a read gets an error.
  void Finish(std::shared_ptr<void> owner);

  // The same up to the FIN before this returns, as far as the kernel takes it: for a connection
  // that is idle. `last_words` go first.
  void FinishNow(std::string_view last_words, std::shared_ptr<void> owner);

  // Throws away what comes until the peer closes, up to a bound. Nothing is read after it.
  void Drain(std::shared_ptr<void> owner);

 private:
  Socket socket_;
  std::optional<boost::asio::ssl::stream<Socket&>> tls_;
  std::string trash_;
  size_t drained_ = 0;
};

}  // namespace ipp::simulator
