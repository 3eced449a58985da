#include "simulator/webhook_transport.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

namespace ipp::simulator {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using beast::error_code;
using tcp = asio::ip::tcp;

constexpr size_t kMaxAnswerBytes = 64 * 1024;
constexpr size_t kShownAnswerBytes = 200;

std::string Beginning(const std::string& body) {
  std::string text = body.substr(0, kShownAnswerBytes);
  for (char& c : text) {
    if ((c < ' ' && c != '\n') || c > '~') c = '?';
  }
  return text;
}

// One connection to a receiver; carries one attempt at a time.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  enum class After {
    kReusable,
    kSpent,
    kStale,  // was closed by the peer before this attempt, most likely: nothing has been tried
  };
  using Done = std::function<void(WebhookAnswer answer, After after)>;

  Connection(asio::io_context& loop, std::chrono::milliseconds timeout)
      : resolver_(loop), stream_(loop), timeout_(timeout) {}

  void Post(const WebhookRequest& request, Done done) {
    done_ = std::move(done);
    answer_.reset();
    message_ = {http::verb::post, request.url.target, 11};
    message_.set(http::field::host, request.url.host + ":" + request.url.port);
    message_.set(http::field::user_agent, "ipp-simulator/" IPP_SIMULATOR_VERSION);
    message_.set(http::field::content_type, request.content_type);
    message_.set(request.id_header, request.webhook_id);
    message_.set(request.timestamp_header, request.timestamp);
    message_.set(request.signature_header, request.signature);
    message_.body() = request.body;
    message_.prepare_payload();
    stream_.expires_after(timeout_);
    if (connected_) {
      reused_ = true;
      Write();
    } else {
      Resolve(request.url);
    }
  }

 private:
  void Resolve(const Url& url) {
    resolver_.async_resolve(
        url.host, url.port,
        [self = shared_from_this()](error_code error, const tcp::resolver::results_type& found) {
          if (error) return self->Fail(error);
          self->Connect(found);
        });
  }

  void Connect(const tcp::resolver::results_type& endpoints) {
    stream_.async_connect(endpoints,
                          [self = shared_from_this()](error_code error, const tcp::endpoint&) {
                            if (error) return self->Fail(error);
                            error_code ignored;
                            self->stream_.socket().set_option(tcp::no_delay(true), ignored);
                            self->connected_ = true;
                            self->Write();
                          });
  }

  void Write() {
    http::async_write(stream_, message_, [self = shared_from_this()](error_code error, size_t) {
      if (error) return self->Fail(error);
      self->Read();
    });
  }

  void Read() {
    answer_.emplace();
    answer_->body_limit(kMaxAnswerBytes);
    http::async_read(
        stream_, buffer_, *answer_, [self = shared_from_this()](error_code error, size_t) {
          if (error) return self->Fail(error);
          const auto& answer = self->answer_->get();
          self->Finish(
              {.status = static_cast<int>(answer.result_int()), .text = Beginning(answer.body())},
              answer.keep_alive() ? After::kReusable : After::kSpent);
        });
  }

  void Fail(error_code error) {
    const bool stale =
        reused_ && error != beast::error::timeout && !(answer_ && answer_->got_some());
    Finish({}, stale ? After::kStale : After::kSpent);
  }

  void Finish(WebhookAnswer answer, After after) {
    stream_.expires_never();
    std::exchange(done_, nullptr)(std::move(answer), after);
  }

  tcp::resolver resolver_;
  beast::tcp_stream stream_;
  const std::chrono::milliseconds timeout_;
  beast::flat_buffer buffer_;
  http::request<http::string_body> message_;
  std::optional<http::response_parser<http::string_body>> answer_;
  Done done_;
  bool connected_ = false;
  bool reused_ = false;
};

class HttpWebhookTransport : public WebhookTransport {
 public:
  HttpWebhookTransport(asio::io_context& loop, std::chrono::milliseconds timeout)
      : loop_(loop), timeout_(timeout) {}

  void Post(WebhookRequest request, Done done) override {
    auto& idle = idle_[request.url.host + ":" + request.url.port];
    if (idle.empty()) return PostOn(NewConnection(), std::move(request), std::move(done));
    auto connection = std::move(idle.back());
    idle.pop_back();
    PostOn(connection, std::move(request), std::move(done));
  }

 private:
  std::shared_ptr<Connection> NewConnection() {
    return std::make_shared<Connection>(loop_, timeout_);
  }

  void PostOn(const std::shared_ptr<Connection>& connection, WebhookRequest request, Done done) {
    auto shared_request = std::make_shared<WebhookRequest>(std::move(request));
    // A plain pointer: the connection holds this callback, and itself for as long as it is at work.
    connection->Post(*shared_request, [this, connection = connection.get(), shared_request,
                                       done = std::move(done)](WebhookAnswer answer,
                                                               Connection::After after) mutable {
      if (after == Connection::After::kStale) {
        return PostOn(NewConnection(), std::move(*shared_request), std::move(done));
      }
      if (after == Connection::After::kReusable) {
        const Url& url = shared_request->url;
        idle_[url.host + ":" + url.port].push_back(connection->shared_from_this());
      }
      done(std::move(answer));
    });
  }

  asio::io_context& loop_;
  const std::chrono::milliseconds timeout_;
  std::unordered_map<std::string, std::vector<std::shared_ptr<Connection>>> idle_;
};

}  // namespace

std::unique_ptr<WebhookTransport> MakeHttpWebhookTransport(asio::io_context& loop,
                                                           std::chrono::milliseconds timeout) {
  return std::make_unique<HttpWebhookTransport>(loop, timeout);
}

}  // namespace ipp::simulator
