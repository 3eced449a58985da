#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "server/http/http2_call.h"
#include "server/http/http2_session.h"
#include "server/http/resolver.h"
#include "server/http/tls_client.h"

namespace ipp::http {

// What the connections of one loop share: the loop's idea of the time, set once a turn, and memory
// that holds nothing from one turn to the next.
struct Http2Turn {
  SteadyTime now;
  std::array<char, 64 * 1024> received;
  std::array<char, 16 * 1024> plain;  // the largest TLS record
  std::string to_send;
};

// One connection to the upstream, from looking up its name to closing it: a socket in the loop's
// epoll, TLS and HTTP/2 above it, and the calls under way. Belongs to a loop's thread.
class Http2Connection final : private Http2Session::Host {
 public:
  class Owner {
   public:
    virtual ~Owner() = default;
    // A call is off the connection. `repeatable`: a read may be sent once more.
    virtual void OnEnded(Http2Call* call, HttpResult result, bool repeatable) = 0;
  };
  enum class State {
    kOpening,
    kOpen,
    kLeaving,   // finishes its calls and takes no more
    kNotHttp2,  // closed: the upstream did not choose HTTP/2
    kGone,      // closed; see error()
  };

  // `turn` and `owner` must outlive the connection; `epoll` stays open as long.
  Http2Connection(Http2Shared& shared, int epoll, Http2Turn* turn, Owner* owner);
  ~Http2Connection() override;
  Http2Connection(const Http2Connection&) = delete;
  Http2Connection& operator=(const Http2Connection&) = delete;

  State state() const { return state_; }
  bool needs_addresses() const { return state_ == State::kOpening && addresses_.empty(); }
  void Connect(const Resolver::Addresses& addresses);

  // Whether it takes a request now: not while it is asked for a sign of life.
  bool has_room() const {
    return state_ == State::kOpen && !pinged_at_.has_value() && !blocked() &&
           calls_.size() < session_->max_streams();
  }
  // Needs has_room(). What it has to send leaves with the next Flush(). False if it does not take
  // the call after all; from then on it takes none.
  bool Begin(Http2Call* call);
  // Sends what there is to send.
  void Flush();
  // Ends a call early, with `status`.
  void End(Http2Call* call, absl::Status status);
  void OnEvents(uint32_t events);
  // Does what is due at turn.now.
  void OnTime();
  // When OnTime() is needed next.
  SteadyTime next_time() const;
  // Says goodbye and closes.
  void Shut();

  const Http2CallList& calls() const { return calls_; }
  // Whether it took at least one request.
  bool was_of_use() const { return was_of_use_; }
  // Why it is gone.
  const absl::Status& error() const { return error_; }

 private:
  void OnSettings() override;
  void OnGoAway() override;
  void OnCommitted(Http2Call& call) override;
  void OnAnswered(Http2Call& call) override;
  void OnTooLarge(Http2Call& call) override;
  void OnStreamEnded(Http2Call& call, uint32_t code) override;

  // Tries the next address.
  void ConnectNext();
  void OnConnected();
  // One read of the socket. False when there is no more to read for now.
  bool ReadOnce();
  void Receive(absl::string_view bytes);
  bool Handshake();
  void Fill();
  bool blocked() const { return tls_.has_value() && !tls_->out().empty(); }
  // A last word, if the kernel takes it.
  void SendOnce();
  void WatchWrites(bool on);
  void Remove(Http2Call& call);
  void Lose(absl::Status error);
  void CloseSocket();

  Http2Shared& shared_;
  const int epoll_;
  Http2Turn* const turn_;
  Owner* const owner_;
  State state_ = State::kOpening;
  absl::Status error_;

  std::vector<SocketAddress> addresses_;
  size_t next_address_ = 0;
  int fd_ = -1;
  bool connected_ = false;  // TCP
  bool writable_ = true;    // as far as is known
  bool writes_watched_ = false;
  std::optional<TlsClient> tls_;
  std::optional<Http2Session> session_;  // once the handshake is done
  Http2CallList calls_;
  bool was_of_use_ = false;

  // Each fill puts what the session has to send into the empty buffer for the socket.
  uint64_t fills_ = 0;
  uint64_t fills_sent_ = 0;  // the last one of which the kernel took a byte

  SteadyTime opening_until_;
  SteadyTime address_until_;  // while a TCP connection is being made
  SteadyTime opened_at_;
  SteadyTime idle_since_;
  SteadyTime heard_at_;  // or when the first of the calls began
  std::optional<SteadyTime> pinged_at_;
};

}  // namespace ipp::http
