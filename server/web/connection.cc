#include "server/web/connection.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/rfc7230.hpp>
#include <boost/beast/http/write.hpp>
#include <chrono>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace ipp::web {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;

constexpr size_t kReadSize = 16 * 1024;
constexpr absl::Duration kLingerTime = absl::Seconds(1);
constexpr char kContinue[] = "HTTP/1.1 100 Continue\r\n\r\n";
// The shortest end of a chunked body, "0\r\n\r\n". Beast's parser asserts that it is given at least
// so many bytes at a time, and any unfinished chunked body has at least so many to come, until the
// last chunk's head is read: Beast 1.92 takes that alone, earlier ones with all that follows.
constexpr size_t kChunkedTail = 5;

std::string PeerName(const tcp::socket& socket) {
  error_code error;
  const tcp::endpoint peer = socket.remote_endpoint(error);
  if (error) return "";
  const std::string address = peer.address().to_string();
  return peer.address().is_v6() ? absl::StrCat("[", address, "]:", peer.port())
                                : absl::StrCat(address, ":", peer.port());
}

// RFC 9110 section 5.6.7: "Sun, 06 Nov 1994 08:49:37 GMT". Written once a second, not for each
// answer.
const std::string& HttpDate(absl::Time time) {
  thread_local absl::Time second = absl::InfinitePast();
  thread_local std::string text;
  if (const absl::Time now = absl::FromUnixSeconds(absl::ToUnixSeconds(time)); now != second) {
    second = now;
    text = absl::FormatTime("%a, %d %b %Y %H:%M:%S GMT", second, absl::UTCTimeZone());
  }
  return text;
}

bool IsToken(absl::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isalnum(c) || absl::StrContains("!#$%&'*+-.^_`|~", c);
  });
}

bool IsFieldValue(absl::string_view text) {
  return text.size() < kReadSize && std::none_of(text.begin(), text.end(), [](char c) {
           return absl::ascii_iscntrl(c) && c != '\t';
         });
}

// Carries one answer back to its connection, from any thread, even if the listener or the
// connection has gone.
class ReplyTicket {
 public:
  ReplyTicket(std::shared_ptr<LoopGate> gate, std::weak_ptr<Connection> connection)
      : gate_(std::move(gate)), connection_(std::move(connection)) {}
  ReplyTicket(ReplyTicket&&) = default;
  ReplyTicket& operator=(ReplyTicket&&) = delete;
  ~ReplyTicket() {
    if (gate_ != nullptr) Send({.code = 500, .body = "no answer\n", .headers = {}});
  }

  void Send(WebResponse response) {
    const std::shared_ptr<LoopGate> gate = std::move(gate_);
    if (gate == nullptr) return;
    gate->Post([connection = std::move(connection_), response = std::move(response)]() mutable {
      if (const auto alive = connection.lock()) alive->Answer(std::move(response));
    });
  }

 private:
  std::shared_ptr<LoopGate> gate_;  // null once sent
  std::weak_ptr<Connection> connection_;
};

}  // namespace

Connection::Connection(tcp::socket socket, ConnectionOwner* owner)
    : owner_(owner),
      socket_(std::move(socket)),
      deadline_(socket_.get_executor()),
      peer_(PeerName(socket_)),
      buffer_(owner->options().max_header_bytes + kReadSize) {
  error_code ignored;
  socket_.set_option(tcp::no_delay(true), ignored);
}

void Connection::Serve() {
  Arm(owner_->options().header_timeout);
  Read();
}

void Connection::TurnAway() { Refuse({503, "too many connections"}); }

void Connection::Drain() {
  error_code error;
  if (phase_ == Phase::kIdle && socket_.available(error) == 0) Close();
}

void Connection::Close() {
  if (phase_ == Phase::kClosed) return;
  phase_ = Phase::kClosed;
  error_code ignored;
  Disarm();
  deadline_.cancel();
  socket_.close(ignored);
  owner_->Closed(this);
}

void Connection::Next() {
  phase_ = Phase::kIdle;
  owner_->Busy(this, false);
  if (SkipEmptyLines()) {
    Begin();
    return Parse();
  }
  error_code error;
  if (owner_->draining() && socket_.available(error) == 0) return Close();
  Arm(owner_->options().idle_timeout);
  Read();
}

// False if the rest of the buffer does not begin a request. Half of an empty line stays in the
// buffer.
bool Connection::SkipEmptyLines() {
  buffer_.consume(EmptyLines(Unread()));
  return buffer_.size() > 0 && Unread() != "\r";
}

absl::string_view Connection::Unread() const {
  const asio::const_buffer data = buffer_.data();
  return {static_cast<const char*>(data.data()), data.size()};
}

void Connection::Begin() {
  phase_ = Phase::kHead;
  Arm(owner_->options().header_timeout);
  NewParser();
  request_ = {};
  head_bytes_ = 0;
  version_ = 11;
  head_only_ = false;
  keep_alive_ = false;
}

void Connection::NewParser() {
  parser_.emplace();
  in_trailer_ = false;
  parser_->on_chunk_header(on_chunk_);
  // One byte more than allowed: the parser counts the request line and the fields separately, so
  // Parse() enforces the limit itself.
  parser_->header_limit(static_cast<uint32_t>(owner_->options().max_header_bytes + 1));
  parser_->body_limit(owner_->options().max_body_bytes);
}

void Connection::Read() {
  const size_t room = buffer_.max_size() - buffer_.size();
  if (room == 0) return RefuseTrailer();
  socket_.async_read_some(
      buffer_.prepare(std::min(room, kReadSize)),
      [self = shared_from_this()](const error_code& error, size_t n) { self->OnRead(error, n); });
}

void Connection::RefuseTrailer() { Refuse({400, "a chunk's head or the trailer is too large"}); }

void Connection::OnRead(const error_code& error, size_t bytes) {
  if (phase_ > Phase::kBody) return;  // the deadline passed first
  if (error) {
    if (error == asio::error::eof && phase_ != Phase::kIdle) {
      return Refuse({400, "the request ended early"});
    }
    return Close();
  }
  buffer_.commit(bytes);
  if (phase_ == Phase::kIdle) {
    if (!SkipEmptyLines()) return Read();  // still within idle_timeout
    Begin();
  }
  Parse();
}

void Connection::Parse() {
  while (!parser_->is_done()) {
    const bool in_chunks = phase_ == Phase::kBody && parser_->chunked() && !in_trailer_;
    const size_t least = in_chunks ? kChunkedTail : 1;
    if (buffer_.size() < least) return Read();
    error_code error;
    const size_t used = parser_->put(buffer_.data(), error);
    buffer_.consume(used);
    if (phase_ == Phase::kHead) {
      head_bytes_ += used;
      const size_t pending = parser_->is_header_done() ? 0 : buffer_.size();
      if (head_bytes_ + pending > owner_->options().max_header_bytes) {
        error = http::error::header_limit;
      }
    }
    if (error == http::error::need_more) return Read();
    if (error == http::error::bad_version && ReadAsHttp11()) continue;
    if (error == http::error::header_limit && phase_ == Phase::kBody) return RefuseTrailer();
    if (error == http::error::bad_transfer_encoding) {
      if (const std::optional<Refusal> refusal = CheckCoding(parser_->get())) {
        return Refuse(*refusal);
      }
    }
    if (error) {
      const bool no_request_line = phase_ == Phase::kHead && parser_->get().target().empty();
      return Refuse(RefusalFor(error, no_request_line ? Unread() : ""));
    }
    if (phase_ == Phase::kHead && parser_->is_header_done() && !OnHead()) return;
  }
  Dispatch();
}

// Beast refuses later minor versions of HTTP/1, so the version in the buffer is changed to 1.1.
bool Connection::ReadAsHttp11() {
  const size_t digit = LaterMinorVersion(Unread());
  if (digit == absl::string_view::npos) return false;
  static_cast<char*>(buffer_.data().data())[digit] = '1';
  NewParser();
  return true;
}

bool Connection::OnHead() {
  const RequestHead& head = parser_->get();
  // Taken before the body is read, so that trailers cannot be mistaken for headers.
  request_ = ToWebRequest(head);
  version_ = head.version();
  head_only_ = head.method() == http::verb::head;
  keep_alive_ = parser_->keep_alive();
  if (const std::optional<Refusal> refusal = CheckHead(head)) {
    Refuse(*refusal);
    return false;
  }
  if (parser_->is_done()) return true;
  phase_ = Phase::kBody;
  Arm(owner_->options().body_timeout);
  if (buffer_.size() == 0 && ExpectsContinue(head)) {
    Continue();
    return false;
  }
  return true;
}

void Connection::Continue() {
  asio::async_write(socket_, asio::buffer(kContinue, sizeof(kContinue) - 1),
                    [self = shared_from_this()](const error_code& error, size_t) {
                      if (self->phase_ != Phase::kBody) return;
                      if (error) return self->Close();
                      self->Read();
                    });
}

void Connection::Dispatch() {
  phase_ = Phase::kHandling;
  owner_->Busy(this, true);
  Disarm();
  request_.body = std::move(parser_->get().body());
  request_.peer = peer_;
  owner_->Handle(std::move(request_),
                 [ticket = ReplyTicket(owner_->gate(), weak_from_this())](
                     WebResponse response) mutable { ticket.Send(std::move(response)); });
}

void Connection::Answer(WebResponse response) {
  if (phase_ != Phase::kHandling) return;
  const bool last = owner_->draining() && buffer_.size() == 0;
  Write(std::move(response), keep_alive_ && !last);
}

void Connection::Refuse(const Refusal& refusal) {
  error_code ignored;
  socket_.cancel(ignored);  // a read may be in progress if the deadline led here
  owner_->Busy(this, true);
  Write({.code = refusal.code, .body = absl::StrCat(refusal.text, "\n"), .headers = {}}, false);
}

void Connection::Write(WebResponse response, bool keep_alive) {
  phase_ = Phase::kWriting;
  Arm(owner_->options().write_timeout);
  response_ = {};
  // The answer's version is the server's own, also to a client of HTTP/1.0 (RFC 9110 section 2.5).
  response_.version(11);
  response_.result(response.code >= 200 && response.code <= 599 ? response.code : 500);
  for (const auto& [name, value] : response.headers) {
    if (IsToken(name) && IsFieldValue(value)) response_.insert(name, value);
  }
  response_.set(http::field::server, owner_->options().server_name);
  response_.set(http::field::date, HttpDate(owner_->options().clock->Now()));
  response_.erase(http::field::transfer_encoding);
  response_.erase(http::field::content_length);
  response_.keep_alive(keep_alive);
  if (keep_alive && version_ == 10) response_.set(http::field::connection, "keep-alive");
  if (const int code = response_.result_int(); code != 204 && code != 304) {
    if (IsFieldValue(response.content_type)) {
      response_.set(http::field::content_type, response.content_type);
    }
    response_.content_length(response.body.size());
    if (!head_only_) response_.body() = std::move(response.body);
  }
  http::async_write(
      socket_, response_,
      [self = shared_from_this()](const error_code& error, size_t) { self->OnWritten(error); });
}

void Connection::OnWritten(const error_code& error) {
  if (phase_ != Phase::kWriting) return;
  if (error) return Close();
  if (response_.keep_alive()) return Next();
  Linger();
}

void Connection::Linger() {
  phase_ = Phase::kLingering;
  Arm(kLingerTime);
  error_code error;
  socket_.shutdown(tcp::socket::shutdown_send, error);
  if (error) return Close();
  Discard();
}

void Connection::Discard() {
  socket_.async_read_some(asio::buffer(discarded_),
                          [self = shared_from_this()](const error_code& error, size_t) {
                            if (self->phase_ != Phase::kLingering) return;
                            if (error) return self->Close();
                            self->Discard();
                          });
}

// A request sets several deadlines. A timer that ends before the new one stays as it is, and looks
// again then; to set it anew each time costs a system call.
void Connection::Arm(absl::Duration limit) {
  // At most a day: an infinite limit would overflow when added to the current time.
  due_ = std::chrono::steady_clock::now() +
         absl::ToChronoNanoseconds(std::clamp(limit, absl::ZeroDuration(), absl::Hours(24)));
  if (!waiting_ || due_ < deadline_.expiry()) Wait();
}

void Connection::Disarm() { due_ = std::chrono::steady_clock::time_point::max(); }

void Connection::Wait() {
  waiting_ = true;
  deadline_.expires_at(due_);
  deadline_.async_wait([self = shared_from_this()](const error_code& error) {
    const auto now = std::chrono::steady_clock::now();
    // A wait that had already fired when it was replaced still arrives here, without an error.
    if (error || self->deadline_.expiry() > now) return;
    self->waiting_ = false;
    if (self->due_ <= now) return self->OnDeadline();
    if (self->due_ != std::chrono::steady_clock::time_point::max()) self->Wait();
  });
}

void Connection::OnDeadline() {
  switch (phase_) {
    case Phase::kHead:
    case Phase::kBody:
      owner_->TimedOut();
      return Refuse({408, "the request took too long"});
    case Phase::kWriting: {
      // The peer does not read. Reset the connection, since after a plain close the kernel would
      // keep the answer.
      error_code ignored;
      socket_.set_option(asio::socket_base::linger(true, 0), ignored);
      return Close();
    }
    case Phase::kIdle:
    case Phase::kLingering:
      return Close();
    case Phase::kHandling:
    case Phase::kClosed:
      return;
  }
}

}  // namespace ipp::web
