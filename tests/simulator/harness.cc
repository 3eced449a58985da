#include "tests/simulator/harness.h"

#include <poll.h>
#include <sys/socket.h>

#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <chrono>

namespace ipp::simulator {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;
using tcp = asio::ip::tcp;

constexpr std::chrono::seconds kPatience{30};

template <typename Text>
std::string Std(const Text& text) {
  return std::string(text.data(), text.size());
}

const boost::json::value* Find(const boost::json::value& value, const std::string& path) {
  const boost::json::value* at = &value;
  for (size_t begin = 0; at != nullptr && begin <= path.size();) {
    const size_t end = std::min(path.find('.', begin), path.size());
    const std::string step = path.substr(begin, end - begin);
    if (at->is_array()) {
      at = at->get_array().if_contains(std::stoul(step));
    } else {
      at = at->is_object() ? at->get_object().if_contains(step) : nullptr;
    }
    begin = end + 1;
  }
  return at;
}

}  // namespace

bool Reply::reset() const { return error == asio::error::connection_reset; }

bool Reply::closed() const {
  return error == http::error::end_of_stream || error == http::error::partial_message;
}

std::string Reply::Header(const std::string& name) const {
  for (const auto& [key, value] : headers) {
    if (key == name) return value;
  }
  return {};
}

boost::json::value Reply::Json() const {
  error_code error;
  auto value = boost::json::parse(body, error);
  EXPECT_FALSE(error) << status << ": " << body;
  return value;
}

std::string At(const boost::json::value& value, const std::string& path) {
  const boost::json::value* at = Find(value, path);
  if (at == nullptr) return "(absent)";
  return at->is_string() ? Std(at->get_string()) : boost::json::serialize(*at);
}

size_t SizeAt(const boost::json::value& value, const std::string& path) {
  const boost::json::value* at = Find(value, path);
  return at != nullptr && at->is_array() ? at->get_array().size() : 0;
}

error_code TryConnect(uint16_t port) {
  asio::io_context loop;
  tcp::socket socket(loop);
  error_code error;
  socket.connect({asio::ip::address_v4::loopback(), port}, error);
  return error;
}

struct Client::Connection {
  asio::io_context loop;
  tcp::socket socket{loop};
  asio::ssl::context context{asio::ssl::context::tls_client};
  std::optional<asio::ssl::stream<tcp::socket&>> tls;
  boost::beast::flat_buffer buffer;
  bool sent_head = false;

  template <typename Use>
  void With(Use use) {
    tls ? use(*tls) : use(socket);
  }
};

Client::Client(uint16_t port, const Alpn& alpn) : connection_(std::make_unique<Connection>()) {
  error_code error;
  connection_->socket.connect({asio::ip::address_v4::loopback(), port}, error);
  EXPECT_FALSE(error) << error.message();
  if (!alpn) return;
  auto& tls = connection_->tls.emplace(connection_->socket, connection_->context);
  SSL_set_alpn_protos(tls.native_handle(), reinterpret_cast<const unsigned char*>(alpn->data()),
                      static_cast<unsigned>(alpn->size()));
  tls.handshake(asio::ssl::stream_base::client, error);
  EXPECT_FALSE(error) << error.message();
}

std::string Client::alpn() const {
  const unsigned char* name = nullptr;
  unsigned size = 0;
  if (connection_->tls) SSL_get0_alpn_selected(connection_->tls->native_handle(), &name, &size);
  return {reinterpret_cast<const char*>(name), size};
}

Client::~Client() = default;
Client::Client(Client&&) noexcept = default;

Reply Client::Call(const std::string& method, const std::string& target, const Headers& headers,
                   const std::string& body) {
  http::request<http::string_body> request;
  request.method_string(method);
  request.target(target);
  request.version(11);
  request.set(http::field::host, "localhost");
  for (const auto& [name, value] : headers) request.set(name, value);
  request.body() = body;
  if (!body.empty() || method == "POST") request.prepare_payload();
  error_code error;
  connection_->With([&](auto& stream) { http::write(stream, request, error); });
  connection_->sent_head = method == "HEAD";
  return ReadReply();
}

void Client::SendRaw(const std::string& bytes) {
  error_code error;
  connection_->With([&](auto& stream) { asio::write(stream, asio::buffer(bytes), error); });
}

Reply Client::ReadReply(std::chrono::milliseconds patience) {
  // Asio's blocking reads know no time limit: they poll again when the socket's own has passed.
  pollfd readable{connection_->socket.native_handle(), POLLIN, 0};
  if (!connection_->tls && connection_->buffer.size() == 0 &&
      ::poll(&readable, 1, static_cast<int>(patience.count())) == 0) {
    Reply reply;
    reply.error = asio::error::timed_out;
    return reply;
  }
  http::response_parser<http::string_body> parser;
  parser.body_limit(64 * 1024 * 1024);
  parser.skip(connection_->sent_head);
  error_code error;
  connection_->With([&](auto& stream) { http::read(stream, connection_->buffer, parser, error); });
  Reply reply;
  reply.error = error;
  reply.body = parser.get().body();
  if (!error) reply.status = static_cast<int>(parser.get().result_int());
  reply.keep_alive = parser.get().keep_alive();
  for (const auto& field : parser.get()) {
    reply.headers.emplace_back(Std(field.name_string()), Std(field.value()));
  }
  return reply;
}

std::string Client::ReadToEnd() {
  std::string bytes;
  error_code error;
  connection_->With([&](auto& stream) { asio::read(stream, asio::dynamic_buffer(bytes), error); });
  return bytes;
}

std::string Delivery::type() const { return At(boost::json::parse(body), "type"); }
std::string Delivery::event_id() const { return At(boost::json::parse(body), "id"); }
std::string Delivery::session_id() const { return At(boost::json::parse(body), "data.session_id"); }

struct Receiver::Listener {
  asio::io_context loop;
  tcp::acceptor acceptor{loop, {asio::ip::address_v4::loopback(), 0}};
};

Receiver::Receiver(Answer answer)
    : answer_(std::move(answer)),
      listener_(std::make_unique<Listener>()),
      acceptor_([this] { Accept(); }) {}

Receiver::~Receiver() {
  ::shutdown(listener_->acceptor.native_handle(), SHUT_RDWR);  // wakes the blocking accept
  acceptor_.join();
  {
    std::lock_guard lock(mutex_);
    for (const int socket : sockets_) ::shutdown(socket, SHUT_RDWR);
  }
  for (auto& thread : threads_) thread.join();
}

std::string Receiver::url() const {
  return "http://127.0.0.1:" + std::to_string(listener_->acceptor.local_endpoint().port()) +
         "/hooks";
}

void Receiver::Accept() {
  for (int number = 1;; ++number) {
    error_code error;
    tcp::socket socket(listener_->loop);
    listener_->acceptor.accept(socket, error);
    if (error) return;
    const int handle = socket.release();
    std::lock_guard lock(mutex_);
    sockets_.push_back(handle);
    threads_.emplace_back([this, handle, number] { Serve(handle, number); });
  }
}

void Receiver::Serve(int handle, int number) {
  asio::io_context loop;
  tcp::socket socket(loop, tcp::v4(), handle);
  boost::beast::flat_buffer buffer;
  error_code error;
  while (true) {
    http::request<http::string_body> request;
    http::read(socket, buffer, request, error);
    if (error) break;
    Delivery delivery{Std(request["webhook-id"]), Std(request["webhook-timestamp"]),
                      Std(request["webhook-signature"]), request.body(), number};
    for (const auto& field : request) {
      delivery.headers.emplace_back(Std(field.name_string()), Std(field.value()));
    }
    http::response<http::string_body> response;
    {
      std::lock_guard lock(mutex_);
      response.result(static_cast<unsigned>(answer_(delivery)));
      deliveries_.push_back(std::move(delivery));
      changed_.notify_all();
    }
    response.keep_alive(request.keep_alive());
    response.prepare_payload();
    http::write(socket, response, error);
    if (error) break;
  }
  std::lock_guard lock(mutex_);
  std::erase(sockets_, handle);  // before the number can be given to another socket
  socket.close(error);
}

std::vector<Delivery> Receiver::Wait(size_t count) {
  std::unique_lock lock(mutex_);
  EXPECT_TRUE(changed_.wait_for(lock, kPatience, [&] { return deliveries_.size() >= count; }))
      << "only " << deliveries_.size() << " of " << count << " deliveries came";
  return deliveries_;
}

void SimulatorTest::Start(Simulator::Options options) {
  client_.reset();
  options.locations = locations_;
  std::string error;
  simulator_ = Simulator::Start(options, &error);
  ASSERT_NE(simulator_, nullptr) << error;
  client_ = std::make_unique<Client>(simulator_->port());
}

Reply SimulatorTest::Get(const std::string& target) { return Send("GET", target); }

Reply SimulatorTest::Send(const std::string& method, const std::string& target,
                          const std::string& body) {
  Headers headers = {{"Authorization", std::string("Basic ") + kKey},
                     {"x-merchant-id", kMerchantId}};
  if (!body.empty()) headers.emplace_back("Content-Type", "application/json");
  return client_->Call(method, target, headers, body);
}

std::string SimulatorTest::NewDevice(const std::string& more_fields) {
  const Reply reply = Post("/ipp/v1/dev/devices", R"({"name":"Till")" + more_fields + "}");
  EXPECT_EQ(reply.status, 201) << reply.body;
  return At(reply.Json(), "id");
}

std::string SimulatorTest::NewSession() {
  const Reply reply = Post("/ipp/v1/sessions", OrderFor(NewDevice()));
  EXPECT_EQ(reply.status, 200) << reply.body;
  return At(reply.Json(), "session_id");
}

Reply SimulatorTest::Tap(const std::string& session_id, const std::string& outcome) {
  return Post("/ipp/v1/dev/sessions/" + session_id + "/simulate-tap?outcome=" + outcome);
}

std::string SimulatorTest::StatusOf(const std::string& session_id) {
  return At(Get("/ipp/v1/sessions/" + session_id).Json(), "status");
}

std::string OrderFor(const std::string& device_id) {
  return R"({"device_id":")" + device_id + R"(","order_amount":25000,"order_tax_amount":5000,)" +
         R"("purchase_currency":"SEK","purchase_started_at":"2026-09-21T14:13:20Z",)" +
         R"("merchant_reference1":"SHOP-1001","merchant_data":"{\"order_id\":1001}",)" +
         R"("order_items":[{"type":"physical","reference":"C-1","name":"Coffee","quantity":2,)" +
         R"("unit_price":12500,"total_amount":25000,"total_discount_amount":0,"tax_rate":2500,)" +
         R"("total_tax_amount":5000}]})";
}

}  // namespace ipp::simulator
