// Content codings (RFC 9110, 8.4): what is decoded, what cannot be, and how large it may become.

#include <string>

#include "gtest/gtest.h"
#include "server/http/curl_transport.h"
#include "tests/http/http_upstream.h"

namespace ipp::http {
namespace {

// {"id":"a"}
constexpr char kGzip[] =
    "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xab\x56\xca\x4c\x51\xb2\x52\x4a\x54\xaa"
    "\x05\x00\x43\xe6\xa4\x9a\x0a\x00\x00\x00";
constexpr char kZlib[] = "\x78\x9c\xab\x56\xca\x4c\x51\xb2\x52\x4a\x54\xaa\x05\x00\x10\x68\x02\xe9";
// 100,000 times an x.
constexpr char kBomb[] =
    "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xed\xc1\x31\x01\x00\x00\x00\xc2\xa0\xda"
    "\x8b\x6f\x0d\x0f\xa0\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
    "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
    "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
    "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
    "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
    "\x00\x80\x57\x03\x71\x11\x07\xfe\xa0\x86\x01\x00";

template <size_t n>
std::string Bytes(const char (&bytes)[n]) {
  return std::string(bytes, n - 1);
}

class ContentCoding : public testing::TestWithParam<Wire> {};
INSTANTIATE_TEST_SUITE_P(Every, ContentCoding,
                         testing::Values(Wire::kHttp1, Wire::kHttp1Tls, Wire::kHttp2Tls,
                                         Wire::kHttp2Transport),
                         [](const auto& info) { return WireName(info.param); });

HttpResult Answer(Wire wire, int code, const std::string& coding, const std::string& body,
                  size_t max_bytes = 1 << 20) {
  HttpUpstream upstream(wire, [&](const GateRequest&, GatePeer& peer) {
    peer.Respond(code, body, "Content-Encoding: " + coding + "\r\nX-Kept: yes\r\n");
  });
  upstream.options.max_response_bytes = max_bytes;
  const auto transport = upstream.NewTransport();
  return Call(*transport, Get("/"));
}

TEST_P(ContentCoding, IsTakenOffTheBody) {
  for (const auto& [coding, body] : {std::pair<std::string, std::string>{"gzip", Bytes(kGzip)},
                                     {"GZIP", Bytes(kGzip)},
                                     {"x-gzip", Bytes(kGzip)},
                                     {"deflate", Bytes(kZlib)},
                                     {"identity", R"({"id":"a"})"}}) {
    const HttpResult result = Answer(GetParam(), 200, coding, body);
    ASSERT_TRUE(result.status.ok()) << coding << result.status;
    EXPECT_EQ(result.response.body, R"({"id":"a"})") << coding;
    EXPECT_EQ(result.response.body_trouble, "") << coding;
  }
}

TEST_P(ContentCoding, ThatIsNotKnownLeavesTheCodeAndTheHeaders) {
  for (const int code : {200, 404}) {
    const HttpResult result = Answer(GetParam(), code, "lzma", "odd bytes");
    ASSERT_TRUE(result.status.ok()) << result.status;
    EXPECT_EQ(result.response.code, code);
    EXPECT_EQ(result.response.header("x-kept"), "yes");
    EXPECT_EQ(result.response.body, "");
    EXPECT_NE(result.response.body_trouble.find("(lzma)"), std::string::npos);
  }
}

TEST_P(ContentCoding, ThatIsBrokenLeavesTheCodeAndTheHeaders) {
  const HttpResult result = Answer(GetParam(), 200, "gzip", R"({"id":"a"})");
  ASSERT_TRUE(result.status.ok()) << result.status;
  EXPECT_EQ(result.response.code, 200);
  EXPECT_EQ(result.response.body, "");
  EXPECT_NE(result.response.body_trouble.find("(gzip)"), std::string::npos);
}

TEST_P(ContentCoding, CountsTheDecodedBytes) {
  const HttpResult large = Answer(GetParam(), 200, "gzip", Bytes(kBomb), 99'999);
  EXPECT_EQ(large.status.code(), absl::StatusCode::kOutOfRange) << large.status;
  EXPECT_EQ(large.fate, RequestFate::kSent);
  const HttpResult fits = Answer(GetParam(), 200, "gzip", Bytes(kBomb), 100'000);
  ASSERT_TRUE(fits.status.ok()) << fits.status;
  EXPECT_EQ(fits.response.body.size(), 100'000u);
}

}  // namespace
}  // namespace ipp::http
