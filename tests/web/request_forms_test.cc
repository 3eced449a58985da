// Every form of a request that RFC 9110 and RFC 9112 oblige a server to take, over a real socket.
// What a server must or may refuse is in web_limits_test.cc and router_test.cc.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "server/web/request_target.h"
#include "server/web/web_listener.h"
#include "tests/support/fake_clock.h"
#include "tests/support/web_client.h"
#include "tests/web/listener_under_test.h"

namespace ipp::web {
namespace {

// Says what the handler gets: "METHOD path [body] value of X".
void Show(WebRequest request, WebReply reply) {
  std::move(reply)(Text(absl::StrCat(request.method, " ", request.path, " [", request.body, "] ",
                                     request.header("x"))));
}

struct Form {
  const char* name;
  std::string bytes;
  std::string shown;
  bool kept = true;  // the connection, for the next request
};

class RequestForm : public testing::TestWithParam<Form> {};

TEST_P(RequestForm, IsTaken) {
  const auto listener = StartListener(Show);
  WebClient client(listener->port());
  const RawResponse response = client.Call(GetParam().bytes);
  EXPECT_EQ(response.code, 200) << response.body;
  EXPECT_EQ(response.body, GetParam().shown);
  EXPECT_EQ(response.version, "HTTP/1.1");
  EXPECT_EQ(response.header("connection") != "close", GetParam().kept);
  if (!GetParam().kept) {
    EXPECT_TRUE(client.WaitForClose());
    return;
  }
  EXPECT_EQ(client.Call(kGet).body, "GET /a [] ") << "nothing is left of the first request";
}

TEST_P(RequestForm, IsTakenByteByByte) {
  // Thousands of round trips take as long as they take.
  const auto listener =
      StartListener(Show, {.header_timeout = absl::Hours(1), .body_timeout = absl::Hours(1)});
  WebClient client(listener->port());
  WebClient other(listener->port());
  for (const char byte : GetParam().bytes) {
    ASSERT_TRUE(client.Send(std::string(1, byte)));
    ASSERT_EQ(other.Call(kGet).code, 200);
  }
  EXPECT_EQ(client.Receive().body, GetParam().shown);
}

std::string Get(absl::string_view target, absl::string_view fields = "Host: h\r\n") {
  return absl::StrCat("GET ", target, " HTTP/1.1\r\n", fields, "\r\n");
}

std::string Post(absl::string_view fields, absl::string_view body) {
  return absl::StrCat("POST /a HTTP/1.1\r\nHost: h\r\n", fields, "\r\n", body);
}

std::string Chunked(absl::string_view body) { return Post("Transfer-Encoding: chunked\r\n", body); }

INSTANTIATE_TEST_SUITE_P(
    // RFC 9112 section 2: the message.
    Message, RequestForm,
    testing::Values(
        Form{"EmptyLineFirst", "\r\n" + Get("/a"), "GET /a [] "},
        Form{"EmptyLinesFirst", "\r\n\r\n\r\n" + Get("/a"), "GET /a [] "},
        Form{"LaterMinorVersion", "GET /a HTTP/1.2\r\nHost: h\r\n\r\n", "GET /a [] "},
        Form{"LatestMinorVersion", "GET /a HTTP/1.9\r\nHost: h\r\n\r\n", "GET /a [] "},
        Form{"MethodThatNobodyKnows", "NOTIFY /a HTTP/1.1\r\nHost: h\r\n\r\n", "NOTIFY /a [] "},
        Form{"RequestLineOf8000Bytes", Get("/a?" + std::string(7980, 'q')), "GET /a [] "}),
    [](const auto& info) { return info.param.name; });

INSTANTIATE_TEST_SUITE_P(
    // RFC 9112 section 3: the target and Host.
    Target, RequestForm,
    testing::Values(
        Form{"Origin", Get("/a/b"), "GET /a/b [] "}, Form{"Query", Get("/a?b=/c?d"), "GET /a [] "},
        Form{"Absolute", Get("http://h/a"), "GET /a [] "},
        Form{"AbsoluteWithQuery", Get("http://h/a?b"), "GET /a [] "},
        Form{"AbsoluteWithPort", Get("http://h:8080/a"), "GET /a [] "},
        Form{"AbsoluteOfTls", Get("https://h/a"), "GET /a [] "},
        Form{"AbsoluteInCapitals", Get("HTTP://H/a"), "GET /a [] "},
        Form{"AbsoluteWithAnotherHost", Get("http://other/a"), "GET /a [] "},
        Form{"AbsoluteWithoutPath", Get("http://h"), "GET / [] "},
        Form{"AbsoluteWithQueryAlone", Get("http://h?b"), "GET / [] "},
        Form{"Asterisk", "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", "OPTIONS * [] "},
        Form{"AsteriskFromAProxy", "OPTIONS http://h HTTP/1.1\r\nHost: h\r\n\r\n", "OPTIONS * [] "},
        Form{"Authority", "CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n", "CONNECT  [] "},
        Form{"UnreservedEncoded", Get("/%61%2D%2e%5F%7e%41%39"), "GET /a-._~A9 [] "},
        Form{"ReservedEncoded", Get("/a%2Fb%3fc%25d"), "GET /a%2Fb%3fc%25d [] "},
        Form{"PercentAlone", Get("/a%"), "GET /a% [] "},
        Form{"PercentWithoutHex", Get("/a%zz%4"), "GET /a%zz%4 [] "},
        Form{"HostEmpty", Get("/a", "Host:\r\n"), "GET /a [] "},
        Form{"HostWithPort", Get("/a", "Host: example.com:8080\r\n"), "GET /a [] "},
        Form{"HostOfV6", Get("/a", "Host: [::1]:8080\r\n"), "GET /a [] "}),
    [](const auto& info) { return info.param.name; });

INSTANTIATE_TEST_SUITE_P(
    // RFC 9112 section 5, RFC 9110 section 5: fields.
    Fields, RequestForm,
    testing::Values(
        Form{"NameInAnyCase", Get("/a", "hOST: h\r\nx: 1\r\n"), "GET /a [] 1"},
        Form{"NoSpace", Get("/a", "Host:h\r\nX:1\r\n"), "GET /a [] 1"},
        Form{"SpacesAndTabsAround", Get("/a", "Host: \t h\t \r\nX:\t 1 \t\r\n"), "GET /a [] 1"},
        Form{"EmptyValue", Get("/a", "Host: h\r\nX:\r\n"), "GET /a [] "},
        Form{"SpacesInside", Get("/a", "Host: h\r\nX: 1 \t 2\r\n"), "GET /a [] 1 \t 2"},
        Form{"BytesBeyondAscii", Get("/a", "Host: h\r\nX: \xe5\xff\r\n"), "GET /a [] \xe5\xff"},
        Form{"SeveralLines", Get("/a", "X: 1\r\nHost: h\r\nx: 2\r\nX: 1\r\n"), "GET /a [] 1, 2, 1"},
        Form{"Folded", Get("/a", "Host: h\r\nX: 1\r\n 2\r\n\t3\r\n"), "GET /a [] 1 2 3"},
        Form{"UnknownFields",
             Get("/a", "Host: h\r\nUpgrade-Insecure-Requests: 1\r\nTE: trailers\r\n"),
             "GET /a [] "}),
    [](const auto& info) { return info.param.name; });

INSTANTIATE_TEST_SUITE_P(
    // RFC 9112 sections 6 and 7, RFC 9110 section 8.6: the body.
    Body, RequestForm,
    testing::Values(
        Form{"Length", Post("Content-Length: 2\r\n", "hi"), "POST /a [hi] "},
        Form{"LengthZero", Post("Content-Length: 0\r\n", ""), "POST /a [] "},
        Form{"LengthWithZeros", Post("Content-Length: 002\r\n", "hi"), "POST /a [hi] "},
        Form{"LengthTwice", Post("Content-Length: 2\r\nContent-Length: 2\r\n", "hi"),
             "POST /a [hi] "},
        Form{"LengthTwiceInALine", Post("Content-Length: 2, 2\r\n", "hi"), "POST /a [hi] "},
        Form{"NoLength", Post("", ""), "POST /a [] "},
        Form{"BodyOfAGet", Get("/a", "Host: h\r\nContent-Length: 2\r\n") + "hi", "GET /a [hi] "},
        Form{"Chunked", Chunked("2\r\nhi\r\n0\r\n\r\n"), "POST /a [hi] "},
        Form{"ChunkedInAnyCase", Post("transfer-encoding: CHUNKED\r\n", "2\r\nhi\r\n0\r\n\r\n"),
             "POST /a [hi] "},
        Form{"ChunkedInAListWithEmptyMembers",
             Post("Transfer-Encoding: , chunked ,\r\n", "2\r\nhi\r\n0\r\n\r\n"), "POST /a [hi] "},
        Form{"ChunkSizeInAnyCase", Chunked("a\r\n0123456789\r\nA\r\n0123456789\r\n000\r\n\r\n"),
             "POST /a [01234567890123456789] "},
        Form{"ChunkExtension", Chunked("2;a\r\nhi\r\n0;b\r\n\r\n"), "POST /a [hi] "},
        Form{"ChunkExtensionWithValue", Chunked("2;a=b;c=d\r\nhi\r\n0;e=f\r\n\r\n"),
             "POST /a [hi] "},
        Form{"ChunkExtensionQuoted", Chunked("2;a=\"b;\\\"c\"\r\nhi\r\n0\r\n\r\n"),
             "POST /a [hi] "},
        Form{"ChunkExtensionWithSpaces", Chunked("2 ; a = b\r\nhi\r\n0\r\n\r\n"), "POST /a [hi] "},
        Form{"Trailers", Chunked("2\r\nhi\r\n0\r\nX: late\r\nExpires: 0\r\n\r\n"),
             "POST /a [hi] "}),
    [](const auto& info) { return info.param.name; });

INSTANTIATE_TEST_SUITE_P(
    // RFC 9112 section 9, RFC 9110 sections 7.6.1, 7.8, 10.1.1: the connection and what comes next.
    Connection, RequestForm,
    testing::Values(
        Form{"KeepAlive", Get("/a", "Host: h\r\nConnection: Keep-Alive\r\n"), "GET /a [] "},
        Form{"Close", Get("/a", "Host: h\r\nConnection: close\r\n"), "GET /a [] ", false},
        Form{"CloseInAnyCase", Get("/a", "Host: h\r\nCONNECTION: Close\r\n"), "GET /a [] ", false},
        Form{"CloseInAList", Get("/a", "Host: h\r\nConnection: TE, close\r\n"), "GET /a [] ",
             false},
        Form{"CloseInAListWithEmptyMembers", Get("/a", "Host: h\r\nConnection: , ,close,\r\n"),
             "GET /a [] ", false},
        Form{"CloseInALine", Get("/a", "Host: h\r\nConnection: TE\r\nConnection: close\r\n"),
             "GET /a [] ", false},
        Form{"CloseBesideKeepAlive", Get("/a", "Host: h\r\nConnection: keep-alive, close\r\n"),
             "GET /a [] ", false},
        Form{"Http10", "GET /a HTTP/1.0\r\n\r\n", "GET /a [] ", false},
        Form{"Http10WithHost", "GET /a HTTP/1.0\r\nHost: h\r\n\r\n", "GET /a [] ", false},
        Form{"Http10KeptAlive", "GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "GET /a [] "},
        Form{"Http10KeptAliveInAList", "GET /a HTTP/1.0\r\nConnection: foo, Keep-Alive\r\n\r\n",
             "GET /a [] "},
        Form{"Http10WithBody", "POST /a HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi", "POST /a [hi] ",
             false},
        Form{"Http10IgnoresExpectations",
             "POST /a HTTP/1.0\r\nExpect: 100-continue, tea\r\nContent-Length: 2\r\n\r\nhi",
             "POST /a [hi] ", false},
        Form{"UpgradeIsIgnored",
             Get("/a",
                 "Host: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
                 "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n"),
             "GET /a [] "},
        Form{"UpgradeToWebSocketIsIgnored",
             Get("/a", "Host: h\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"), "GET /a [] "},
        Form{"ExpectationWithoutBody", Post("Expect: 100-continue\r\nContent-Length: 0\r\n", ""),
             "POST /a [] "},
        Form{"ExpectationEmpty", Post("Expect:\r\nContent-Length: 2\r\n", "hi"), "POST /a [hi] "}),
    [](const auto& info) { return info.param.name; });

TEST(RequestForms, AnEmptyLineBetweenRequestsIsNoRequest) {
  WebOptions options;
  options.header_timeout = absl::Milliseconds(100);
  const auto listener = StartListener(Show, options);
  WebClient client(listener->port());
  EXPECT_EQ(client.Call(Post("Content-Length: 2\r\n", "hi\r\n")).body, "POST /a [hi] ");
  // Longer than a request may take: the connection is idle and is not answered 408.
  WebClient late(listener->port());
  EXPECT_TRUE(late.WaitForClose());
  EXPECT_EQ(client.Call(kGet).body, "GET /a [] ");
}

TEST(RequestForms, ABodyIsAskedForInEveryFormOfTheExpectation) {
  const auto listener = StartListener(Show);
  for (const char* expect :
       {"Expect: 100-continue\r\n", "expect:100-CONTINUE\r\n", "Expect: , 100-continue,\r\n",
        "Expect: 100-continue\r\nExpect: 100-continue\r\n"}) {
    for (const bool chunked : {false, true}) {
      WebClient client(listener->port());
      ASSERT_TRUE(client.Send(Post(absl::StrCat(expect, chunked ? "Transfer-Encoding: chunked\r\n"
                                                                : "Content-Length: 2\r\n"),
                                   "")));
      EXPECT_EQ(client.Receive().code, 100) << expect;
      EXPECT_EQ(client.Call(chunked ? "2\r\nhi\r\n0\r\n\r\n" : "hi").body, "POST /a [hi] ");
      EXPECT_EQ(client.Call(kGet).body, "GET /a [] ");
    }
  }
}

TEST(RequestForms, PipelinedRequestsOfEveryFormAreAnsweredInOrder) {
  const auto listener = StartListener(Show);
  WebClient client(listener->port());
  ASSERT_TRUE(client.Send(absl::StrCat(
      "\r\n", Get("/1"), "\r\n", Chunked("2;a=b\r\nhi\r\n0\r\nT: 1\r\n\r\n"), "\r\n\r\n",
      Get("http://h/3"), Post("Expect: 100-continue\r\nContent-Length: 2\r\n", "ho"),
      "GET /5 HTTP/1.2\r\nHost: h\r\n\r\n", Get("/6", "Host: h\r\nConnection: close\r\n"))));
  for (const char* shown :
       {"GET /1 [] ", "POST /a [hi] ", "GET /3 [] ", "POST /a [ho] ", "GET /5 [] ", "GET /6 [] "}) {
    EXPECT_EQ(client.Receive().body, shown);
  }
  EXPECT_TRUE(client.WaitForClose());
}

TEST(RequestForms, EveryAnswerHasADate) {
  FakeClock clock(absl::FromUnixSeconds(784111777));
  WebOptions options;
  options.clock = &clock;
  const auto listener = StartListener(Show, options);
  WebClient client(listener->port());
  for (const std::string& bytes : {Get("/a"), Get("/a", ""), std::string("nonsense\r\n\r\n")}) {
    EXPECT_EQ(WebClient(listener->port()).Call(bytes).header("date"),
              "Sun, 06 Nov 1994 08:49:37 GMT");
  }
}

TEST(RequestForms, AClientOfHttp10LearnsThatItsConnectionIsKept) {
  const auto listener = StartListener(Show);
  WebClient client(listener->port());
  EXPECT_EQ(client.Call("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").header("connection"),
            "keep-alive");
}

// Whatever the target is: the same text twice names the same path, and that path names itself.
TEST(RequestForms, APathNamesItself) {
  for (const char* target :
       {"/", "/a", "/%61", "/a%2fb", "/%", "/%4", "/%zz", "//x", "/a?b", "/?"}) {
    const std::string path = PathOf("GET", target).value();
    EXPECT_EQ(PathOf("GET", absl::StrCat("http://h", path)), path) << target;
    EXPECT_EQ(PathOf("GET", absl::StrCat("https://h:1", target)), path) << target;
  }
}

}  // namespace
}  // namespace ipp::web
