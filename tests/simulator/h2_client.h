#pragma once

#include <boost/system/error_code.hpp>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "tests/simulator/harness.h"

namespace ipp::simulator {

// What came on one stream.
struct H2Reply {
  int status = 0;
  Headers headers;
  std::string body;
  bool ended = false;             // by END_STREAM
  std::optional<uint32_t> reset;  // by RST_STREAM, with this code
  int informed = 0;               // the status of the last interim answer

  std::string Header(const std::string& name) const;
  boost::json::value Json() const { return AsReply().Json(); }
  Reply AsReply() const;
};

struct H2GoAway {
  int32_t last_stream = 0;
  uint32_t error = 0;
};

// One HTTP/2 connection over TLS, blocking, by libnghttp2's client side.
class H2Client {
 public:
  explicit H2Client(uint16_t port);
  ~H2Client();
  H2Client(H2Client&&) noexcept;

  // Begins a request for the default merchant and gives its stream; nothing waits for the answer.
  // Headers given go before those of the default.
  int32_t Send(const std::string& method, const std::string& target, const std::string& body = {},
               const Headers& headers = {});
  // Begins one whose body does not come until Continue.
  int32_t SendHead(const std::string& method, const std::string& target,
                   const Headers& headers = {});
  // The body, all of it if `end`.
  void Continue(int32_t stream, const std::string& body, bool end = true);
  void ResetStream(int32_t stream);
  // Says how many bytes the server may send on each stream; without it, 64 KiB at a time.
  void SetWindow(uint32_t bytes);
  // Past nghttp2, for what it would not send.
  void SendRaw(std::string_view bytes);

  // Reads until the stream or the connection is at its end.
  H2Reply Wait(int32_t stream);
  H2Reply Call(const std::string& method, const std::string& target, const std::string& body = {}) {
    return Wait(Send(method, target, body));
  }
  // Reads until there is a head on the stream; false if the connection ends before.
  bool WaitForHead(int32_t stream);
  // Reads until the server has acknowledged a PING, so that it has seen all that was sent before.
  bool Ping();
  // Reads until the connection is at its end, and says which.
  boost::system::error_code WaitForEnd();
  // Reads what comes within that time, and says whether the connection is still there.
  bool IsOpenAfter(std::chrono::milliseconds time);

  // What has come so far.
  const H2Reply& Seen(int32_t stream);
  const std::optional<H2GoAway>& goaway() const;

 private:
  struct Connection;
  std::unique_ptr<Connection> connection_;
};

// The ends of a connection.
bool IsReset(const boost::system::error_code& end);      // RST
bool IsClosed(const boost::system::error_code& end);     // close_notify, as TLS asks for
bool IsTruncated(const boost::system::error_code& end);  // FIN alone

// A running simulator with a TLS listener, and a control listener that no fault reaches.
class SimulatorTlsTest : public SimulatorTest {
 protected:
  void SetUp() override { StartTls({}); }
  void StartTls(Simulator::Options options);

  uint16_t tls_port() const { return simulator_->tls_port(); }
  void Rules(const std::string& rules);
  boost::json::value Truth(const std::string& what);
  // Waits until so many requests were read.
  void WaitForRequests(int count);

  std::unique_ptr<Client> control_;
};

// Of every test in this process.
const std::string& CertificateFile();
const std::string& KeyFile();

}  // namespace ipp::simulator
