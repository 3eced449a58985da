// What the real transport refuses, and what it says when no request could leave.

#include "server/http/curl_transport.h"

#include <openssl/ssl.h>
#include <signal.h>
#include <sys/socket.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <tuple>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/http/http_upstream.h"

namespace ipp::http {
namespace {

struct BadOptions {
  const char* name;
  void (*spoil)(CurlOptions& options);
  absl::StatusCode code;
};

class OptionsCheck : public testing::TestWithParam<BadOptions> {};

TEST_P(OptionsCheck, RefusesToStart) {
  CurlOptions options;
  options.base_url = "https://upstream.test";
  GetParam().spoil(options);
  Metrics metrics;
  EXPECT_EQ(NewCurlTransport(options, &metrics).status().code(), GetParam().code);
  EXPECT_EQ(NewHttp2Transport({.common = options}, &metrics).status().code(), GetParam().code);
}

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
INSTANTIATE_TEST_SUITE_P(
    Every, OptionsCheck,
    testing::Values(
        BadOptions{"NoUrl", [](CurlOptions& o) { o.base_url = ""; }, kInvalid},
        BadOptions{"NoScheme", [](CurlOptions& o) { o.base_url = "upstream.test"; }, kInvalid},
        BadOptions{"OtherScheme", [](CurlOptions& o) { o.base_url = "ftp://up.test"; }, kInvalid},
        BadOptions{"NoHost", [](CurlOptions& o) { o.base_url = "https://"; }, kInvalid},
        BadOptions{"Path", [](CurlOptions& o) { o.base_url += "/v1"; }, kInvalid},
        BadOptions{"Slash", [](CurlOptions& o) { o.base_url += "/"; }, kInvalid},
        BadOptions{"Query", [](CurlOptions& o) { o.base_url += "?a=b"; }, kInvalid},
        BadOptions{"User", [](CurlOptions& o) { o.base_url = "https://me:pw@up.test"; }, kInvalid},
        BadOptions{"NoLoops", [](CurlOptions& o) { o.loops = 0; }, kInvalid},
        BadOptions{"NoConnections", [](CurlOptions& o) { o.connections = 0; }, kInvalid},
        BadOptions{"ProxyWithoutScheme", [](CurlOptions& o) { o.proxy = "proxy:3128"; }, kInvalid},
        BadOptions{"ProxyOverTls", [](CurlOptions& o) { o.proxy = "https://proxy:1"; }, kInvalid},
        BadOptions{"ProxyWithAPath", [](CurlOptions& o) { o.proxy = "http://proxy:1/"; }, kInvalid},
        BadOptions{"NothingInFlight", [](CurlOptions& o) { o.max_in_flight = 0; }, kInvalid},
        BadOptions{"NoCaFile", [](CurlOptions& o) { o.ca_file = "/nonexistent/ca.pem"; },
                   absl::StatusCode::kFailedPrecondition}),
    [](const auto& info) { return std::string(info.param.name); });

struct BadRequest {
  const char* name;
  void (*spoil)(HttpRequest& request);
};

class RequestCheck : public testing::TestWithParam<std::tuple<Wire, BadRequest>> {};

TEST_P(RequestCheck, SendsNothing) {
  const auto& [wire, bad] = GetParam();
  HttpUpstream upstream(wire, &SayOk);
  HttpRequest request = Post("/p", "{}");
  bad.spoil(request);
  const HttpResult result = CallOnce(upstream, request);
  EXPECT_EQ(result.status.code(), kInvalid) << result.status;
  EXPECT_EQ(result.fate, RequestFate::kNotSent);
  EXPECT_EQ(upstream.relay->accepted(), 0u);
}

INSTANTIATE_TEST_SUITE_P(
    Every, RequestCheck,
    testing::Combine(
        testing::Values(Wire::kHttp1, Wire::kHttp2Transport),
        testing::Values(BadRequest{"NoTarget", [](HttpRequest& r) { r.target = ""; }},
                        BadRequest{"OtherHost", [](HttpRequest& r) { r.target = "@evil.test/"; }},
                        BadRequest{"Space", [](HttpRequest& r) { r.target = "/a b"; }},
                        BadRequest{"LineBreak", [](HttpRequest& r) { r.target = "/a\r\nx: y"; }},
                        BadRequest{"Fragment", [](HttpRequest& r) { r.target = "/a#b"; }},
                        BadRequest{"HeaderLineBreak",
                                   [](HttpRequest& r) {
                                     r.headers = {{"a", "b\r\nc: d"}};
                                   }},
                        BadRequest{"HeaderNul",
                                   [](HttpRequest& r) {
                                     r.headers = {{"a", std::string("b\0c", 3)}};
                                   }},
                        BadRequest{"HeaderNameLineBreak",
                                   [](HttpRequest& r) {
                                     r.headers = {{"a\n", "b"}};
                                   }},
                        BadRequest{"HeaderNameColon",
                                   [](HttpRequest& r) {
                                     r.headers = {{"a:b", "c"}};
                                   }},
                        BadRequest{"HeaderWithoutName",
                                   [](HttpRequest& r) {
                                     r.headers = {{"", "c"}};
                                   }})),
    [](const auto& info) {
      return WireName(std::get<0>(info.param)) + std::get<1>(info.param).name;
    });

class NoConnection : public testing::TestWithParam<Wire> {
 protected:
  static void ExpectNotSent(const HttpResult& result) {
    EXPECT_EQ(result.status.code(), absl::StatusCode::kUnavailable) << result.status;
    EXPECT_EQ(result.fate, RequestFate::kNotSent);
    EXPECT_FALSE(absl::StrContains(result.status.message(), "secret"));
  }
  static std::string Scheme() { return GetParam() == Wire::kHttp1 ? "http" : "https"; }
};

TEST_P(NoConnection, TellsThatNobodyListens) {
  CurlOptions options;
  options.base_url = absl::StrCat(Scheme(), "://127.0.0.1:", Listener().port);  // closed again
  ExpectNotSent(CallOnce(options, Post("/p?secret=1", "{}"), GetParam()));
}

TEST_P(NoConnection, TellsThatTheHostIsUnknown) {
  CurlOptions options;
  // A label of more than 63 characters: no name server need be asked.
  options.base_url = absl::StrCat(Scheme(), "://", std::string(64, 'a'), ".test");
  ExpectNotSent(CallOnce(options, Post("/p?secret=1", "{}"), GetParam()));
}

// One that takes the connection and never says a word: neither TLS nor connect timeout is the
// caller's deadline.
TEST_P(NoConnection, GivesUpOnASilentHandshake) {
  const Listener silent;
  CurlOptions options;
  options.base_url = absl::StrCat("https://127.0.0.1:", silent.port);
  options.connect_timeout = absl::Milliseconds(50);
  ExpectNotSent(CallOnce(options, Post("/p?secret=1", "{}"), GetParam()));
}

INSTANTIATE_TEST_SUITE_P(Every, NoConnection, testing::Values(Wire::kHttp1, Wire::kHttp2Transport),
                         [](const auto& info) { return WireName(info.param); });

class Tls : public testing::TestWithParam<Wire> {};

TEST_P(Tls, RefusesAnIssuerThatItDoesNotTrust) {
  HttpUpstream upstream(GetParam(), &SayOk);
  const TestCertificate other;
  upstream.options.ca_file = other.cert_file();
  const HttpResult result = CallOnce(upstream, Post("/p", "{}"));
  EXPECT_EQ(result.status.code(), absl::StatusCode::kFailedPrecondition) << result.status;
  EXPECT_EQ(result.fate, RequestFate::kNotSent);
  EXPECT_TRUE(upstream.gate.requests().empty());
}

TEST_P(Tls, RefusesACertificateOfAnotherHost) {
  HttpGate gate(&SayOk);
  const TestCertificate other("DNS:other.test");
  const TlsFront front({gate.port(), SpeaksHttp2(GetParam())}, other);
  CurlOptions options;
  options.base_url = front.base_url();
  options.ca_file = other.cert_file();
  const HttpResult result = CallOnce(options, Post("/p", "{}"), GetParam());
  EXPECT_EQ(result.status.code(), absl::StatusCode::kFailedPrecondition) << result.status;
  EXPECT_EQ(result.fate, RequestFate::kNotSent);
  EXPECT_TRUE(gate.requests().empty());
}

// Shakes hands as TLS 1.1 and no more, which nghttpx from 1.70 on does not.
class OldTlsServer {
 public:
  explicit OldTlsServer(const TestCertificate& certificate)
      : context_(SSL_CTX_new(TLS_server_method()), &SSL_CTX_free) {
    SSL_CTX* const context = context_.get();
    EXPECT_EQ(SSL_CTX_set_cipher_list(context, "ALL:@SECLEVEL=0"), 1);
    EXPECT_EQ(SSL_CTX_set_min_proto_version(context, TLS1_VERSION), 1);
    EXPECT_EQ(SSL_CTX_set_max_proto_version(context, TLS1_1_VERSION), 1);
    const std::string file = certificate.cert_file();
    EXPECT_EQ(SSL_CTX_use_certificate_file(context, file.c_str(), SSL_FILETYPE_PEM), 1);
    const std::string key = certificate.key_file();
    EXPECT_EQ(SSL_CTX_use_PrivateKey_file(context, key.c_str(), SSL_FILETYPE_PEM), 1);
    thread_ = std::thread([this] { Serve(); });
  }
  ~OldTlsServer() {
    shutdown(listener_.fd.get(), SHUT_RDWR);
    thread_.join();
  }
  OldTlsServer(const OldTlsServer&) = delete;
  OldTlsServer& operator=(const OldTlsServer&) = delete;

  std::string base_url() const { return absl::StrCat("https://127.0.0.1:", listener_.port); }
  int tried() const { return tried_; }

 private:
  void Serve() {
    // OpenSSL writes without MSG_NOSIGNAL.
    sigset_t pipe;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
    while (true) {
      const Fd fd(accept4(listener_.fd.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!fd.valid()) return;
      ++tried_;
      const std::unique_ptr<SSL, decltype(&SSL_free)> ssl(SSL_new(context_.get()), &SSL_free);
      SSL_set_fd(ssl.get(), fd.get());
      EXPECT_NE(SSL_accept(ssl.get()), 1);
    }
  }

  const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_;
  Listener listener_;
  std::atomic<int> tried_ = 0;
  std::thread thread_;
};

TEST_P(Tls, RefusesAnOldVersion) {
  const TestCertificate certificate;
  const OldTlsServer server(certificate);
  CurlOptions options;
  options.base_url = server.base_url();
  options.ca_file = certificate.cert_file();
  const HttpResult result = CallOnce(options, Post("/p", "{}"), GetParam());
  EXPECT_EQ(result.status.code(), absl::StatusCode::kUnavailable) << result.status;
  EXPECT_EQ(result.fate, RequestFate::kNotSent);
  EXPECT_GE(server.tried(), 1);
}

// nghttpx tells the upstream in Via what it spoke in front.
TEST_P(Tls, SpeaksHttp2WhereItIsOffered) {
  HttpUpstream upstream(GetParam(), &SayOk);
  EXPECT_EQ(CallOnce(upstream, Get("/")).response.code, 200);
  EXPECT_EQ(upstream.gate.requests().at(0).header("via"),
            SpeaksHttp2(GetParam()) ? "2 nghttpx" : "1.1 nghttpx");
}

INSTANTIATE_TEST_SUITE_P(Every, Tls,
                         testing::Values(Wire::kHttp1Tls, Wire::kHttp2Tls, Wire::kHttp2Transport,
                                         Wire::kFallback),
                         [](const auto& info) { return WireName(info.param); });

}  // namespace
}  // namespace ipp::http
