// What the configuration names is opened and judged before anything else: at the start, and by
// --check-config.

#include <cstdlib>
#include <functional>
#include <ostream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "tests/support/gateway_under_test.h"
#include "tests/support/test_authority.h"
#include "tests/support/tls_front.h"

namespace ipp {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

// Files for the rows below; the certificates are made once.
struct Files {
  TestDirectory directory;
  TestAuthority authority;
  http::TestCertificate server, other;
  std::string text = directory.Write("text", "hunter2\n");
  std::string none = directory.path("none");
  TestAuthority::Identity expired = authority.Issue({.names = "DNS:localhost", .days = -1});
  std::string expired_cert = directory.Write("expired.crt", expired.certificate);
  std::string expired_key = directory.Write("expired.key", expired.key);
};

Files& TheFiles() {
  static Files* const files = new Files();
  return *files;
}

struct BadFileRow {
  std::string name;
  std::function<void(const Files& files, config::Config& config)> spoil;
  std::string says;
};

void PrintTo(const BadFileRow& row, std::ostream* out) { *out << row.name; }

void SetTls(config::Config& config, const std::string& cert, const std::string& key,
            const std::string& authorities = "") {
  config.mutable_tls()->set_cert_file(cert);
  config.mutable_tls()->set_key_file(key);
  config.mutable_tls()->set_client_ca_file(authorities);
}

std::function<void(const Files&, config::Config&)> ApiKey(const std::string& text) {
  return [text](const Files& files, config::Config& config) {
    config.mutable_merchants(0)->set_api_key_file(files.directory.Write("bad-key", text));
  };
}

std::function<void(const Files&, config::Config&)> Dsn(const std::string& text,
                                                       const std::string& password_file = "") {
  return [text, password_file](const Files& files, config::Config& config) {
    config::Postgres& postgres = *config.mutable_store()->mutable_postgres();
    const std::string with_paths =
        absl::StrReplaceAll(text, {{"$TEXT", files.text}, {"$NONE", files.none}});
    postgres.set_dsn_file(files.directory.Write("dsn", with_paths));
    postgres.set_password_file(password_file);
  };
}

class BadFile : public testing::TestWithParam<BadFileRow> {};

TEST_P(BadFile, StopsTheStart) {
  config::Config config = TestConfig(TheFiles().directory, "http://127.0.0.1:1");
  GetParam().spoil(TheFiles(), config);
  std::vector<std::string> warnings;
  const absl::Status status = App::Check(config, &warnings);
  const std::string message(status.message());
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(message, testing::StartsWith(GetParam().says.substr(0, GetParam().says.find('|'))));
  EXPECT_THAT(message, HasSubstr(GetParam().says.substr(GetParam().says.find('|') + 1)));
  EXPECT_THAT(message, Not(HasSubstr("hunter2")));
  EXPECT_EQ(App::Start(config).status(), status);
}

// Says "key: |what is wrong".
INSTANTIATE_TEST_SUITE_P(
    Rows, BadFile,
    testing::Values(
        BadFileRow{"NoCertificate",
                   [](auto& f, auto& c) { SetTls(c, f.none, f.server.key_file()); },
                   "tls.cert_file: |no such file"},
        BadFileRow{"CertificateOfText",
                   [](auto& f, auto& c) { SetTls(c, f.text, f.server.key_file()); },
                   "tls.cert_file: |holds no certificate"},
        BadFileRow{"NoKey", [](auto& f, auto& c) { SetTls(c, f.server.cert_file(), f.none); },
                   "tls.key_file: |no such file"},
        BadFileRow{"KeyOfAnother",
                   [](auto& f, auto& c) { SetTls(c, f.server.cert_file(), f.other.key_file()); },
                   "tls.key_file: |does not belong to the certificate"},
        BadFileRow{"ExpiredCertificate",
                   [](auto& f, auto& c) { SetTls(c, f.expired_cert, f.expired_key); },
                   "tls.cert_file: |has expired"},
        BadFileRow{
            "NoClientAuthorities",
            [](auto& f, auto& c) { SetTls(c, f.server.cert_file(), f.server.key_file(), f.none); },
            "tls.client_ca_file: |no such file"},
        BadFileRow{
            "ClientAuthoritiesOfText",
            [](auto& f, auto& c) { SetTls(c, f.server.cert_file(), f.server.key_file(), f.text); },
            "tls.client_ca_file: |holds no certificate"},
        BadFileRow{"ExpiredClientAuthorities",
                   [](auto& f, auto& c) {
                     SetTls(c, f.server.cert_file(), f.server.key_file(), f.expired_cert);
                   },
                   "tls.client_ca_file: |no authority is valid"},
        BadFileRow{"NoUpstreamAuthorities",
                   [](auto& f, auto& c) { c.mutable_upstream()->set_ca_file(f.none); },
                   "upstream.ca_file: |no such file"},
        BadFileRow{"UpstreamAuthoritiesOfText",
                   [](auto& f, auto& c) { c.mutable_upstream()->set_ca_file(f.text); },
                   "upstream.ca_file: |holds no certificate"},
        BadFileRow{"KeyInQuotes", ApiKey("\"hunter2\""), "merchants[0].api_key_file: |in quotes"},
        BadFileRow{"KeyWithItsScheme", ApiKey("Basic hunter2"),
                   "merchants[0].api_key_file: |begins with 'Basic '"},
        BadFileRow{"KeyInUtf16", ApiKey(std::string("\xff\xfeh\0u\0", 6)),
                   "merchants[0].api_key_file: |UTF-16"},
        BadFileRow{"TwoKeys", ApiKey("hunter2\nhunter2\n"),
                   "merchants[0].api_key_file: |holds 2 lines"},
        BadFileRow{
            "BadSecret",
            [](auto& f, auto& c) { c.mutable_merchants(0)->set_webhook_secrets_file(f.text); },
            "merchants[0].webhook_secrets_file: |begins with whsec_"},
        BadFileRow{"BadDigest",
                   [](auto& f, auto& c) {
                     AddCaller(f.directory, "order", {kMerchant}, {"*"}, &c);
                     c.mutable_callers(0)->set_token_sha256_file(f.text);
                   },
                   "callers[0].token_sha256_file: |64 hexadecimal digits"},
        BadFileRow{"UnknownPermission",
                   [](auto& f, auto& c) {
                     AddCaller(f.directory, "order", {kMerchant}, {"session.write"}, &c);
                   },
                   "callers[0].permissions[0]: |did you mean sessions.write?"},
        BadFileRow{
            "NoDsn",
            [](auto& f, auto& c) { c.mutable_store()->mutable_postgres()->set_dsn_file(f.none); },
            "store.postgres: |no such file"},
        BadFileRow{"DsnOfText", Dsn("hunter2"), "store.postgres: |is not a connection string"},
        BadFileRow{"NoPassword", Dsn("host=db", "/none"), "store.postgres: |/none: no such file"},
        BadFileRow{"NoDatabaseAuthorities", Dsn("host=db sslrootcert=$NONE"),
                   "store.postgres.dsn_file: sslrootcert: |no such file"},
        BadFileRow{"DatabaseAuthoritiesOfText", Dsn("host=a,b sslrootcert=$TEXT"),
                   "store.postgres.dsn_file: sslrootcert: |holds no certificate"},
        BadFileRow{"DatabaseCertificateOfText", Dsn("host=/tmp sslcert=$TEXT sslkey=$TEXT"),
                   "store.postgres.dsn_file: sslcert: |holds no certificate"}),
    [](const auto& info) { return info.param.name; });

TEST(BadFiles, AreAllNamedAtOnce) {
  const TestDirectory directory;
  config::Config config = TestConfig(directory, "https://upstream.test");
  config.mutable_upstream()->set_ca_file(directory.path("a"));
  config.mutable_merchants(0)->set_api_key_file(directory.path("b"));
  AddMerchant(directory, kMerchant2, "in two words", &config);
  AddCaller(directory, "order", {kMerchant}, {"sums.read"}, &config);
  std::vector<std::string> warnings;
  const absl::Status status = App::Check(config, &warnings);
  EXPECT_THAT(
      std::vector<std::string>(absl::StrSplit(status.message(), '\n')),
      ElementsAre(HasSubstr("merchants[0].api_key_file"), HasSubstr("merchants[1].api_key_file"),
                  HasSubstr("callers[0].permissions[0]"), HasSubstr("upstream.ca_file")));
}

TEST(GoodFiles, MayHaveAByteOrderMarkOrLiveForShort) {
  const TestDirectory directory;
  const http::TestCertificate server;
  config::Config config = TestConfig(directory, "http://127.0.0.1:1");
  SetTls(config, server.cert_file(), server.key_file(), server.cert_file());
  config.mutable_merchants(0)->set_api_key_file(directory.Write("key", "\xef\xbb\xbfkey\n"));
  std::vector<std::string> warnings;
  EXPECT_TRUE(App::Check(config, &warnings).ok());
  // Certificates of two days, on their first.
  EXPECT_THAT(warnings, IsEmpty());
}

class ProxyVariables : public testing::Test {
 protected:
  ~ProxyVariables() override { unsetenv("https_proxy"); }
  static std::vector<std::string> Warnings(const std::string& base_url, const std::string& proxy) {
    const TestDirectory directory;
    config::Config config = TestConfig(directory, base_url);
    config.mutable_upstream()->set_proxy(proxy);
    std::vector<std::string> warnings;
    EXPECT_TRUE(App::Check(config, &warnings).ok());
    return warnings;
  }
};

TEST_F(ProxyVariables, AreIgnoredWithAWarning) {
  setenv("https_proxy", "http://me:hunter2@proxy:3128", 1);
  EXPECT_THAT(Warnings("https://upstream.test", ""),
              ElementsAre(testing::AllOf(HasSubstr("https_proxy"), HasSubstr("upstream.proxy"),
                                         Not(HasSubstr("hunter2")))));
  EXPECT_THAT(Warnings("https://upstream.test", "http://proxy:3128"), IsEmpty());
  EXPECT_THAT(Warnings("http://127.0.0.1:1", ""), IsEmpty());
  unsetenv("https_proxy");
  EXPECT_THAT(Warnings("https://upstream.test", ""), IsEmpty());
}

}  // namespace
}  // namespace ipp
