#include "server/web/router.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/support/web_client.h"
#include "tests/web/listener_under_test.h"

namespace ipp::web {
namespace {

std::unique_ptr<WebListener> StartRouter() {
  return StartListener(Router({{"POST", "/hooks", Echo},
                               {"GET", "/page", Echo},
                               {"POST", "/page", Echo},
                               {"GET", "/%61ncient", Echo}},
                              "nothing here\n"));
}

struct Row {
  const char* name;
  std::string line;  // method and target
  std::string more;  // fields and body
  int code;
  std::string body;
  std::string allow = "";
};

class RouterAnswers : public testing::TestWithParam<Row> {};

TEST_P(RouterAnswers, AsTheMethodAndThePathSay) {
  const auto listener = StartRouter();
  WebClient client(listener->port());
  const Row& row = GetParam();
  ASSERT_TRUE(client.Send(absl::StrCat(row.line, " HTTP/1.1\r\nHost: h\r\n", row.more, "\r\n")));
  const bool head = row.line.rfind("HEAD", 0) == 0;
  const RawResponse response = client.Receive(/*without_body=*/head);
  EXPECT_EQ(response.code, row.code);
  EXPECT_EQ(response.body, row.body);
  EXPECT_EQ(response.header("allow"), row.allow);
  EXPECT_NE(response.header("date"), "");
  EXPECT_EQ(response.header("content-length").empty(), row.code == 204);
  EXPECT_EQ(client.Call("GET /page HTTP/1.1\r\nHost: h\r\n\r\n").body, "GET /page []")
      << "the connection goes on";
}

INSTANTIATE_TEST_SUITE_P(
    Table, RouterAnswers,
    testing::Values(
        Row{"Post", "POST /hooks", "", 200, "POST /hooks []"},
        Row{"Get", "GET /page", "", 200, "GET /page []"},
        Row{"HeadWhereGetIs", "HEAD /page", "", 200, ""},
        Row{"AnotherMethodOfThePath", "POST /page", "", 200, "POST /page []"},
        Row{"Absolute", "POST http://anyone/hooks?x", "", 200, "POST http://anyone/hooks?x []"},
        Row{"Encoded", "POST /%68ooks", "", 200, "POST /%68ooks []"},
        Row{"RouteThatIsEncoded", "GET /ancient", "", 200, "GET /ancient []"},
        Row{"OtherPath", "GET /other", "", 404, "nothing here\n"},
        Row{"OtherPathOfAHead", "HEAD /other", "", 404, ""},
        Row{"PathBelow", "POST /hooks/", "", 404, "nothing here\n"},
        Row{"PathInCapitals", "POST /HOOKS", "", 404, "nothing here\n"},
        Row{"SlashEncoded", "POST /x%2Fhooks", "", 404, "nothing here\n"},
        Row{"Put", "PUT /hooks", "", 405, "method not allowed, only POST, OPTIONS\n",
            "POST, OPTIONS"},
        Row{"HeadWithoutGet", "HEAD /hooks", "", 405, "", "POST, OPTIONS"},
        Row{"Delete", "DELETE /page", "", 405,
            "method not allowed, only GET, HEAD, POST, OPTIONS\n", "GET, HEAD, POST, OPTIONS"},
        Row{"Trace", "TRACE /hooks", "", 405, "method not allowed, only POST, OPTIONS\n",
            "POST, OPTIONS"},
        Row{"Options", "OPTIONS /page", "", 204, "", "GET, HEAD, POST, OPTIONS"},
        Row{"OptionsOfTheServer", "OPTIONS *", "", 204, "", "POST, GET, HEAD, OPTIONS"},
        Row{"OptionsOfNoPath", "OPTIONS /other", "", 404, "nothing here\n"},
        Row{"MethodUnknown", "NOTIFY /hooks", "", 501, "the method is not implemented\n"},
        Row{"MethodInSmallLetters", "post /hooks", "", 501, "the method is not implemented\n"},
        Row{"Connect", "CONNECT h:443", "", 501, "the method is not implemented\n"},
        Row{"NoCodingOfAnEmptyBody", "POST /hooks", "Content-Encoding: gzip\r\n", 200,
            "POST /hooks []"},
        Row{"CodingThatIsNone", "POST /hooks",
            "Content-Encoding: , Identity\r\nContent-Length: 0\r\n", 200, "POST /hooks []"}),
    [](const auto& info) { return info.param.name; });

TEST(Router, RefusesAContentCodingAndSaysWhatItTakes) {
  const auto listener = StartRouter();
  WebClient client(listener->port());
  for (const char* coding : {"gzip", "GZIP", "identity, br", "x"}) {
    const RawResponse response =
        client.Call(absl::StrCat("POST /hooks HTTP/1.1\r\nHost: h\r\nContent-Encoding: ", coding,
                                 "\r\nContent-Length: 2\r\n\r\nhi"));
    EXPECT_EQ(response.code, 415) << coding;
    EXPECT_EQ(response.header("accept-encoding"), "identity");
    EXPECT_THAT(response.body, testing::HasSubstr("Content-Encoding"));
  }
  EXPECT_EQ(client
                .Call("POST /hooks HTTP/1.1\r\nHost: h\r\nContent-Encoding: identity\r\n"
                      "Content-Length: 2\r\n\r\nhi")
                .body,
            "POST /hooks [hi]");
}

}  // namespace
}  // namespace ipp::web
