// The TLS listener: what is agreed on, HTTP/1.1 within it, and what both listeners share.

#include <openssl/ssl.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>

#include "tests/simulator/h2_client.h"
#include "tests/support/tls_front.h"

namespace ipp::simulator {
namespace {

using testing::HasSubstr;

const std::string kOffersHttp11 = "\x08http/1.1";
const std::string kOffersHttp2 = "\x02h2";

class SimulatorTls : public SimulatorTlsTest {
 protected:
  Reply Call(Client& client, const std::string& method, const std::string& target,
             const std::string& body = {}) {
    Headers headers = {{"Authorization", std::string("Basic ") + kKey},
                       {"x-merchant-id", kMerchantId}};
    if (!body.empty()) headers.emplace_back("Content-Type", "application/json");
    return client.Call(method, target, headers, body);
  }
  Client Connect() { return Client(tls_port(), kOffersHttp11); }
};

struct AlpnRow {
  std::string name;
  std::string offered;
  std::string agreed;
};

class SimulatorAlpn : public SimulatorTlsTest, public testing::WithParamInterface<AlpnRow> {};

TEST_P(SimulatorAlpn, ChoosesTheProtocol) {
  EXPECT_EQ(Client(tls_port(), GetParam().offered).alpn(), GetParam().agreed);
}

TEST_P(SimulatorAlpn, AndThenItIsSpoken) {
  if (GetParam().agreed == "h2") {
    EXPECT_EQ(H2Client(tls_port()).Call("GET", "/_sim/state").status, 200);
  } else {
    Client client(tls_port(), GetParam().offered);
    EXPECT_EQ(client.Call("GET", "/_sim/state").status, 200);
  }
}

INSTANTIATE_TEST_SUITE_P(Table, SimulatorAlpn,
                         testing::Values(AlpnRow{"NoAlpn", "", ""},
                                         AlpnRow{"Http11", kOffersHttp11, "http/1.1"},
                                         AlpnRow{"Http2", kOffersHttp2, "h2"},
                                         AlpnRow{"Http2First", kOffersHttp2 + kOffersHttp11, "h2"},
                                         AlpnRow{"Http2Last", kOffersHttp11 + kOffersHttp2, "h2"},
                                         AlpnRow{"Unknown", "\x08http/9.9", ""}),
                         RowName<AlpnRow>);

boost::system::error_code HandshakeUpTo(int version, uint16_t port) {
  boost::asio::io_context loop;
  boost::asio::ssl::context context(boost::asio::ssl::context::tls_client);
  SSL_CTX_set_security_level(context.native_handle(), 0);
  SSL_CTX_set_min_proto_version(context.native_handle(), TLS1_VERSION);
  SSL_CTX_set_max_proto_version(context.native_handle(), version);
  boost::asio::ssl::stream<boost::asio::ip::tcp::socket> stream(loop, context);
  boost::system::error_code error;
  stream.next_layer().connect({boost::asio::ip::address_v4::loopback(), port}, error);
  EXPECT_FALSE(error) << error.message();
  stream.handshake(boost::asio::ssl::stream_base::client, error);
  return error;
}

TEST_F(SimulatorTls, IsOfVersion12AtLeast) {
  EXPECT_FALSE(HandshakeUpTo(TLS1_3_VERSION, tls_port()));
  EXPECT_FALSE(HandshakeUpTo(TLS1_2_VERSION, tls_port()));
  EXPECT_THAT(HandshakeUpTo(TLS1_1_VERSION, tls_port()).message(), HasSubstr("protocol version"));
}

TEST_F(SimulatorTls, CarriesHttp11) {
  Client client = Connect();
  const Reply reply = Call(client, "POST", "/ipp/v1/dev/devices", R"({"name":"a"})");
  EXPECT_EQ(reply.status, 201);
  EXPECT_TRUE(reply.keep_alive);
  EXPECT_EQ(Call(client, "HEAD", "/_sim/state").status, 405);
  EXPECT_EQ(Call(client, "GET", "/ipp/v1/devices").status, 200);
  client.SendRaw("GET /_sim/state HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(client.ReadReply().status, 200);
  EXPECT_TRUE(client.ReadReply().closed());  // with close_notify
}

TEST_F(SimulatorTls, HasHttp11sLimits) {
  Client header = Connect();
  header.SendRaw("GET / HTTP/1.1\r\nX: " + std::string(20'000, 'x') + "\r\n\r\n");
  EXPECT_EQ(header.ReadReply().status, 431);
  EXPECT_TRUE(header.ReadReply().closed());
  Client body = Connect();
  body.SendRaw("POST / HTTP/1.1\r\nContent-Length: 3000000\r\n\r\n" + std::string(3'000'000, ' '));
  EXPECT_EQ(body.ReadReply().status, 413);
  EXPECT_TRUE(body.ReadReply().closed());
}

TEST_F(SimulatorTls, SharesTheWorldAndTheTruth) {
  const std::string session = NewSession();
  H2Client h2(tls_port());
  EXPECT_EQ(At(h2.Call("GET", "/ipp/v1/sessions/" + session).Json(), "session_id"), session);
  Client tls = Connect();
  EXPECT_EQ(Call(tls, "GET", "/ipp/v1/sessions/" + session).status, 200);
  const auto requests = Truth("requests");
  EXPECT_EQ(At(requests, "requests.0.protocol"), "http/1.1");
  EXPECT_EQ(At(requests, "requests.2.protocol"), "h2");
  EXPECT_EQ(At(requests, "requests.3.protocol"), "http/1.1");
  // One number for each connection, wherever it came in.
  EXPECT_EQ(At(requests, "requests.0.connection"), "1");
  EXPECT_EQ(At(requests, "requests.1.connection"), "1");
  EXPECT_EQ(At(requests, "requests.2.connection"), "2");
  EXPECT_EQ(At(requests, "requests.3.connection"), "3");
}

TEST_F(SimulatorTls, LetsFaultsStrikeHttp11) {
  Rules(R"({"on":"list_devices","do":"reset_before_read"},)"
        R"({"on":"list_devices","do":"reset_after_read"},)"
        R"({"on":"list_devices","do":"close_after_read"},)"
        R"({"on":"list_devices","do":"cut_body"},)"
        R"({"on":"list_devices","do":"slow_body","delay_ms":40})");
  const auto list = [&] {
    Client client = Connect();
    return Call(client, "GET", "/ipp/v1/devices");
  };
  EXPECT_TRUE(list().reset());
  EXPECT_TRUE(list().reset());
  EXPECT_TRUE(list().closed());
  const Reply cut = list();
  EXPECT_TRUE(cut.closed());
  EXPECT_FALSE(cut.body.empty());
  const Reply slow = list();
  EXPECT_EQ(slow.status, 200);
  EXPECT_EQ(At(slow.Json(), "page_number"), "0");
  EXPECT_EQ(list().status, 200);
  EXPECT_EQ(At(Truth("requests"), "total"), "5");
}

TEST_F(SimulatorTls, IsNotHurtByWhatIsNone) {
  Client plain(tls_port());
  plain.SendRaw("GET /_sim/state HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(plain.ReadReply().status, 0);
  TryConnect(tls_port());
  Client client = Connect();
  EXPECT_EQ(Call(client, "GET", "/ipp/v1/devices").status, 200);
}

class SimulatorConnections : public SimulatorTls {
 protected:
  std::string CloseUnused() {
    return At(control_->Call("DELETE", "/_sim/connections").Json(), "closed");
  }
};

TEST_F(SimulatorConnections, AreClosedOnBothListenersIfUnused) {
  Client tls = Connect();
  H2Client h2(tls_port());
  for (Client* client : {client_.get(), &tls}) {
    EXPECT_EQ(Call(*client, "GET", "/ipp/v1/devices").status, 200);
  }
  const int32_t last = h2.Send("GET", "/ipp/v1/devices");
  EXPECT_EQ(h2.Wait(last).status, 200);
  EXPECT_EQ(CloseUnused(), "3");
  EXPECT_TRUE(client_->ReadReply().closed());
  EXPECT_TRUE(tls.ReadReply().closed());
  EXPECT_TRUE(IsClosed(h2.WaitForEnd()));
  ASSERT_TRUE(h2.goaway());
  EXPECT_EQ(h2.goaway()->last_stream, last);
  EXPECT_EQ(h2.goaway()->error, 0u);
  EXPECT_EQ(CloseUnused(), "0");
  EXPECT_EQ(H2Client(tls_port()).Call("GET", "/ipp/v1/devices").status, 200);
}

TEST_F(SimulatorConnections, StayWhileARequestIsUnderWay) {
  Rules(R"({"on":"list_devices","do":"delay","delay_ms":300,"count":2})");
  Client half = Connect();
  half.SendRaw("GET /_sim/state HTTP/1.1\r\n");
  H2Client body(tls_port());
  const int32_t begun = body.SendHead("POST", "/ipp/v1/dev/devices");
  ASSERT_TRUE(body.Ping());
  H2Client h2(tls_port());
  const int32_t late = h2.Send("GET", "/ipp/v1/devices");
  client_->SendRaw("GET /ipp/v1/devices HTTP/1.1\r\nHost: a\r\n\r\n");
  WaitForRequests(2);
  EXPECT_EQ(CloseUnused(), "0");
  EXPECT_EQ(h2.Wait(late).status, 200);
  EXPECT_EQ(client_->ReadReply().status, 401);
  body.Continue(begun, "{}");
  EXPECT_EQ(body.Wait(begun).status, 415);
  half.SendRaw("Host: a\r\n\r\n");
  EXPECT_EQ(half.ReadReply().status, 200);
}

TEST_F(SimulatorConnections, StayIfTheyAsk) {
  EXPECT_EQ(At(Send("DELETE", "/_sim/connections").Json(), "closed"), "0");
  EXPECT_EQ(Get("/ipp/v1/devices").status, 200);
  H2Client h2(tls_port());
  EXPECT_EQ(At(h2.Call("DELETE", "/_sim/connections").Json(), "closed"), "1");
  EXPECT_EQ(h2.Call("GET", "/ipp/v1/devices").status, 200);
}

struct FilesRow {
  std::string name;
  std::string certificate;
  std::string key;
  std::string named;
};

class SimulatorTlsFiles : public testing::TestWithParam<FilesRow> {};

TEST_P(SimulatorTlsFiles, AreNamedIfTheyAreOfNoUse) {
  const http::TestCertificate other;
  const auto file = [&](const std::string& which) {
    return which == "certificate" ? CertificateFile()
           : which == "key"       ? KeyFile()
           : which == "other key" ? other.key_file()
                                  : "/nowhere/" + which + ".pem";
  };
  Simulator::Options options;
  options.tls_port = 0;
  options.tls_certificate_file = file(GetParam().certificate);
  options.tls_key_file = file(GetParam().key);
  std::string error;
  EXPECT_EQ(Simulator::Start(options, &error), nullptr);
  EXPECT_THAT(error, HasSubstr(file(GetParam().named)));
}

INSTANTIATE_TEST_SUITE_P(
    Table, SimulatorTlsFiles,
    testing::Values(FilesRow{"NoCertificate", "none", "key", "none"},
                    FilesRow{"NoKey", "certificate", "none", "none"},
                    FilesRow{"KeyForCertificate", "key", "key", "key"},
                    FilesRow{"CertificateForKey", "certificate", "certificate", "certificate"},
                    FilesRow{"KeyOfAnother", "certificate", "other key", "other key"}),
    RowName<FilesRow>);

}  // namespace
}  // namespace ipp::simulator
