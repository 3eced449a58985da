#include "simulator/http_connection.h"

#include <algorithm>
#include <array>
#include <boost/asio/write.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/status.hpp>
#include <ctime>
#include <utility>

#include "simulator/problem.h"
#include "simulator/sim_clock.h"

namespace ipp::simulator {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;
using tcp = asio::ip::tcp;
using SteadyTime = std::chrono::steady_clock::time_point;

// What a refused client may still send before the connection is cut; without reading it, the
// kernel would reset the connection and the answer could be lost.
constexpr size_t kMaxDrainedBytes = 8 * 1024 * 1024;
constexpr size_t kPiecesOfABody = 20;

std::string_view View(boost::beast::string_view text) { return {text.data(), text.size()}; }

// RFC 9110 asks for a Date; made once a second.
const std::string& DateLine() {
  static thread_local std::time_t made_at = 0;
  static thread_local std::string line;
  const std::time_t now = std::time(nullptr);
  if (now != made_at) {
    line = "Date: " + FormatHttpDate(SimClock::RealNow()) + "\r\n";
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

void Reset(tcp::socket& socket) {
  error_code ignored;
  socket.set_option(asio::socket_base::linger(true, 0), ignored);
  socket.close(ignored);
}

HttpConnection::HttpConnection(tcp::socket socket, std::shared_ptr<const Settings> settings,
                               int number, Leave leave)
    : socket_(std::move(socket)),
      settings_(std::move(settings)),
      number_(number),
      leave_(std::move(leave)) {
  error_code ignored;
  socket_.set_option(tcp::no_delay(true), ignored);
}

HttpConnection::~HttpConnection() { leave_(this); }

void HttpConnection::CloseIfIdle(SteadyTime now) {
  if (with_handler_ || now - last_activity_ < settings_->options.idle_timeout) return;
  error_code ignored;
  socket_.close(ignored);
}

void HttpConnection::Read() {
  parser_.emplace();
  parser_->header_limit(static_cast<uint32_t>(settings_->options.max_header_bytes));
  parser_->body_limit(settings_->options.max_body_bytes);
  http::async_read_header(
      socket_, buffer_, *parser_,
      [self = shared_from_this()](error_code error, size_t) { self->OnHeader(error); });
}

void HttpConnection::OnHeader(error_code error) {
  Touch();
  if (error) return OnRequest(error);
  TakeHead();
  if (settings_->hooks.admit && !settings_->hooks.admit(request_)) return Reset(socket_);
  if (parser_->is_done()) return OnRequest(error);
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

void HttpConnection::TakeHead() {
  const auto& message = parser_->get();
  request_.headers.clear();
  request_.fault.reset();
  request_.method = View(message.method_string());
  request_.target = View(message.target());
  for (const auto& field : message) {
    request_.headers.emplace_back(View(field.name_string()), View(field.value()));
  }
  request_.connection = number_;
}

void HttpConnection::ReadBody() {
  http::async_read(
      socket_, buffer_, *parser_,
      [self = shared_from_this()](error_code error, size_t) { self->OnRequest(error); });
}

void HttpConnection::OnRequest(error_code error) {
  Touch();
  if (error) {
    if (IsProtocolError(error)) Answer(Refusal(error), /*keep_alive=*/false);
    return;  // otherwise the peer is gone, and with the last handler so is this connection
  }
  request_.body = std::move(parser_->get().body());
  with_handler_ = true;
  settings_->hooks.handle(request_, [self = shared_from_this()](Response response) {
    self->Answer(std::move(response), self->parser_->get().keep_alive());
  });
}

void HttpConnection::Answer(Response response, bool keep_alive) {
  with_handler_ = response.ending == Ending::kSilent;
  if (response.ending == Ending::kSilent) return Drain();
  if (response.ending == Ending::kReset) return Reset(socket_);
  if (response.ending == Ending::kClosed) return CloseAndDrain();
  close_after_write_ = !keep_alive || response.ending == Ending::kCutBody;
  body_ = std::move(response.body);
  MakeHead(response, keep_alive);
  if (parser_->is_header_done() && parser_->get().method() == http::verb::head) body_.clear();
  if (response.ending == Ending::kCutBody) body_.resize(body_.size() / 2);
  if (response.ending == Ending::kSlowBody && !body_.empty()) {
    asio::async_write(
        socket_, asio::buffer(head_),
        [self = shared_from_this(), time = response.body_time](error_code error, size_t) {
          const size_t pieces = std::min(self->body_.size(), kPiecesOfABody);
          if (error) return;
          self->Dribble(0, (self->body_.size() + pieces - 1) / pieces, time / pieces);
        });
    return;
  }
  const std::array<asio::const_buffer, 2> buffers = {asio::buffer(head_), asio::buffer(body_)};
  asio::async_write(socket_, buffers, [self = shared_from_this()](error_code error, size_t) {
    self->OnWritten(error);
  });
}

void HttpConnection::MakeHead(const Response& response, bool keep_alive) {
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
}

// Waits before each piece, so that the head comes first and alone.
void HttpConnection::Dribble(size_t from, size_t piece, std::chrono::milliseconds pause) {
  if (from >= body_.size()) return OnWritten({});
  between_pieces_.emplace(socket_.get_executor(), pause);
  between_pieces_->async_wait([self = shared_from_this(), from, piece, pause](error_code stopped) {
    if (stopped) return;
    const size_t size = std::min(piece, self->body_.size() - from);
    asio::async_write(self->socket_, asio::buffer(self->body_.data() + from, size),
                      [self, from, piece, pause](error_code error, size_t) {
                        self->Touch();
                        if (!error) self->Dribble(from + piece, piece, pause);
                      });
  });
}

void HttpConnection::OnWritten(error_code error) {
  Touch();
  if (error) return;
  close_after_write_ ? CloseAndDrain() : Read();
}

void HttpConnection::CloseAndDrain() {
  error_code ignored;
  socket_.shutdown(tcp::socket::shutdown_send, ignored);
  buffer_.clear();
  Drain();
}

void HttpConnection::Drain() {
  if (drained_ > kMaxDrainedBytes) return;
  body_.resize(64 * 1024);
  socket_.async_read_some(asio::buffer(body_),
                          [self = shared_from_this()](error_code error, size_t count) {
                            self->drained_ += count;
                            if (!error) self->Drain();
                          });
}

}  // namespace ipp::simulator
