// Files that change while the gateway runs: what cannot be used never takes effect, is reported
// once, and is in the metric.

#include <algorithm>
#include <filesystem>
#include <functional>
#include <ostream>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "kustom/ipp/v1/location.grpc.pb.h"
#include "tests/support/gateway_under_test.h"
#include "tests/support/test_authority.h"
#include "tests/support/tls_front.h"

namespace ipp {
namespace {

namespace v1 = kustom::ipp::v1;
using testing::HasSubstr;
using testing::Not;

constexpr char kOldSecret[] = "whsec_b25lLXRoYXQtaXMtYmVpbmctcm90YXRlZC1vdXQtMDE=";
constexpr char kNextSecret[] = "whsec_c29tZWJvZHktZWxzZS1lbnRpcmVseS0wMDAwMDAwMDE=";
constexpr char kRefused[] = "ipp_secret_file_refused";

// TLS on both sides, a caller with a token, and every kind of file in one directory.
class ChangingFiles : public testing::Test {
 protected:
  ChangingFiles() {
    config_ = TestConfig(directory_, front_.base_url());
    Write("upstream-ca", FileText(upstream_.cert_file()));
    Write("cert", FileText(server_.cert_file()));
    Write("key", FileText(server_.key_file()));
    Write("client-ca", authority_.pem());
    Write("secrets", absl::StrCat(simulator::Simulator::kDefaultSecret, "\n", kOldSecret, "\n"));
    Write("api-key", kApiKey);
    config_.mutable_upstream()->set_ca_file(Path("upstream-ca"));
    config_.mutable_tls()->set_cert_file(Path("cert"));
    config_.mutable_tls()->set_key_file(Path("key"));
    config_.mutable_tls()->set_client_ca_file(Path("client-ca"));
    config_.mutable_merchants(0)->set_webhook_secrets_file(Path("secrets"));
    config_.mutable_merchants(0)->set_api_key_file(Path("api-key"));
    AddCaller(directory_, "order", {kMerchant}, {"*"}, &config_);
    gateway_ =
        std::make_unique<RunningGateway>(config_, TlsCredentials(FileText(server_.cert_file())),
                                         App::Options{.files_refresh = absl::Seconds(1)});
  }

  std::string Path(const std::string& name) const { return directory_.path(name); }
  // As a secret is replaced: a reader sees the old one or the new one.
  void Write(const std::string& name, const std::string& text) const {
    std::filesystem::rename(directory_.Write("new", text), Path(name));
  }
  void WaitUntilRefused(const std::string& kind, int files) const {
    gateway_->WaitForMetric(kRefused, files, {absl::StrCat("kind=\"", kind, "\"")});
  }
  // Over a connection of its own, so that the handshake is new as well.
  RpcEnd Call(const std::string& server_pem = "") const {
    const auto channel = gateway_->NewChannel(
        TlsCredentials(server_pem.empty() ? FileText(server_.cert_file()) : server_pem));
    return CallOver(channel, &v1::LocationService::Stub::ListLocations, v1::ListLocationsRequest(),
                    AsCaller("order"));
  }
  int Deliver(const std::string& secret) {
    const std::string body =
        absl::StrCat(R"({"id": "kevt_)", ++deliveries_, R"(", "merchant_id": ")", kMerchant,
                     R"(", "timestamp": "2026-01-02T03:04:05Z", "type": "ipp.session.activated",)",
                     R"( "data": {"session_id": ")", kNobody, R"("}})");
    return gateway_->Webhook(SignedHeaders(body, secret, absl::Now()), body).code;
  }
  void ExpectServed() {
    EXPECT_TRUE(Ok(Call()));
    EXPECT_EQ(Deliver(simulator::Simulator::kDefaultSecret), 200);
    EXPECT_EQ(Deliver(kOldSecret), 200);
  }

  const TestDirectory directory_;
  const TestAuthority authority_;
  const http::TestCertificate server_, upstream_;
  RunningSimulator simulator_;
  http::TlsFront front_{{simulator_.port()}, upstream_};
  config::Config config_;
  std::unique_ptr<RunningGateway> gateway_;
  int deliveries_ = 0;
};

struct KindRow {
  std::string kind;
  std::string file;
  std::string bad;
};

void PrintTo(const KindRow& row, std::ostream* out) { *out << row.kind; }

class EachKind : public ChangingFiles, public testing::WithParamInterface<KindRow> {};

TEST_P(EachKind, OfFileKeepsItsValueAndSaysSoOnce) {
  const KindRow& row = GetParam();
  const std::string good = FileText(Path(row.file));
  ExpectServed();
  testing::internal::CaptureStderr();
  Write(row.file, row.bad);
  WaitUntilRefused(row.kind, 1);
  for (int i = 0; i < 3; ++i) ExpectServed();
  const std::string log = testing::internal::GetCapturedStderr();
  Write(row.file, good);
  WaitUntilRefused(row.kind, 0);
  ExpectServed();

  EXPECT_EQ(gateway_->Metric(kRefused), 0);
  int lines = 0;
  for (size_t at = 0; (at = log.find("not usable", at)) != std::string::npos; ++at) ++lines;
  EXPECT_EQ(lines, 1) << log;
  EXPECT_THAT(log, HasSubstr(Path(row.file)));
  EXPECT_THAT(log, Not(HasSubstr("hunter2")));
}

INSTANTIATE_TEST_SUITE_P(
    Rows, EachKind,
    testing::Values(KindRow{"api_key", "api-key", "hunter2 hunter2"},
                    KindRow{"webhook_secrets", "secrets", absl::StrCat(kNextSecret, "\nhunter2\n")},
                    KindRow{"token_sha256", "order.sha256", "hunter2\n"},
                    KindRow{"tls", "cert", "hunter2\n"}, KindRow{"tls", "key", "hunter2\n"},
                    KindRow{"client_ca", "client-ca", "hunter2\n"},
                    KindRow{"upstream_ca", "upstream-ca", "hunter2\n"}),
    [](const auto& info) {
      std::string name = absl::StrCat(info.param.kind, info.param.file);
      std::erase_if(name, [](char c) { return !absl::ascii_isalnum(c); });
      return name;
    });

// One line of several that cannot be decoded: none of the new ones counts, all of the old ones do.
TEST_F(ChangingFiles, WithOneBadWebhookSecretKeepAllOldOnes) {
  Write("secrets", absl::StrCat(kNextSecret, "\n", "whsec_not base64\n"));
  WaitUntilRefused("webhook_secrets", 1);
  ExpectServed();
  EXPECT_EQ(Deliver(kNextSecret), 401);
  Write("secrets", absl::StrCat(kNextSecret, "\n"));
  WaitUntilRefused("webhook_secrets", 0);
  EXPECT_EQ(Deliver(kNextSecret), 200);
  EXPECT_EQ(Deliver(kOldSecret), 401);
}

// A certificate and its key are two files, so one of them comes first.
TEST_F(ChangingFiles, OfTlsAreTakenTogether) {
  const http::TestCertificate next;
  Write("cert", FileText(next.cert_file()));
  WaitUntilRefused("tls", 1);
  ExpectServed();
  Write("key", FileText(next.key_file()));
  WaitUntilRefused("tls", 0);
  const absl::Time end = absl::Now() + absl::Seconds(60);
  while (!Call(FileText(next.cert_file())).ok() && absl::Now() < end) {
  }
  EXPECT_TRUE(Ok(Call(FileText(next.cert_file()))));
}

TEST_F(ChangingFiles, OfTlsAreRefusedOnceTheyHaveExpired) {
  const TestAuthority::Identity expired =
      authority_.Issue({.names = "DNS:localhost", .days = -1, .self_signed = true});
  Write("key", expired.key);
  Write("cert", expired.certificate);
  WaitUntilRefused("tls", 1);
  ExpectServed();
}

TEST_F(ChangingFiles, HaveTheirLastDayInTheMetrics) {
  const double now = absl::ToDoubleSeconds(absl::Now() - absl::UnixEpoch());
  for (const char* certificate : {"grpc", "client_ca", "upstream_ca"}) {
    const std::vector<std::string> labels = {absl::StrCat("certificate=\"", certificate, "\"")};
    const double expiry = gateway_->Metric("ipp_tls_certificate_expiry_seconds", labels);
    const double begin = gateway_->Metric("ipp_tls_certificate_begin_seconds", labels);
    EXPECT_NEAR(expiry - now, 2 * 86400, 3600) << certificate;
    EXPECT_EQ(expiry - begin, 2 * 86400) << certificate;
  }
}

}  // namespace
}  // namespace ipp
