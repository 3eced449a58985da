#include "server/grpc_port/connection_gate.h"

#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <map>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/base/descriptors.h"
#include "server/base/log.h"
#include "server/base/log_rate_limiter.h"
#include "server/base/mutex.h"
#include "server/base/status_macros.h"
#include "server/base/this_thread.h"
#include "server/grpc_port/listening_sockets.h"
#include "server/grpc_port/peer_key.h"

namespace ipp::grpc_port {
namespace {

// How often every connection is checked for unanswered bytes.
constexpr std::chrono::milliseconds kTrafficInterval{100};
// accept() fails while file descriptors are exhausted; retrying at once would spin.
constexpr std::chrono::milliseconds kAcceptPause{100};

using Steady = std::chrono::steady_clock;

// Bytes in each direction, as counted by the kernel.
struct Traffic {
  uint64_t received = 0;
  uint64_t sent = 0;
};

// False if the connection does not exist any more.
bool ReadTraffic(int fd, Traffic* traffic) {
  tcp_info info{};
  socklen_t size = sizeof(info);
  if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return false;
  *traffic = {info.tcpi_bytes_received, info.tcpi_bytes_sent};
  return true;
}

class Gate final : public ConnectionGate {
 public:
  Gate(const GateOptions& options, ListeningSockets sockets, Metrics* metrics)
      : options_(options),
        listening_(std::move(sockets)),
        epoll_(epoll_create1(EPOLL_CLOEXEC)),
        wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
        open_(metrics->gauge("ipp_connections", "Open connections, by port.", {{"port", "grpc"}})),
        too_many_(Refused(metrics, "too_many")),
        too_many_of_peer_(Refused(metrics, "too_many_of_peer")),
        no_descriptors_(Refused(metrics, "no_descriptors")),
        unanswered_(Refused(metrics, "unanswered")) {}

  ~Gate() override {
    if (thread_.joinable()) {
      Tell([this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { stopping_ = true; });
      thread_.join();
    }
    StopListening();
    for (const auto& [fd, connection] : connections_) close(fd);
    open_.Add(-static_cast<double>(connections_.size()));
    close(wake_);
    close(epoll_);
  }

  int port() const override { return listening_.port; }

  void Open(std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> acceptor) override {
    acceptor_ = std::move(acceptor);
    Watch(wake_, EPOLLIN);
    for (const int fd : listening_.fds) Watch(fd, EPOLLIN);
    thread_ = std::thread([this] {
      NameThisThread("gate");
      Run();
    });
  }

  void Close() override {
    if (!thread_.joinable()) return;
    Tell([this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { closing_ = true; });
    MutexLock lock(&mutex_);
    while (!closed_) changed_.Wait(&mutex_);
  }

 private:
  static Counter& Refused(Metrics* metrics, const std::string& why) {
    return metrics->counter("ipp_connections_refused_total",
                            "Connections that were not taken, or cut off, by port and reason.",
                            {{"port", "grpc"}, {"reason", why}});
  }

  void Watch(int fd, uint32_t events) const {
    epoll_event event{.events = events, .data = {.fd = fd}};
    epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
  }

  template <typename Change>
  void Tell(Change change) ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      MutexLock lock(&mutex_);
      change();
    }
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = write(wake_, &one, sizeof(one));
  }

  void Run() {
    std::array<epoll_event, 64> events;
    Steady::time_point look = Steady::now() + kTrafficInterval;
    while (RunOrders()) {
      // Without connections there is nothing to check, so wait without a timeout.
      const int wait =
          connections_.empty() && !paused_ ? -1 : static_cast<int>(kTrafficInterval.count());
      const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), wait);
      for (int i = 0; i < count; ++i) Handle(events[static_cast<size_t>(i)].data.fd);
      const Steady::time_point now = Steady::now();
      if (paused_ && now >= resume_) PauseListening(false);
      if (now < look) continue;
      LookAtAll();
      look = now + kTrafficInterval;
    }
  }

  // Carries out Close() and the destructor's request to stop. False if the thread must end.
  bool RunOrders() {
    MutexLock lock(&mutex_);
    if ((closing_ || stopping_) && !closed_) {
      StopListening();
      closed_ = true;
      changed_.SignalAll();
    }
    return !stopping_;
  }

  void Handle(int fd) {
    if (fd == wake_) {
      uint64_t count = 0;
      [[maybe_unused]] const ssize_t taken = read(wake_, &count, sizeof(count));
      return;
    }
    for (const int listening : listening_.fds) {
      if (fd == listening) return Accept(fd);
    }
    // gRPC has shut the connection down, or its peer has reset it.
    Forget(fd);
  }

  void Accept(int listening) {
    // Accepts a limited number at a time, so that a flood of connections does not delay the checks
    // of the existing ones.
    for (int i = 0; i < 64; ++i) {
      sockaddr_storage peer{};
      socklen_t size = sizeof(peer);
      const int fd = accept4(listening, reinterpret_cast<sockaddr*>(&peer), &size,
                             SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd >= 0) {
        if (!Admit(listening, fd, KeyOf(peer))) return;
        continue;
      }
      if (errno == EINTR || errno == ECONNABORTED) continue;
      if (errno == EAGAIN) return;
      return NoDescriptors(strerror(errno));
    }
  }

  // False if no descriptor is left for connections.
  bool Admit(int listening, int fd, const PeerKey& peer) {
    if (connections_.size() >= static_cast<size_t>(options_.max_connections)) {
      too_many_.Add();
      Warn("a connection too many to the gRPC port",
           absl::StrCat("limit ", options_.max_connections));
      close(fd);
      return true;
    }
    if (options_.max_per_peer > 0 && CountOf(peer) >= options_.max_per_peer) {
      too_many_of_peer_.Add();
      Warn("a connection too many of one peer to the gRPC port",
           absl::StrCat(Shown(peer), ", limit ", options_.max_per_peer));
      close(fd);
      return true;
    }
    const int duplicate = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (duplicate < 0 || IsHeldBack(duplicate)) {
      const std::string why =
          duplicate < 0 ? strerror(errno) : "the remaining descriptors are held back";
      if (duplicate >= 0) close(duplicate);
      close(fd);
      NoDescriptors(why);
      return false;
    }
    connections_[duplicate] = {.traffic = {}, .peer = peer};
    if (options_.max_per_peer > 0) ++of_peer_[peer];
    open_.Add(1);
    // Asks for no event: EPOLLHUP (both directions are shut down) and EPOLLERR are always reported.
    Watch(duplicate, 0);
    grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters connection;
    connection.listener_fd = listening;
    connection.fd = fd;
    acceptor_->HandleNewConnection(&connection);
    return true;
  }

  int CountOf(const PeerKey& peer) const {
    const auto found = of_peer_.find(peer);
    return found == of_peer_.end() ? 0 : found->second;
  }

  void NoDescriptors(const std::string& why) {
    no_descriptors_.Add();
    Warn("cannot accept a connection to the gRPC port", why);
    resume_ = Steady::now() + kAcceptPause;
    PauseListening(true);
  }

  void PauseListening(bool pause) {
    paused_ = pause;
    for (const int fd : listening_.fds) {
      epoll_event event{.events = pause ? 0u : EPOLLIN, .data = {.fd = fd}};
      epoll_ctl(epoll_, EPOLL_CTL_MOD, fd, &event);
    }
  }

  void StopListening() {
    for (const int fd : listening_.fds) close(fd);
    listening_.fds.clear();
    paused_ = false;
  }

  void LookAtAll() {
    std::vector<int> gone;
    for (auto& [fd, connection] : connections_) {
      Traffic& last = connection.traffic;
      Traffic now;
      if (!ReadTraffic(fd, &now)) {
        gone.push_back(fd);
      } else if (now.sent != last.sent) {
        last = now;
      } else if (now.received - last.received > static_cast<uint64_t>(options_.most_unanswered)) {
        unanswered_.Add();
        Warn("a connection to the gRPC port is cut off",
             absl::StrCat("sent ", now.received - last.received, " bytes that ask for no answer"));
        CutOff(fd);
        gone.push_back(fd);
      }
    }
    for (const int fd : gone) Forget(fd);
  }

  // Ends the connection; gRPC notices when it reads.
  static void CutOff(int fd) {
    // Discards unsent data and resets the connection.
    const linger now{.l_onoff = 1, .l_linger = 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    shutdown(fd, SHUT_RDWR);
  }

  void Forget(int fd) {
    const auto found = connections_.find(fd);
    if (found == connections_.end()) return;
    if (const auto of_peer = of_peer_.find(found->second.peer);
        of_peer != of_peer_.end() && --of_peer->second <= 0) {
      of_peer_.erase(of_peer);
    }
    connections_.erase(found);
    close(fd);
    open_.Add(-1);
  }

  void Warn(absl::string_view message, const std::string& why) {
    if (const auto left_out = allowance_.Take()) {
      LogWarning(message, {{"why", why}, {"left_out", absl::StrCat(*left_out)}});
    }
  }

  const GateOptions options_;
  ListeningSockets listening_;  // owned by the thread, once there is one
  const int epoll_;
  const int wake_;
  Gauge& open_;
  Counter& too_many_;
  Counter& too_many_of_peer_;
  Counter& no_descriptors_;
  Counter& unanswered_;
  LogRateLimiter allowance_{1, 5};
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> acceptor_;
  struct Connection {
    Traffic traffic = {};  // the counters when something was last sent
    PeerKey peer = {};
  };
  // Used by the thread only.
  std::unordered_map<int, Connection> connections_;  // by the duplicate descriptor
  // How many each peer has; empty without a limit for them. Never larger than connections_.
  std::map<PeerKey, int> of_peer_;
  bool paused_ = false;
  Steady::time_point resume_;
  std::thread thread_;

  Mutex mutex_;
  CondVar changed_;
  bool closing_ ABSL_GUARDED_BY(mutex_) = false;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace

absl::StatusOr<std::unique_ptr<ConnectionGate>> ConnectionGate::Listen(const GateOptions& options,
                                                                       Metrics* metrics) {
  IPP_ASSIGN_OR_RETURN(ListeningSockets sockets, ListenOn(options.listen, options.unacknowledged));
  return std::make_unique<Gate>(options, std::move(sockets), metrics);
}

}  // namespace ipp::grpc_port
