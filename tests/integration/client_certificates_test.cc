// Callers by client certificate, over real handshakes.

#include <functional>
#include <ostream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "ippclient/connection.h"
#include "kustom/ipp/v1/location.grpc.pb.h"
#include "kustom/ipp/v1/session.grpc.pb.h"
#include "kustom/ipp/v1/simulation.grpc.pb.h"
#include "tests/support/gateway_streams.h"
#include "tests/support/gateway_under_test.h"
#include "tests/support/test_authority.h"
#include "tests/support/tls_front.h"

namespace ipp {
namespace {

namespace v1 = kustom::ipp::v1;
using Locations = v1::LocationService::Stub;
using grpc::StatusCode;
using Identity = TestAuthority::Identity;

constexpr absl::Duration kPatience = absl::Seconds(60);

// "order" and "back" may show a certificate or a token.
class TlsBed {
 public:
  explicit TlsBed(const std::string& proof,
                  const std::function<void(config::Config&)>& configure = nullptr) {
    config_ = TestConfig(directory_, simulator_.base_url());
    config::Tls& tls = *config_.mutable_tls();
    tls.set_cert_file(directory_.Write("server.crt", FileText(server_.cert_file())));
    tls.set_key_file(directory_.Write("server.key", FileText(server_.key_file())));
    tls.set_client_ca_file(directory_.Write("callers-ca.crt", authority_.pem()));
    config_.set_caller_proof(proof);
    AddCaller(directory_, "order", {kMerchant}, {"*"}, &config_);
    config_.mutable_callers(0)->add_tls_san("spiffe://shop/order");
    config_.mutable_callers(0)->add_tls_san("Order.Shop");
    AddCaller(directory_, "back", {kMerchant}, {"*"}, &config_);
    config_.mutable_callers(1)->add_tls_san("back.shop");
    if (configure) configure(config_);
    EXPECT_TRUE(config::Validate(config_).ok()) << config::Validate(config_);
    gateway_ = std::make_unique<RunningGateway>(config_, nullptr, App::Options());
  }

  const TestAuthority& authority() const { return authority_; }
  const TestDirectory& directory() const { return directory_; }
  RunningSimulator& simulator() { return simulator_; }
  RunningGateway& gateway() { return *gateway_; }

  // Connects anew.
  std::shared_ptr<grpc::Channel> Connect(const Identity& identity = {},
                                         const std::string& server_pem = "") const {
    return gateway_->NewChannel(
        TlsCredentials(server_pem.empty() ? FileText(server_.cert_file()) : server_pem, identity));
  }
  static RpcEnd List(const std::shared_ptr<grpc::Channel>& channel, const std::string& token = "") {
    return CallOver(channel, &Locations::ListLocations, v1::ListLocationsRequest(),
                    token.empty() ? CallOptions() : AsCaller(token));
  }
  RpcEnd List(const Identity& identity, const std::string& token = "") const {
    return List(Connect(identity), token);
  }

 private:
  TestDirectory directory_;
  TestAuthority authority_;
  http::TestCertificate server_;
  RunningSimulator simulator_;
  config::Config config_;
  std::unique_ptr<RunningGateway> gateway_;
};

// "ok", the reason, or "no handshake".
std::string Word(const RpcEnd& end) {
  if (end.ok()) return "ok";
  if (!end.reason().empty()) return end.reason();
  return end.code == StatusCode::UNAVAILABLE ? "no handshake"
                                             : absl::StrCat("code ", end.code, ": ", end.message);
}

struct ProofRow {
  std::string name;
  std::string token;  // of whom
  TestAuthority::Request certificate;
  std::string any;
  std::string both;
  bool foreign = false;  // signed by an authority that the gateway does not know
};

void PrintTo(const ProofRow& row, std::ostream* out) { *out << row.name; }

constexpr char kNone[] = "no certificate";

class ClientCertificates : public testing::TestWithParam<ProofRow> {
 protected:
  static void Expect(const std::string& proof, const std::string& word) {
    const ProofRow& row = GetParam();
    TlsBed bed(proof);
    const TestAuthority foreign;
    const TestAuthority& authority = row.foreign ? foreign : bed.authority();
    const Identity identity =
        row.certificate.names == kNone ? Identity() : authority.Issue(row.certificate);
    EXPECT_EQ(Word(bed.List(identity, row.token)), word);
    EXPECT_EQ(bed.simulator().Requests().size(), word == "ok" ? 1 : 0);
  }
};

TEST_P(ClientCertificates, OrTokensAreJudged) { Expect("any", GetParam().any); }
TEST_P(ClientCertificates, AndTokensAreJudged) { Expect("both", GetParam().both); }

INSTANTIATE_TEST_SUITE_P(
    Rows, ClientCertificates,
    testing::Values(
        ProofRow{"Nothing", "", {kNone}, "TOKEN_MISSING", "no handshake"},
        ProofRow{"TokenAlone", "order", {kNone}, "ok", "no handshake"},
        ProofRow{"UnknownTokenAlone", "nobody", {kNone}, "TOKEN_UNKNOWN", "no handshake"},
        ProofRow{"UriAlone", "", {"URI:spiffe://shop/order"}, "ok", "TOKEN_MISSING"},
        ProofRow{"DnsAloneInAnyCase", "", {"DNS:ORDER.shop"}, "ok", "TOKEN_MISSING"},
        ProofRow{"SecondName", "", {"DNS:a.b,DNS:order.shop"}, "ok", "TOKEN_MISSING"},
        ProofRow{"TokenAndCertificate", "order", {"URI:spiffe://shop/order"}, "ok", "ok"},
        ProofRow{"OfDifferentCallers",
                 "back",
                 {"URI:spiffe://shop/order"},
                 "CALLERS_DIFFER",
                 "CALLERS_DIFFER"},
        ProofRow{"OfTwoCallers",
                 "order",
                 {"DNS:order.shop,DNS:back.shop"},
                 "CALLERS_DIFFER",
                 "CALLERS_DIFFER"},
        ProofRow{"UnknownTokenBesideACertificate",
                 "nobody",
                 {"DNS:order.shop"},
                 "TOKEN_UNKNOWN",
                 "TOKEN_UNKNOWN"},
        ProofRow{"NameOfNobody", "", {"DNS:other.shop"}, "CERTIFICATE_UNKNOWN", "TOKEN_MISSING"},
        ProofRow{
            "TokenBesideANameOfNobody", "order", {"DNS:other.shop"}, "ok", "CERTIFICATE_UNKNOWN"},
        ProofRow{"WithoutNames", "", {"", "/CN=order.shop"}, "TOKEN_MISSING", "TOKEN_MISSING"},
        ProofRow{
            "TokenBesideNoNames", "order", {"", "/CN=order.shop"}, "ok", "CERTIFICATE_MISSING"},
        ProofRow{"NameAsMailAddress",
                 "order",
                 {"email:order.shop", "/CN=order.shop/emailAddress=order.shop"},
                 "ok",
                 "CERTIFICATE_MISSING"},
        ProofRow{"MailAddressAlone", "", {"email:order.shop"}, "TOKEN_MISSING", "TOKEN_MISSING"},
        ProofRow{"UriAsDnsName", "", {"DNS:spiffe://shop/order"}, "TOKEN_MISSING", "TOKEN_MISSING"},
        ProofRow{"DnsNameAsUri", "", {"URI:order.shop"}, "TOKEN_MISSING", "TOKEN_MISSING"},
        ProofRow{"Wildcard", "", {"DNS:*.shop"}, "CERTIFICATE_UNKNOWN", "TOKEN_MISSING"},
        ProofRow{"Expired", "", {"DNS:order.shop", "/CN=x", -1}, "no handshake", "no handshake"},
        ProofRow{"ExpiredBesideAToken",
                 "order",
                 {"DNS:order.shop", "/CN=x", -1},
                 "no handshake",
                 "no handshake"},
        ProofRow{
            "OfAForeignAuthority", "", {"DNS:order.shop"}, "no handshake", "no handshake", true},
        ProofRow{"OfAForeignAuthorityBesideAToken",
                 "order",
                 {"DNS:order.shop"},
                 "no handshake",
                 "no handshake",
                 true},
        ProofRow{"SelfSigned",
                 "order",
                 {"DNS:order.shop", "/CN=authority", 2, true},
                 "no handshake",
                 "no handshake"}),
    [](const auto& info) { return info.param.name; });

TEST(Audit, NamesTheCertificateOfACallerAndOfAStranger) {
  testing::internal::CaptureStderr();
  {
    TlsBed bed("any");
    v1::CreateSimulatedDeviceRequest device;
    device.set_name("Till");
    const auto channel =
        bed.Connect(bed.authority().Issue({"URI:spiffe://shop/order,DNS:second.shop"}));
    EXPECT_TRUE(Ok(CallOver(channel, &v1::SimulationService::Stub::CreateSimulatedDevice, device)));
    EXPECT_EQ(Word(bed.List(bed.authority().Issue({"DNS:stranger.shop"}))), "CERTIFICATE_UNKNOWN");
  }
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, testing::ContainsRegex("audit caller=order rpc=CreateSimulatedDevice .* peer="
                                          "127\\.0\\.0\\.1:[0-9]+ certificate=spiffe://shop/order,"
                                          "second\\.shop trace_id="));
  EXPECT_THAT(log, testing::ContainsRegex("audit caller=- rpc=ListLocations .* "
                                          "reason=CERTIFICATE_UNKNOWN peer=[0-9.:]+ "
                                          "certificate=stranger\\.shop trace_id="));
}

// Connects anew until a call ends as `word` says.
testing::AssertionResult Becomes(const std::string& word, const std::function<RpcEnd()>& call) {
  const absl::Time end = absl::Now() + kPatience;
  std::string is;
  do {
    is = Word(call());
    if (is == word) return testing::AssertionSuccess();
  } while (absl::Now() < end);
  return testing::AssertionFailure() << "is " << is << ", not " << word;
}

constexpr char kFromNow[] = "position: START_POSITION_FROM_NOW";

// That the stream goes on.
void ExpectAlive(const std::shared_ptr<grpc::Channel>& channel, EventFeed& feed) {
  v1::CreateSimulatedDeviceRequest device;
  device.set_name("Till");
  const auto made = CallOver(channel, &v1::SimulationService::Stub::CreateSimulatedDevice, device);
  ASSERT_TRUE(Ok(made));
  const auto session =
      CallOver(channel, &v1::SessionService::Stub::CreateSession,
               Text<v1::CreateSessionRequest>(OrderText(made.response.device().id())));
  ASSERT_TRUE(Ok(session));
  EXPECT_EQ(feed.NextEvent().session_id(), session.response.session().session_id());
}

TEST(CertificateRotation, OfCallersAuthorityLeavesOpenStreamsAlone) {
  TlsBed bed("any");
  const Identity old_client = bed.authority().Issue({"DNS:order.shop"});
  const auto old_channel = bed.Connect(old_client);
  EventFeed feed(old_channel, kFromNow);
  const TestAuthority next;
  const Identity new_client = next.Issue({"DNS:order.shop"});
  EXPECT_EQ(Word(bed.List(new_client)), "no handshake");
  // Both, then the new one alone.
  bed.directory().Write("callers-ca.crt", bed.authority().pem() + next.pem());
  EXPECT_TRUE(Becomes("ok", [&] { return bed.List(new_client); }));
  EXPECT_TRUE(Ok(bed.List(old_client)));
  bed.directory().Write("callers-ca.crt", next.pem());
  EXPECT_TRUE(Becomes("no handshake", [&] { return bed.List(old_client); }));
  EXPECT_TRUE(Ok(bed.List(new_client)));
  ExpectAlive(old_channel, feed);
}

TEST(CertificateRotation, OfTheServerLeavesOpenStreamsAlone) {
  TlsBed bed("any");
  const Identity client = bed.authority().Issue({"DNS:order.shop"});
  const auto old_channel = bed.Connect(client);
  EventFeed feed(old_channel, kFromNow);
  const http::TestCertificate next;
  const std::string next_pem = FileText(next.cert_file());
  EXPECT_EQ(Word(TlsBed::List(bed.Connect(client, next_pem))), "no handshake");
  bed.directory().Write("server.key", FileText(next.key_file()));
  bed.directory().Write("server.crt", next_pem);
  EXPECT_TRUE(Becomes("ok", [&] { return TlsBed::List(bed.Connect(client, next_pem)); }));
  ExpectAlive(old_channel, feed);
}

TEST(CertificateRotation, OfATokenLeavesOpenStreamsAlone) {
  TlsBed bed("any");
  const auto channel = bed.Connect();
  EventFeed feed(channel, kFromNow, AsCaller("order"));
  bed.directory().Write("order.sha256", std::string(64, 'a') + "\n");
  EXPECT_TRUE(Becomes("TOKEN_UNKNOWN", [&] { return TlsBed::List(channel, "order"); }));
  ExpectAlive(bed.Connect(bed.authority().Issue({"DNS:back.shop"})), feed);
}

// What was verified once is not good for ever: connections are renewed.
TEST(CertificateRotation, ReachesAConnectionThatIsAlreadyOpen) {
  TlsBed bed("any", [](config::Config& config) {
    config.mutable_events()->mutable_max_stream_age()->set_seconds(1);
  });
  const auto channel = bed.Connect(bed.authority().Issue({"DNS:order.shop"}));
  EXPECT_TRUE(Ok(TlsBed::List(channel)));
  bed.directory().Write("callers-ca.crt", TestAuthority().pem());
  EXPECT_TRUE(Becomes("no handshake", [&] { return TlsBed::List(channel); }));
}

TEST(ClientLibrary, ShowsItsCertificate) {
  TlsBed bed("both");
  const Identity identity = bed.authority().Issue({"DNS:order.shop"});
  client::ConnectionOptions options;
  options.address = absl::StrCat("127.0.0.1:", bed.gateway().app().grpc_port());
  options.ca_file = bed.directory().path("server.crt");
  options.token = "token-of-order";
  const auto without = client::Connection::Create(options);
  ASSERT_TRUE(without.ok());
  EXPECT_EQ(Word(TlsBed::List((*without)->channel())), "no handshake");
  options.cert_file = bed.directory().Write("order.crt", identity.certificate);
  EXPECT_TRUE(absl::IsInvalidArgument(client::Connection::Create(options).status())) << "no key";
  options.key_file = bed.directory().path("order.key");
  EXPECT_TRUE(absl::IsNotFound(client::Connection::Create(options).status()));
  bed.directory().Write("order.key", identity.key);
  const auto with = client::Connection::Create(options);
  ASSERT_TRUE(with.ok()) << with.status();
  EXPECT_EQ(Word(TlsBed::List((*with)->channel())), "ok");
}

}  // namespace
}  // namespace ipp
