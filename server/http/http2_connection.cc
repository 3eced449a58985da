#include "server/http/http2_connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"

namespace ipp::http {
namespace {

// At most so many bytes are encrypted ahead of the socket.
constexpr size_t kFill = 256 * 1024;
// A connection that is always readable lets the others have their turn after so many reads.
constexpr int kReadsInATurn = 8;
// As the curl transport: without it a peer that has vanished would go unnoticed for 15 minutes.
constexpr unsigned int kUserTimeoutMs = 20'000;

std::chrono::nanoseconds Span(absl::Duration duration) {
  return absl::ToChronoNanoseconds(
      std::clamp(duration, absl::Milliseconds(1), absl::Hours(24 * 365)));
}

absl::Status Broke(absl::string_view why) {
  return absl::UnavailableError(absl::StrCat("the connection to the upstream broke: ", why));
}

absl::Status CannotConnect(const Http2Shared& shared, absl::string_view why) {
  return absl::UnavailableError(
      absl::StrCat("upstream: cannot connect to ", shared.url.authority, ": ", why));
}

}  // namespace

Http2Connection::Http2Connection(Http2Shared& shared, int epoll, Http2Turn* turn, Owner* owner)
    : shared_(shared),
      epoll_(epoll),
      turn_(turn),
      owner_(owner),
      opening_until_(turn->now + Span(shared.options.common.connect_timeout)),
      address_until_(SteadyTime::max()) {}

Http2Connection::~Http2Connection() { CloseSocket(); }

void Http2Connection::Connect(const Resolver::Addresses& addresses) {
  if (!addresses.ok()) return Lose(addresses.status());
  addresses_ = *addresses;
  ConnectNext();
}

void Http2Connection::ConnectNext() {
  int error = ETIMEDOUT;
  while (next_address_ < addresses_.size()) {
    CloseSocket();
    const SocketAddress& to = addresses_[next_address_++];
    fd_ = socket(to.address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd_ < 0) {
      error = errno;
      continue;
    }
    const int on = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(fd_, IPPROTO_TCP, TCP_USER_TIMEOUT, &kUserTimeoutMs, sizeof(kUserTimeoutMs));
    if (connect(fd_, reinterpret_cast<const sockaddr*>(&to.address), to.size) != 0 &&
        errno != EINPROGRESS) {
      error = errno;
      continue;
    }
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT;
    event.data.ptr = this;
    writes_watched_ = true;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, fd_, &event);
    // What is left of the time is shared among the addresses that are left.
    const auto left = static_cast<int64_t>(addresses_.size() - next_address_ + 1);
    address_until_ = turn_->now + (opening_until_ - turn_->now) / left;
    return;
  }
  Lose(CannotConnect(shared_, std::strerror(error)));
}

void Http2Connection::OnEvents(uint32_t events) {
  if (fd_ < 0) return;
  if (!connected_) {
    int error = 0;
    socklen_t size = sizeof(error);
    getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error == 0 && (events & (EPOLLERR | EPOLLHUP)) == 0) {
      if ((events & EPOLLOUT) != 0) OnConnected();
    } else if (next_address_ < addresses_.size()) {
      ConnectNext();
    } else {
      Lose(CannotConnect(shared_, std::strerror(error)));
    }
    return;
  }
  if ((events & EPOLLOUT) != 0) writable_ = true;
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
    for (int i = 0; i < kReadsInATurn && ReadOnce(); ++i) {
    }
  }
}

void Http2Connection::OnConnected() {
  connected_ = true;
  address_until_ = SteadyTime::max();
  shared_.connections_opened.Add();
  tls_.emplace(*shared_.tls, shared_.url.host);
  Handshake();
}

bool Http2Connection::ReadOnce() {
  if (fd_ < 0) return false;
  const ssize_t count = recv(fd_, turn_->received.data(), turn_->received.size(), 0);
  if (count < 0) {
    if (errno == EINTR) return true;
    if (errno != EAGAIN && errno != EWOULDBLOCK) Lose(Broke(std::strerror(errno)));
    return false;
  }
  if (count == 0) {
    Lose(Broke("the upstream closed it"));
    return false;
  }
  heard_at_ = turn_->now;
  pinged_at_.reset();
  Receive({turn_->received.data(), static_cast<size_t>(count)});
  return static_cast<size_t>(count) == turn_->received.size();
}

void Http2Connection::Receive(absl::string_view bytes) {
  tls_->Give(bytes);
  if (!session_.has_value() && !Handshake()) return;
  while (state_ != State::kGone) {
    size_t count = 0;
    switch (tls_->Read(turn_->plain.data(), turn_->plain.size(), &count)) {
      case TlsClient::Step::kDone:
        if (!session_->Receive({turn_->plain.data(), count})) {
          return Lose(Broke("the upstream broke the rules of HTTP/2"));
        }
        break;
      case TlsClient::Step::kNeedsMore:
        return;
      case TlsClient::Step::kEnded:
        return Lose(Broke("the upstream closed it"));
      case TlsClient::Step::kFailed:
        return Lose(state_ == State::kOpening ? tls_->error() : Broke("TLS failed"));
    }
  }
}

// True once it is done and the upstream speaks HTTP/2.
bool Http2Connection::Handshake() {
  switch (tls_->Handshake()) {
    case TlsClient::Step::kDone:
      break;
    case TlsClient::Step::kNeedsMore:
      return false;
    case TlsClient::Step::kEnded:
    case TlsClient::Step::kFailed:
      SendOnce();  // the alert that says why
      Lose(tls_->error());
      return false;
  }
  if (!tls_->speaks_http2()) {
    tls_->Close();
    SendOnce();
    CloseSocket();
    state_ = State::kNotHttp2;
    return false;
  }
  session_.emplace(shared_, static_cast<Http2Session::Host*>(this));
  return true;
}

void Http2Connection::Fill() {
  std::string& to_send = turn_->to_send;
  to_send.clear();
  ++fills_;
  const bool goes_on = session_->Take(kFill, &to_send);
  if (!to_send.empty() && !tls_->Write(to_send)) return Lose(Broke("TLS failed"));
  if (!goes_on && to_send.empty()) Lose(Broke("the upstream broke the rules of HTTP/2"));
}

void Http2Connection::Flush() {
  if (fd_ < 0 || !tls_.has_value() || !writable_) return;
  std::string& out = tls_->out();
  while (true) {
    if (out.empty() && session_.has_value()) Fill();
    if (fd_ < 0 || out.empty()) break;
    const ssize_t count = send(fd_, out.data(), out.size(), MSG_NOSIGNAL);
    if (count < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN || errno == EWOULDBLOCK) {
        writable_ = false;
        return WatchWrites(true);
      }
      const int error = errno;
      // What the upstream said last may be there still, for example which requests it has refused.
      while (ReadOnce()) {
      }
      return Lose(Broke(std::strerror(error)));
    }
    fills_sent_ = fills_;
    const auto sent = static_cast<size_t>(count);
    out.erase(0, sent);
  }
  if (fd_ >= 0) WatchWrites(false);
}

void Http2Connection::SendOnce() {
  if (fd_ < 0) return;
  (void)!send(fd_, tls_->out().data(), tls_->out().size(), MSG_NOSIGNAL);
}

void Http2Connection::WatchWrites(bool on) {
  if (on == writes_watched_) return;
  writes_watched_ = on;
  epoll_event event{};
  event.events = on ? EPOLLIN | EPOLLOUT : EPOLLIN;
  event.data.ptr = this;
  epoll_ctl(epoll_, EPOLL_CTL_MOD, fd_, &event);
}

bool Http2Connection::Begin(Http2Call* call) {
  if (!session_->Submit(call)) {
    // The numbers of streams are used up, or the connection is about to end.
    state_ = State::kLeaving;
    return false;
  }
  if (calls_.empty()) heard_at_ = turn_->now;
  was_of_use_ = true;
  call->connection = this;
  calls_.PushBack(call);
  return true;
}

void Http2Connection::End(Http2Call* call, absl::Status status) {
  session_->Reset(call);
  Remove(*call);
  owner_->OnEnded(call, {std::move(status), call->fate(), {}}, false);
}

void Http2Connection::Remove(Http2Call& call) {
  calls_.Remove(&call);
  call.connection = nullptr;
  if (calls_.empty()) idle_since_ = turn_->now;
}

// The connection counts as open only now, and takes requests only now: the upstream has shown that
// it speaks HTTP/2, and how many requests it takes at once.
void Http2Connection::OnSettings() {
  shared_.streams.store(std::max(1, session_->max_streams()), std::memory_order_relaxed);
  if (state_ != State::kOpening) return;
  state_ = State::kOpen;
  opened_at_ = idle_since_ = turn_->now;
}

void Http2Connection::OnGoAway() {
  if (state_ == State::kOpening || state_ == State::kOpen) state_ = State::kLeaving;
}

void Http2Connection::OnCommitted(Http2Call& call) {
  call.committed = true;
  call.committed_at = turn_->now;
  call.fill = fills_;
}

void Http2Connection::OnAnswered(Http2Call& call) {
  Remove(call);
  owner_->OnEnded(&call, call.answer.Take(), false);
}

void Http2Connection::OnTooLarge(Http2Call& call) {
  Remove(call);
  owner_->OnEnded(&call, {AnswerTooLarge(), RequestFate::kSent, {}}, false);
}

void Http2Connection::OnStreamEnded(Http2Call& call, uint32_t code) {
  call.not_processed = code == NGHTTP2_REFUSED_STREAM;
  Remove(call);
  owner_->OnEnded(&call,
                  {absl::UnavailableError(absl::StrCat("upstream: the stream ended with ",
                                                       nghttp2_http2_strerror(code))),
                   call.fate(),
                   {}},
                  call.not_processed);
}

void Http2Connection::Lose(absl::Status error) {
  if (state_ == State::kGone) return;
  state_ = State::kGone;
  error_ = std::move(error);
  CloseSocket();
  while (Http2Call* call = calls_.first()) {
    // Nothing of what was never given to the kernel has left.
    if (call->committed && call->fill > fills_sent_) call->not_processed = true;
    Remove(*call);
    owner_->OnEnded(call, {error_, call->fate(), {}}, true);
  }
}

void Http2Connection::Shut() {
  if (session_.has_value() && fd_ >= 0 && !blocked()) {
    session_->GoAway();
    Fill();
    if (fd_ >= 0) tls_->Close();
    SendOnce();
  }
  Lose(absl::UnavailableError("the connection was closed"));
}

void Http2Connection::CloseSocket() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

void Http2Connection::OnTime() {
  const SteadyTime now = turn_->now;
  const Http2Options& options = shared_.options;
  switch (state_) {
    case State::kOpening:
      if (now >= opening_until_) return Lose(CannotConnect(shared_, "it takes too long"));
      if (now >= address_until_) ConnectNext();
      return;
    case State::kOpen:
      if (now >= opened_at_ + Span(options.common.max_connection_age)) state_ = State::kLeaving;
      break;
    case State::kLeaving:
      break;
    case State::kNotHttp2:
    case State::kGone:
      return;
  }
  if (pinged_at_.has_value()) {
    if (now >= *pinged_at_ + Span(options.ping_timeout)) Lose(Broke("no sign of life"));
  } else if (!calls_.empty()) {
    if (now < heard_at_ + Span(options.ping_after)) return;
    pinged_at_ = now;
    session_->Ping();
  } else if (state_ == State::kLeaving ||
             now >= idle_since_ + Span(options.common.max_connection_idle)) {
    Shut();
  }
}

SteadyTime Http2Connection::next_time() const {
  const Http2Options& options = shared_.options;
  switch (state_) {
    case State::kOpening:
      return std::min(opening_until_, address_until_);
    case State::kNotHttp2:
    case State::kGone:
      return turn_->now;  // the loop is to see to it
    case State::kOpen:
    case State::kLeaving:
      break;
  }
  const SteadyTime old = state_ == State::kOpen
                             ? opened_at_ + Span(options.common.max_connection_age)
                             : SteadyTime::max();
  const SteadyTime next = pinged_at_.has_value() ? *pinged_at_ + Span(options.ping_timeout)
                          : calls_.empty() ? idle_since_ + Span(options.common.max_connection_idle)
                                           : heard_at_ + Span(options.ping_after);
  return std::min(old, next);
}

}  // namespace ipp::http
