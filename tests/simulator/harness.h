#pragma once

#include <boost/json/value.hpp>
#include <boost/system/error_code.hpp>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "simulator/simulator.h"

namespace ipp::simulator {

using Headers = std::vector<std::pair<std::string, std::string>>;

struct Reply {
  int status = 0;                   // 0: no whole answer came
  boost::system::error_code error;  // why
  std::string body;                 // what came of it
  Headers headers;
  bool keep_alive = false;

  bool reset() const;   // by the server
  bool closed() const;  // in the middle of an answer or before it
  std::string Header(const std::string& name) const;
  boost::json::value Json() const;  // null, and a failed test, if the body is none
};

// What comes of connecting to the simulator: no error, or the connection is refused.
boost::system::error_code TryConnect(uint16_t port);

// What an HTTP/1.1 client may say of TLS: nothing, or what it offers by ALPN, as on the wire (each
// name behind its length); empty: no ALPN.
using Alpn = std::optional<std::string>;

// One connection to the simulator by HTTP/1.1, blocking.
class Client {
 public:
  explicit Client(uint16_t port, const Alpn& alpn = std::nullopt);
  ~Client();
  Client(Client&&) noexcept;

  Reply Call(const std::string& method, const std::string& target, const Headers& headers = {},
             const std::string& body = {});
  void SendRaw(const std::string& bytes);
  std::string ReadToEnd();   // of the connection, as bytes
  std::string alpn() const;  // agreed on
  // `patience` is for the first byte, and without TLS.
  Reply ReadReply(std::chrono::milliseconds patience = std::chrono::seconds(30));

 private:
  struct Connection;
  std::unique_ptr<Connection> connection_;
};

struct Delivery {
  std::string id;
  std::string timestamp;
  std::string signature;
  std::string body;
  int connection = 0;
  Headers headers = {};  // names as they were sent

  std::string type() const;
  std::string event_id() const;
  std::string session_id() const;
};

// A webhook receiver. `answer` chooses the status for each delivery; it runs on threads of the
// receiver, one at a time.
class Receiver {
 public:
  using Answer = std::function<int(const Delivery&)>;
  explicit Receiver(Answer answer = [](const Delivery&) { return 200; });
  ~Receiver();

  std::string url() const;
  // Waits until there were so many deliveries, and gives all.
  std::vector<Delivery> Wait(size_t count);

 private:
  struct Listener;
  void Accept();
  void Serve(int socket, int number);

  const Answer answer_;
  std::unique_ptr<Listener> listener_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Delivery> deliveries_;
  std::vector<int> sockets_;
  std::vector<std::thread> threads_;
  std::thread acceptor_;
};

inline constexpr char kMerchantId[] = "PM00000001";
inline constexpr char kKey[] = "kco_test_api_simulator";
inline constexpr char kLocation1[] = "10c00000-0000-4000-8000-000000000001";
inline constexpr char kLocation2[] = "10c00000-0000-4000-8000-000000000002";
inline constexpr char kNobody[] = "99999999-9999-4999-8999-999999999999";

// A running simulator with a client that speaks for the default merchant.
class SimulatorTest : public testing::Test {
 protected:
  void SetUp() override { Start({}); }
  void Start(Simulator::Options options);

  Reply Get(const std::string& target);
  // Sends JSON unless `body` is empty.
  Reply Send(const std::string& method, const std::string& target, const std::string& body = {});
  Reply Post(const std::string& target, const std::string& body = {}) {
    return Send("POST", target, body);
  }

  std::string NewDevice(const std::string& more_fields = {});  // its id
  std::string NewSession();                                    // its id
  Reply Tap(const std::string& session_id, const std::string& outcome);
  std::string StatusOf(const std::string& session_id);

  // Start() gives the merchants this many, whatever its options say: most tests need a choice.
  size_t locations_ = 2;
  std::unique_ptr<Simulator> simulator_;
  std::unique_ptr<Client> client_;
};

// A good body of POST sessions.
std::string OrderFor(const std::string& device_id);

// The string at a path of keys and indexes such as "content.0.name"; other values as JSON.
std::string At(const boost::json::value& value, const std::string& path);
size_t SizeAt(const boost::json::value& value, const std::string& path);

// Readable names of table rows.
template <typename Row>
std::string RowName(const testing::TestParamInfo<Row>& info) {
  return info.param.name;
}

}  // namespace ipp::simulator
