#include "simulator/http_connection.h"

#include <algorithm>
#include <array>
#include <boost/asio/write.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/status.hpp>
#include <utility>

#include "simulator/problem.h"

namespace ipp::simulator {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;

std::string_view View(boost::beast::string_view text) { return {text.data(), text.size()}; }

Response Refusal(const error_code& error) {
  if (error == http::error::body_limit) return LargeBodyProblem();
  if (error == http::error::header_limit) return LargeHeaderProblem();
  return ProblemResponse(400, "Bad Request", "This is not HTTP: " + error.message() + ".");
}

bool IsProtocolError(const error_code& error) {
  return error.category() == http::make_error_code(http::error::bad_method).category() &&
         error != http::error::end_of_stream && error != http::error::partial_message;
}

}  // namespace

HttpConnection::HttpConnection(std::unique_ptr<Wire> wire, int number,
                               std::shared_ptr<const Settings> settings, Leave leave)
    : ServerConnection(std::move(settings), std::move(leave)),
      wire_(std::move(wire)),
      number_(number) {}

bool HttpConnection::Unused() const {
  return reading_head_ && buffer_.size() == 0 && !parser_->got_some() && !wire_->HasInput();
}

void HttpConnection::CloseIfIdle(SteadyTime now) {
  if (with_handler_ || !IdleAt(now)) return;
  if (Unused()) wire_->FinishNow({}, shared_from_this());
  wire_->Close();
}

bool HttpConnection::CloseIfUnused() {
  if (!Unused()) return false;
  reading_head_ = false;
  wire_->FinishNow({}, shared_from_this());
  return true;
}

void HttpConnection::Read() {
  parser_.emplace();
  parser_->header_limit(static_cast<uint32_t>(settings().options.max_header_bytes));
  parser_->body_limit(settings().options.max_body_bytes);
  reading_head_ = true;
  http::async_read_header(
      *wire_, buffer_, *parser_,
      [self = shared_from_this()](error_code error, size_t) { self->OnHeader(error); });
}

void HttpConnection::OnHeader(error_code error) {
  Touch();
  if (!reading_head_) return;  // closed meanwhile
  reading_head_ = false;
  if (error) return OnRequest(error);
  TakeHead();
  const auto& admit = settings().hooks.admit;
  if (admit && admit(request_) == Admission::kReset) return wire_->Reset();
  if (parser_->is_done()) return OnRequest(error);
  if (EqualsIgnoringCase(View(parser_->get()[http::field::expect]), "100-continue")) {
    head_ = "HTTP/1.1 100 Continue\r\n\r\n";
    asio::async_write(*wire_, asio::buffer(head_),
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
      *wire_, buffer_, *parser_,
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
  settings().hooks.handle(request_, [self = shared_from_this()](Response response) {
    self->Answer(std::move(response), self->parser_->get().keep_alive());
  });
}

void HttpConnection::Answer(Response response, bool keep_alive) {
  with_handler_ = response.ending == Ending::kSilent;
  if (response.ending == Ending::kSilent) return wire_->Drain(shared_from_this());
  if (response.ending == Ending::kReset) return wire_->Reset();
  if (response.ending == Ending::kClosed) return wire_->Finish(shared_from_this());
  close_after_write_ = !keep_alive || response.ending == Ending::kCutBody;
  body_ = std::move(response.body);
  MakeHead(response, keep_alive);
  if (parser_->is_header_done() && parser_->get().method() == http::verb::head) body_.clear();
  if (response.ending == Ending::kCutBody) body_.resize(body_.size() / 2);
  if (response.ending == Ending::kSlowBody && !body_.empty()) {
    asio::async_write(
        *wire_, asio::buffer(head_),
        [self = shared_from_this(), time = response.body_time](error_code error, size_t) {
          const size_t pieces = std::min(self->body_.size(), kPiecesOfABody);
          if (error) return;
          self->Dribble(0, (self->body_.size() + pieces - 1) / pieces, time / pieces);
        });
    return;
  }
  const std::array<asio::const_buffer, 2> buffers = {asio::buffer(head_), asio::buffer(body_)};
  asio::async_write(*wire_, buffers, [self = shared_from_this()](error_code error, size_t) {
    self->OnWritten(error);
  });
}

void HttpConnection::MakeHead(const Response& response, bool keep_alive) {
  head_.clear();
  head_.append("HTTP/1.1 ").append(std::to_string(response.status)).push_back(' ');
  head_.append(View(http::obsolete_reason(http::int_to_status(response.status)))).append("\r\n");
  head_.append("Date: ").append(HttpDate()).append("\r\n");
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

// Pauses before each piece, so that the head arrives first and alone.
void HttpConnection::Dribble(size_t from, size_t piece, std::chrono::milliseconds pause) {
  if (from >= body_.size()) return OnWritten({});
  between_pieces_.emplace(wire_->get_executor(), pause);
  between_pieces_->async_wait([self = shared_from_this(), from, piece, pause](error_code stopped) {
    if (stopped) return;
    const size_t size = std::min(piece, self->body_.size() - from);
    asio::async_write(*self->wire_, asio::buffer(self->body_.data() + from, size),
                      [self, from, piece, pause](error_code error, size_t) {
                        self->Touch();
                        if (!error) self->Dribble(from + piece, piece, pause);
                      });
  });
}

void HttpConnection::OnWritten(error_code error) {
  Touch();
  if (error) return;
  close_after_write_ ? wire_->Finish(shared_from_this()) : Read();
}

}  // namespace ipp::simulator
