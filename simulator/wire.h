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

// Closes the connection with a RST.
void Reset(boost::asio::ip::tcp::socket& socket);

// The bytes of one accepted connection, bare or within TLS: what Asio and Beast take for a stream,
// one read and one write at a time, and the ways in which it can end. One thread.
//
// An `owner` is kept alive until the operation has ended; it must own this object.
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

  // Whether bytes have arrived that were not read.
  bool HasInput() const;

  void Reset() { ipp::simulator::Reset(socket_); }
  void Close();

  // Closes gracefully: close_notify with TLS, FIN, and then input is discarded until the peer
  // closes too. No write may be under way; a read gets an error.
  void Finish(std::shared_ptr<void> owner);

  // The same for an idle connection, synchronously up to the FIN, as far as the kernel accepts it.
  // `last_words` are sent first.
  void FinishNow(std::string_view last_words, std::shared_ptr<void> owner);

  // Discards input until the peer closes, up to a bound. Nothing may be read after it.
  void Drain(std::shared_ptr<void> owner);

 private:
  Socket socket_;
  std::optional<boost::asio::ssl::stream<Socket&>> tls_;
  std::string trash_;
  size_t drained_ = 0;
};

}  // namespace ipp::simulator
