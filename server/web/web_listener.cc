#include "server/web/web_listener.h"

#include <algorithm>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <list>
#include <optional>
#include <thread>
#include <unordered_map>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "server/base/descriptors.h"
#include "server/base/host_port.h"
#include "server/base/log.h"
#include "server/base/log_rate_limiter.h"
#include "server/base/mutex.h"
#include "server/base/status_macros.h"
#include "server/base/this_thread.h"
#include "server/web/connection.h"
#include "server/web/loop_gate.h"

namespace ipp::web {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

// Beast's fields store lengths in 16 bits; it throws if a length exceeds that.
constexpr size_t kMostHeaderBytes = 64'000;
// How many connections beyond max_connections may be answered 503 at the same time. Further ones
// are closed without an answer.
constexpr size_t kTurningAway = 64;
// accept() fails while file descriptors are exhausted; retrying at once would spin.
constexpr std::chrono::milliseconds kAcceptPause{100};

class Listener final : public WebListener, public ConnectionOwner {
 public:
  Listener(WebOptions options, WebHandler handler)
      : options_(std::move(options)),
        handler_(std::move(handler)),
        gate_(std::make_shared<LoopGate>(&loop_)),
        work_(asio::make_work_guard(loop_)),
        acceptor_(loop_),
        pause_(loop_),
        metrics_(options_.metrics == nullptr ? &own_metrics_ : options_.metrics),
        open_(metrics_->gauge("ipp_connections", "Open connections, by port.",
                              {{"port", options_.name}})),
        too_many_(Refused("too_many")),
        displaced_(Refused("displaced")),
        no_descriptors_(Refused("no_descriptors")),
        timed_out_(Refused("timed_out")) {}

  ~Listener() override {
    if (thread_.joinable()) {
      asio::post(loop_, [this] {
        StopAccepting();
        for (const auto& connection : Copy()) connection->Close();
        work_.reset();
      });
      thread_.join();
    }
    gate_->Close();
  }

  absl::Status Listen() {
    if (options_.max_header_bytes > kMostHeaderBytes) {
      return absl::InvalidArgumentError(
          absl::StrCat("max_header_bytes is more than ", kMostHeaderBytes));
    }
    const std::optional<HostPort> address = ParseHostPort(options_.address);
    if (!address) {
      return absl::InvalidArgumentError(
          absl::StrCat("address '", options_.address, "' is not host:port, or [v6]:port"));
    }
    error_code error;
    tcp::resolver resolver(loop_);
    const auto found =
        resolver.resolve(address->host, absl::StrCat(address->port),
                         tcp::resolver::passive | tcp::resolver::numeric_service, error);
    for (auto entry = found.begin(); entry != found.end(); ++entry) {
      error = Bind(entry->endpoint());
      if (!error) break;
    }
    if (error) {
      return absl::UnavailableError(
          absl::StrCat("cannot listen on ", options_.address, ": ", error.message()));
    }
    port_ = acceptor_.local_endpoint(error).port();
    Accept();
    thread_ = std::thread([this] {
      NameThisThread(options_.name.c_str());
      WakeThisThreadAtOnce();
      loop_.run();
    });
    return absl::OkStatus();
  }

  int port() const override { return port_; }

  void Drain(absl::Duration limit) override {
    const auto deadline =
        std::chrono::steady_clock::now() +
        absl::ToChronoNanoseconds(std::clamp(limit, absl::ZeroDuration(), absl::Hours(24)));
    asio::post(loop_, [this] { BeginDrain(); });
    MutexLock lock(&mutex_);
    while (!drained_) {
      const auto left = deadline - std::chrono::steady_clock::now();
      if (left <= left.zero() || !changed_.WaitFor(&mutex_, left)) return;
    }
  }

 private:
  struct Entry {
    std::shared_ptr<Connection> connection;
    bool served;                                         // false: it is being answered 503
    std::optional<std::list<Connection*>::iterator> at;  // in waiting_
  };

  Counter& Refused(const std::string& why) {
    return metrics_->counter("ipp_connections_refused_total",
                             "Connections that were not taken, or cut off, by port and reason.",
                             {{"port", options_.name}, {"reason", why}});
  }

  const WebOptions& options() const override { return options_; }
  const std::shared_ptr<LoopGate>& gate() const override { return gate_; }
  bool draining() const override { return draining_; }
  void Handle(WebRequest request, WebReply reply) override {
    handler_(std::move(request), std::move(reply));
  }

  void TimedOut() override { timed_out_.Add(); }

  void Busy(Connection* connection, bool busy) override {
    Entry& entry = connections_.find(connection)->second;
    if (entry.at) waiting_.erase(*entry.at);
    entry.at.reset();
    if (!busy && entry.served) entry.at = waiting_.insert(waiting_.end(), connection);
  }

  void Closed(Connection* connection) override {
    const auto entry = connections_.find(connection);
    if (entry->second.at) waiting_.erase(*entry->second.at);
    if (entry->second.served) --served_;
    connections_.erase(entry);
    open_.Add(-1);
    if (draining_) CheckDrained();
  }

  error_code Bind(const tcp::endpoint& endpoint) {
    error_code error;
    error_code ignored;
    acceptor_.close(ignored);
    acceptor_.open(endpoint.protocol(), error);
    if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
    return error;
  }

  void Accept() {
    acceptor_.async_accept([this](const error_code& error, tcp::socket socket) {
      if (!acceptor_.is_open()) return;
      const bool held_back =
          !error && !options_.may_use_held_back && IsHeldBack(socket.native_handle());
      if (!error && !held_back) {
        Admit(std::move(socket));
        return Accept();
      }
      if (error == asio::error::no_descriptors && !waiting_.empty()) {
        // Give an idle connection's descriptor to the new one.
        displaced_.Add();
        waiting_.front()->Close();
        return Accept();
      }
      no_descriptors_.Add();
      if (const auto left_out = allowance_.Take()) {
        LogWarning(
            "cannot accept a connection",
            {{"listener", options_.address},
             {"error", held_back ? "the remaining descriptors are held back" : error.message()},
             {"left_out", absl::StrCat(*left_out)}});
      }
      pause_.expires_after(kAcceptPause);
      pause_.async_wait([this](const error_code& cancelled) {
        if (!cancelled && acceptor_.is_open()) Accept();
      });
    });
  }

  void Admit(tcp::socket socket) {
    if (full() && !waiting_.empty()) {
      // Close the connection that has been idle for longest: idle connections must not keep out a
      // client that has a request.
      displaced_.Add();
      waiting_.front()->Close();
    }
    const bool served = !full();
    if (!served) too_many_.Add();
    if (!served && connections_.size() - served_ >= kTurningAway) return;  // closes the socket
    const auto connection = std::make_shared<Connection>(std::move(socket), this);
    connections_[connection.get()] = {connection, served, std::nullopt};
    open_.Add(1);
    if (served) {
      ++served_;
      Busy(connection.get(), false);
      connection->Serve();
    } else {
      connection->TurnAway();
    }
  }

  bool full() const {
    return served_ >= static_cast<size_t>(std::max(options_.max_connections, 0));
  }

  void StopAccepting() {
    error_code ignored;
    acceptor_.close(ignored);
    pause_.cancel();
  }

  void BeginDrain() {
    draining_ = true;
    StopAccepting();
    for (const auto& connection : Copy()) connection->Drain();
    CheckDrained();
  }

  void CheckDrained() {
    if (!connections_.empty()) return;
    MutexLock lock(&mutex_);
    drained_ = true;
    changed_.SignalAll();
  }

  // A copy, since connections leave the table when they close.
  std::vector<std::shared_ptr<Connection>> Copy() const {
    std::vector<std::shared_ptr<Connection>> all;
    for (const auto& [key, entry] : connections_) all.push_back(entry.connection);
    return all;
  }

  const WebOptions options_;
  const WebHandler handler_;
  asio::io_context loop_{1};
  const std::shared_ptr<LoopGate> gate_;  // shared with replies, which may outlive this
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  tcp::acceptor acceptor_;
  asio::steady_timer pause_;
  int port_ = 0;
  Metrics own_metrics_;  // used if the options give none
  Metrics* const metrics_;
  Gauge& open_;
  Counter& too_many_;
  Counter& displaced_;
  Counter& no_descriptors_;
  Counter& timed_out_;
  LogRateLimiter allowance_{1, 5};
  std::unordered_map<Connection*, Entry> connections_;
  std::list<Connection*> waiting_;  // idle connections, the longest idle first
  size_t served_ = 0;
  bool draining_ = false;
  std::thread thread_;

  Mutex mutex_;
  CondVar changed_;
  bool drained_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace

std::string WebRequest::header(absl::string_view name) const {
  std::string all;
  bool found = false;
  for (const auto& [key, value] : headers) {
    if (name != key) continue;
    absl::StrAppend(&all, std::exchange(found, true) ? ", " : "", value);
  }
  return all;
}

absl::StatusOr<std::unique_ptr<WebListener>> WebListener::Start(WebOptions options,
                                                                WebHandler handler) {
  auto listener = std::make_unique<Listener>(std::move(options), std::move(handler));
  IPP_RETURN_IF_ERROR(listener->Listen());
  return listener;
}

}  // namespace ipp::web
