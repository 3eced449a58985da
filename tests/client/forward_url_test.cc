#include "client/ippctl/forward_url.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace ipp::ippctl {
namespace {

struct Good {
  const char* name;
  const char* url;
  const char* origin;
  const char* target;
  bool is_loopback;
};

class ForwardUrlTakes : public ::testing::TestWithParam<Good> {};

TEST_P(ForwardUrlTakes, Apart) {
  const auto url = ParseForwardUrl(GetParam().url);
  ASSERT_TRUE(url.ok()) << url.status();
  EXPECT_EQ(url->origin, GetParam().origin);
  EXPECT_EQ(url->target, GetParam().target);
  EXPECT_EQ(url->is_loopback, GetParam().is_loopback);
}

INSTANTIATE_TEST_SUITE_P(
    All, ForwardUrlTakes,
    ::testing::ValuesIn(std::vector<Good>{
        {"Plain", "http://localhost:3000/hooks", "http://localhost:3000", "/hooks", true},
        {"NoPath", "http://127.0.0.1:3000", "http://127.0.0.1:3000", "/", true},
        {"QueryAlone", "HTTPS://LocalHost?a=b", "https://LocalHost", "/?a=b", true},
        {"LongPath", "http://127.8.9.1/a/b?c=d&e=%20", "http://127.8.9.1", "/a/b?c=d&e=%20", true},
        {"Ipv6", "http://[::1]:80/", "http://[::1]:80", "/", true},
        {"OtherIpv6", "http://[::2]/", "http://[::2]", "/", false},
        {"OtherHost", "https://shop.example/x", "https://shop.example", "/x", false},
        {"LooksLikeLoopback", "http://127.0.0.1.shop.example/", "http://127.0.0.1.shop.example",
         "/", false},
        {"LocalhostInFront", "http://localhost.shop.example/", "http://localhost.shop.example", "/",
         false},
        {"Shortened", "http://127.1/", "http://127.1", "/", false},
        {"AnyAddress", "http://0.0.0.0/", "http://0.0.0.0", "/", false}}),
    [](const auto& info) { return info.param.name; });

struct Bad {
  const char* name;
  const char* url;
  const char* message;
};

class ForwardUrlRefuses : public ::testing::TestWithParam<Bad> {};

TEST_P(ForwardUrlRefuses, WithoutRepeatingIt) {
  EXPECT_EQ(std::string(ParseForwardUrl(GetParam().url).status().message()),
            std::string("--forward-to ") + GetParam().message);
}

constexpr char kScheme[] = "begins with neither http:// nor https://";
constexpr char kHost[] = "names no host, or a port that is none";

INSTANTIATE_TEST_SUITE_P(
    All, ForwardUrlRefuses,
    ::testing::ValuesIn(std::vector<Bad>{
        {"NoScheme", "localhost:3000/x", kScheme},
        {"Ftp", "ftp://localhost/x", kScheme},
        {"File", "file:///etc/passwd", kScheme},
        {"Empty", "", kScheme},
        {"NoHost", "http:///x", kHost},
        {"NoPort", "http://localhost:/x", kHost},
        {"PortZero", "http://localhost:0/x", kHost},
        {"PortTooLarge", "http://localhost:65536/x", kHost},
        {"PortSigned", "http://localhost:+80/x", kHost},
        {"OpenBracket", "http://[::1/x", kHost},
        {"NotIpv6", "http://[localhost]/x", kHost},
        {"AfterBracket", "http://[::1]80/x", kHost},
        {"Backslash", "http://localhost\\@shop.example/", "holds a user: leave it out"},
        {"BackslashAlone", "http://localhost\\.shop.example/", kHost},
        {"User", "http://me:s3cret@localhost/", "holds a user: leave it out"},
        {"Fragment", "http://localhost/x#y", "holds a fragment (#), which is never sent"},
        {"Blank", "http://localhost/a b", "holds a character that has to be percent-encoded"},
        {"LineBreak", "http://localhost/a\r\nx: y",
         "holds a character that has to be percent-encoded"},
        {"NotAscii", "http://localhost/\xC3\xA5",
         "holds a character that has to be percent-encoded"}}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace ipp::ippctl
