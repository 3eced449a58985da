#include "tests/bench/http_load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <deque>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "server/webhook/signature.h"
#include "tests/bench/flags.h"

namespace ipp::bench {
namespace {

constexpr char kPrefix[] = "kevt_";
constexpr size_t kDigits = 22;

// A keep-alive connection with at most one request under way.
class Connection {
 public:
  explicit Connection(int port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
      Die(absl::StrCat("cannot connect to port ", port, ": ", strerror(errno)));
    }
    const int on = 1;
    setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  }
  ~Connection() { close(socket_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  int socket() const { return socket_; }

  void Send(const std::string& request) {
    if (send(socket_, request.data(), request.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(request.size())) {
      Die("a request could not be sent at once");
    }
  }

  // Something is there to be read. True when the answer is whole.
  bool Receive() {
    char buffer[4096];
    const ssize_t got = recv(socket_, buffer, sizeof(buffer), 0);
    if (got <= 0) Die("the connection was closed");
    answer_.append(buffer, static_cast<size_t>(got));
    const size_t head = answer_.find("\r\n\r\n");
    if (head == answer_.npos) return false;
    constexpr absl::string_view kLength = "\r\nContent-Length: ";
    const size_t at = answer_.find(kLength.data(), 0, kLength.size());
    size_t length = 0;
    if (at == answer_.npos ||
        !absl::SimpleAtoi(
            absl::string_view(answer_).substr(at + kLength.size(),
                                              answer_.find("\r\n", at + 2) - at - kLength.size()),
            &length)) {
      Die("an answer without its length: " + answer_);
    }
    if (answer_.size() < head + 4 + length) return false;
    if (!absl::StartsWith(answer_, "HTTP/1.1 200")) Die("refused: " + answer_);
    answer_.clear();
    return true;
  }

 private:
  const int socket_;
  std::string answer_;
};

// Drives the connections with one epoll.
class Loop {
 public:
  Loop(const HttpLoad& load, const std::vector<std::string>& requests)
      : load_(load), requests_(requests), epoll_(epoll_create1(0)), begin_ns_(NowNs()) {
    for (int i = 0; i < load.connections; ++i) {
      Connection& connection = connections_.emplace_back(load.port);
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.ptr = &connection;
      epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.socket(), &event);
      free_.push_back(&connection);
    }
  }
  ~Loop() { close(epoll_); }

  void Run() {
    while (answered_ < requests_.size()) {
      SendWhatIsDue();
      epoll_event events[64];
      const int ready = epoll_wait(epoll_, events, 64, WaitMs());
      for (int i = 0; i < ready; ++i) {
        auto* connection = static_cast<Connection*>(events[i].data.ptr);
        if (!connection->Receive()) continue;
        free_.push_back(connection);
        ++answered_;
        if (load_.on_answer) load_.on_answer(answered_);
      }
    }
  }

 private:
  int64_t DueNs() const {
    if (load_.per_second == 0) return 0;
    return begin_ns_ + static_cast<int64_t>(static_cast<double>(sent_) / load_.per_second * 1e9);
  }

  void SendWhatIsDue() {
    while (sent_ < requests_.size() && !free_.empty()) {
      const int64_t now = NowNs();
      const int64_t due = DueNs();
      if (due > now) return;
      if (load_.on_send) load_.on_send(sent_, due == 0 ? now : due);
      free_.front()->Send(requests_[sent_++]);
      free_.pop_front();
    }
  }

  // epoll counts in milliseconds; what is due sooner than one is waited for by looking again.
  int WaitMs() const {
    if (sent_ == requests_.size() || free_.empty() || load_.per_second == 0) return 10'000;
    const int64_t left = DueNs() - NowNs();
    return left <= 0 ? 0 : static_cast<int>(left / 1'000'000);
  }

  const HttpLoad& load_;
  const std::vector<std::string>& requests_;
  const int epoll_;
  const int64_t begin_ns_;
  std::deque<Connection> connections_;
  std::deque<Connection*> free_;
  size_t sent_ = 0;
  size_t answered_ = 0;
};

}  // namespace

int64_t NowNs() { return std::chrono::steady_clock::now().time_since_epoch().count(); }

std::string EventId(int64_t number) { return absl::StrFormat("%s%0*d", kPrefix, kDigits, number); }

int64_t EventNumber(const std::string& message) {
  const size_t at = message.find(kPrefix);
  int64_t number = -1;
  if (at == message.npos ||
      !absl::SimpleAtoi(absl::string_view(message).substr(at + sizeof(kPrefix) - 1, kDigits),
                        &number)) {
    return -1;
  }
  return number;
}

std::vector<std::string> SignedWebhooks(const std::string& secret, const std::string& merchant,
                                        const std::vector<std::string>& sessions, int64_t first,
                                        int count) {
  const auto key = webhook::DecodeSecret(secret);
  if (!key.ok()) Die(std::string(key.status().message()));
  const absl::Time now = absl::Now();
  const std::string stamp = absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", now, absl::UTCTimeZone());
  const std::string seconds = absl::StrCat(absl::ToUnixSeconds(now));
  std::vector<std::string> requests;
  requests.reserve(static_cast<size_t>(count));
  for (int64_t i = first; i < first + count; ++i) {
    const std::string id = EventId(i);
    const std::string body =
        absl::StrCat(R"({"id":")", id, R"(","merchant_id":")", merchant, R"(","timestamp":")",
                     stamp, R"(","type":"ipp.payment.failed","data":{"session_id":")",
                     sessions[static_cast<size_t>(i) % sessions.size()],
                     R"(","order_id":null,"failure_reason":"insufficient_funds"}})");
    requests.push_back(absl::StrCat(
        "POST /webhooks/kustom HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
        "webhook-id: ",
        id, "\r\nwebhook-timestamp: ", seconds,
        "\r\nwebhook-signature: ", webhook::Sign(*key, id, seconds, body),
        "\r\nContent-Length: ", body.size(), "\r\n\r\n", body));
  }
  return requests;
}

void Run(const HttpLoad& load, const std::vector<std::string>& requests) {
  Loop(load, requests).Run();
}

}  // namespace ipp::bench
