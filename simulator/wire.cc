#include "simulator/wire.h"

#include <openssl/ssl.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>

namespace ipp::simulator {
namespace {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;

// The bytes that a peer may still send before the connection is cut. If they were not read, the
// kernel would reset the connection, and what was sent last could be lost.
constexpr size_t kMaxDrainedBytes = 8 * 1024 * 1024;
constexpr size_t kDrainBuffer = 16 * 1024;

// Allows close_notify to be sent without waiting for the peer's. Reads return eof from now on.
void CountAsClosedByPeer(SSL* ssl) {
  SSL_set_shutdown(ssl, SSL_get_shutdown(ssl) | SSL_RECEIVED_SHUTDOWN);
}

}  // namespace

void Reset(tcp::socket& socket) {
  boost::system::error_code ignored;
  socket.set_option(asio::socket_base::linger(true, 0), ignored);
  socket.close(ignored);
}

Wire::Wire(Socket socket) : socket_(std::move(socket)) {
  ErrorCode ignored;
  socket_.set_option(tcp::no_delay(true), ignored);
}

Wire::Wire(Socket socket, asio::ssl::context& context) : Wire(std::move(socket)) {
  tls_.emplace(socket_, context);
}

void Wire::Handshake(std::function<void(ErrorCode)> then) {
  tls_->async_handshake(asio::ssl::stream_base::server, std::move(then));
}

std::string_view Wire::alpn() {
  const unsigned char* name = nullptr;
  unsigned int size = 0;
  if (tls_) SSL_get0_alpn_selected(tls_->native_handle(), &name, &size);
  return {reinterpret_cast<const char*>(name), size};
}

bool Wire::HasInput() const {
  ErrorCode error;
  return socket_.available(error) > 0;
}

void Wire::Close() {
  ErrorCode ignored;
  socket_.close(ignored);
}

void Wire::Finish(std::shared_ptr<void> owner) {
  const auto fin = [this, owner](ErrorCode) {
    ErrorCode ignored;
    socket_.shutdown(tcp::socket::shutdown_send, ignored);
    Drain(owner);
  };
  if (!tls_) return fin({});
  CountAsClosedByPeer(tls_->native_handle());
  tls_->async_shutdown(fin);
}

void Wire::FinishNow(std::string_view last_words, std::shared_ptr<void> owner) {
  ErrorCode ignored;
  socket_.non_blocking(true, ignored);  // rather lose the words than wait for a peer
  if (!last_words.empty()) {
    const auto words = asio::buffer(last_words);
    tls_ ? asio::write(*tls_, words, ignored) : asio::write(socket_, words, ignored);
  }
  if (tls_) {
    CountAsClosedByPeer(tls_->native_handle());
    tls_->shutdown(ignored);
  }
  socket_.shutdown(tcp::socket::shutdown_send, ignored);
  Drain(std::move(owner));
}

void Wire::Drain(std::shared_ptr<void> owner) {
  if (drained_ > kMaxDrainedBytes) return;
  trash_.resize(kDrainBuffer);
  socket_.async_read_some(asio::buffer(trash_),
                          [this, owner = std::move(owner)](ErrorCode error, size_t count) mutable {
                            drained_ += count;
                            if (!error) Drain(std::move(owner));
                          });
}

}  // namespace ipp::simulator
