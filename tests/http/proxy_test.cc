// A proxy between libcurl and the upstream. That the contract holds through one, and that nothing
// is sent twice, is in transport_contract_test.cc and at_most_once_test.cc.

#include <cstdlib>
#include <ostream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/http/http_upstream.h"

namespace ipp::http {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;
using Does = ConnectProxy::Does;

HttpRequest PostWithKey() {
  HttpRequest request = Post("/p", "{}");
  request.headers.emplace_back("authorization", "Basic secret");
  return request;
}

class Proxy : public testing::TestWithParam<Wire> {};

TEST_P(Proxy, LearnsTheUpstreamsNameAndNothingElse) {
  HttpUpstream upstream(GetParam(), &SayOk);
  const HttpResult result = CallOnce(upstream, PostWithKey());
  EXPECT_EQ(result.response.code, 200) << result.status;
  // Headers of the proxy are not those of the answer.
  EXPECT_EQ(result.response.header("x-proxy"), "");
  const std::string target = absl::StrCat("127.0.0.1:", upstream.relay->port());
  EXPECT_THAT(upstream.proxy->heads(),
              ElementsAre(AllOf(StartsWith(absl::StrCat("CONNECT ", target, " HTTP/1.1\r\n")),
                                Not(HasSubstr("secret")), Not(HasSubstr("/p")))));
}

TEST_P(Proxy, IsAskedOnceAConnection) {
  HttpUpstream upstream(GetParam(), &SayOk);
  const auto transport = upstream.NewTransport();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Call(*transport, Get("/x")).response.code, 200);
  EXPECT_EQ(upstream.proxy->heads().size(), 1u);
  EXPECT_EQ(upstream.Connections(), 1u);
}

INSTANTIATE_TEST_SUITE_P(Every, Proxy, testing::Values(Wire::kProxied, Wire::kProxiedHttp2),
                         [](const auto& info) { return WireName(info.param); });

// CONNECT also where the upstream speaks no TLS: otherwise the proxy would read the request.
TEST(ProxyWithoutTls, IsATunnelToo) {
  HttpUpstream upstream(Wire::kHttp1, &SayOk);
  const ConnectProxy proxy;
  upstream.options.proxy = proxy.url();
  EXPECT_EQ(CallOnce(upstream, PostWithKey()).response.code, 200);
  EXPECT_THAT(proxy.heads(), ElementsAre(AllOf(StartsWith("CONNECT "), Not(HasSubstr("secret")))));
}

struct TroubleRow {
  std::string name;
  Does does;
  int code;
  absl::StatusCode status;
  std::string says;
};

void PrintTo(const TroubleRow& row, std::ostream* out) { *out << row.name; }

class ProxyTrouble : public testing::TestWithParam<TroubleRow> {};

// Whatever a proxy does with the CONNECT, the request has not left.
TEST_P(ProxyTrouble, LeavesTheRequestUnsent) {
  const TroubleRow& row = GetParam();
  HttpUpstream upstream(Wire::kHttp1Tls, &SayOk);
  const ConnectProxy proxy(row.does, row.code);
  upstream.options.proxy = proxy.url();
  HttpRequest request = PostWithKey();
  if (row.does == Does::kHang) {
    request.deadline = absl::Now() + absl::Milliseconds(300);
  }
  const HttpResult result = CallOnce(upstream, std::move(request));
  EXPECT_EQ(result.status.code(), row.status) << result.status;
  EXPECT_EQ(result.fate, RequestFate::kNotSent);
  EXPECT_THAT(std::string(result.status.message()), HasSubstr(row.says));
  EXPECT_EQ(upstream.relay->accepted(), 0u);
}

INSTANTIATE_TEST_SUITE_P(
    Rows, ProxyTrouble,
    testing::Values(
        TroubleRow{"WantsAPassword", Does::kRefuse, 407, absl::StatusCode::kUnavailable, "407"},
        TroubleRow{"Forbids", Does::kRefuse, 403, absl::StatusCode::kUnavailable, "403"},
        TroubleRow{"CannotConnect", Does::kRefuse, 502, absl::StatusCode::kUnavailable, "502"},
        TroubleRow{"Closes", Does::kClose, 0, absl::StatusCode::kUnavailable, "roxy CONNECT"},
        TroubleRow{"Hangs", Does::kHang, 0, absl::StatusCode::kDeadlineExceeded, "deadline"}),
    [](const auto& info) { return info.param.name; });

TEST(ProxyTrouble, OfAProxyThatIsNotThereLeavesTheRequestUnsent) {
  HttpUpstream upstream(Wire::kHttp1Tls, &SayOk);
  upstream.options.proxy = absl::StrCat("http://127.0.0.1:", http::Listener().port);
  const HttpResult result = CallOnce(upstream, PostWithKey());
  EXPECT_EQ(result.status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(result.fate, RequestFate::kNotSent);
}

// The upstream's certificate is checked through the tunnel: a proxy cannot be the upstream.
TEST(ProxyTrouble, OfACertificateThatIsNotTrustedIsSeen) {
  HttpUpstream upstream(Wire::kProxied, &SayOk);
  const TestCertificate other;
  upstream.options.ca_file = other.cert_file();
  const HttpResult result = CallOnce(upstream, PostWithKey());
  EXPECT_EQ(result.status.code(), absl::StatusCode::kFailedPrecondition) << result.status;
  EXPECT_EQ(result.fate, RequestFate::kNotSent);
}

class ProxyVariables : public testing::Test {
 protected:
  ~ProxyVariables() override {
    for (const char* name : kNames) unsetenv(name);
  }
  static void Set(const char* name, const std::string& value) { setenv(name, value.c_str(), 1); }

  static constexpr const char* kNames[] = {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy",
                                           "ALL_PROXY",  "no_proxy",    "NO_PROXY"};
};

TEST_F(ProxyVariables, OfTheEnvironmentDoNotCount) {
  const ConnectProxy environment;
  for (const char* name : kNames) Set(name, environment.url());
  HttpUpstream direct(Wire::kHttp1Tls, &SayOk);
  EXPECT_EQ(CallOnce(direct, Get("/x")).response.code, 200);
  Set("no_proxy", "*");
  Set("NO_PROXY", "*");
  HttpUpstream proxied(Wire::kProxied, &SayOk);
  EXPECT_EQ(CallOnce(proxied, Get("/x")).response.code, 200);
  EXPECT_EQ(proxied.proxy->heads().size(), 1u);
  EXPECT_THAT(environment.heads(), IsEmpty());
}

}  // namespace
}  // namespace ipp::http
