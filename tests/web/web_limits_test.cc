#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "server/base/metrics.h"
#include "server/web/web_listener.h"
#include "tests/support/web_client.h"
#include "tests/web/listener_under_test.h"

namespace ipp::web {
namespace {

// Long enough for a busy machine to get from connect() to send().
constexpr absl::Duration kSoon = absl::Milliseconds(300);

struct BadRequest {
  const char* name;
  std::string bytes;
  int code;
};

std::string Post(absl::string_view fields, absl::string_view body = "") {
  return absl::StrCat("POST /a HTTP/1.1\r\nHost: x\r\n", fields, "\r\n", body);
}

std::string Chunks(absl::string_view chunks) {
  return Post("Transfer-Encoding: chunked\r\n", chunks);
}

class WebListenerBadRequest : public testing::TestWithParam<BadRequest> {};

TEST_P(WebListenerBadRequest, IsRefusedAndEndsTheConnection) {
  std::atomic<int> handled = 0;
  WebOptions options;
  options.max_header_bytes = 1024;
  options.max_body_bytes = 100;
  const auto listener = StartListener(
      [&handled](WebRequest request, WebReply reply) {
        ++handled;
        Echo(std::move(request), std::move(reply));
      },
      options);
  WebClient client(listener->port());
  client.Send(GetParam().bytes);
  client.EndSending();
  const RawResponse response = client.Receive();
  EXPECT_EQ(response.code, GetParam().code);
  EXPECT_NE(response.header("connection"), "keep-alive");
  EXPECT_NE(response.body, "");
  EXPECT_TRUE(client.WaitForClose());
  EXPECT_EQ(handled, 0);
}

// RFC 9110 section 6.5.1: a trailer cannot say how the message ends. Beast refuses such a request,
// or, from 1.92 on, leaves the field out.
TEST(WebListener, TakesNoLengthFromATrailer) {
  const auto listener = StartListener(Echo);
  WebClient client(listener->port());
  client.Send(Chunks("2\r\nhi\r\n0\r\nContent-Length: 7\r\n\r\n"));
  const RawResponse response = client.Receive();
  if (response.code == 400) return;
  EXPECT_EQ(response.body, "POST /a [hi]");
  EXPECT_EQ(client.Call("GET /next HTTP/1.1\r\nHost: x\r\n\r\n").body, "GET /next []");
}

INSTANTIATE_TEST_SUITE_P(
    Table, WebListenerBadRequest,
    testing::Values(
        BadRequest{"Garbage", "hello there\r\n\r\n", 400},
        BadRequest{"TlsClientHello", std::string("\x16\x03\x01\x02\x00\x01\x00", 7), 400},
        BadRequest{"NoVersion", "GET /a\r\nHost: x\r\n\r\n", 400},
        BadRequest{"Http2Preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
        BadRequest{"Http3", "GET / HTTP/3.0\r\nHost: x\r\n\r\n", 505},
        BadRequest{"Http09", "GET / HTTP/0.9\r\n\r\n", 505},
        BadRequest{"VersionOfThreeDigits", "GET / HTTP/1.12\r\nHost: x\r\n\r\n", 400},
        BadRequest{"HalfAnEmptyLineFirst", "\rGET / HTTP/1.1\r\nHost: x\r\n\r\n", 400},
        BadRequest{"SpaceBeforeTheFirstField", "GET / HTTP/1.1\r\n Host: x\r\n\r\n", 400},
        BadRequest{"TargetOfAnotherScheme", "GET ftp://x/a HTTP/1.1\r\nHost: x\r\n\r\n", 400},
        BadRequest{"TargetWithoutSlash", "GET a HTTP/1.1\r\nHost: x\r\n\r\n", 400},
        BadRequest{"TargetWithoutAuthority", "GET http:///a HTTP/1.1\r\nHost: x\r\n\r\n", 400},
        BadRequest{"AsteriskForGet", "GET * HTTP/1.1\r\nHost: x\r\n\r\n", 400},
        BadRequest{"HostIsNone", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400},
        BadRequest{"HostIsAUri", "GET / HTTP/1.1\r\nHost: http://x/\r\n\r\n", 400},
        BadRequest{"NoHostBesideAUri", "GET http://x/ HTTP/1.1\r\n\r\n", 400},
        BadRequest{"LowerCaseVersion", "GET / http/1.1\r\nHost: x\r\n\r\n", 400},
        BadRequest{"BareLineFeeds", "GET / HTTP/1.1\nHost: x\n\n", 400},
        BadRequest{"SpaceInTarget", "GET /a b HTTP/1.1\r\nHost: x\r\n\r\n", 400},
        BadRequest{"ControlInTarget", "GET /a\x01 HTTP/1.1\r\nHost: x\r\n\r\n", 400},
        BadRequest{"MethodNoToken", "GE(T / HTTP/1.1\r\nHost: x\r\n\r\n", 400},
        BadRequest{"NoHost", "GET / HTTP/1.1\r\n\r\n", 400},
        BadRequest{"TwoHosts", "GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400},
        BadRequest{"TwoHostsHttp10", "GET / HTTP/1.0\r\nHost: x\r\nHost: y\r\n\r\n", 400},
        BadRequest{"FieldWithoutColon", Post("nonsense\r\n"), 400},
        BadRequest{"SpaceBeforeColon", Post("Webhook-Id : 1\r\n"), 400},
        BadRequest{"EmptyFieldName", Post(": 1\r\n"), 400},
        BadRequest{"ControlInValue", Post("X: a\x02z\r\n"), 400},
        BadRequest{"ZeroInValue", Post(absl::string_view("X: a\0z\r\n", 8)), 400},
        BadRequest{"EndsInHead", "GET / HTTP/1.1\r\nHost: x\r\n", 400},
        BadRequest{"EndsInBody", Post("Content-Length: 5\r\n", "abc"), 400},
        BadRequest{"EndsInChunk", Chunks("5\r\nab"), 400},
        BadRequest{"LengthNegative", Post("Content-Length: -1\r\n"), 400},
        BadRequest{"LengthSigned", Post("Content-Length: +1\r\n", "a"), 400},
        BadRequest{"LengthHex", Post("Content-Length: 0x1\r\n", "a"), 400},
        BadRequest{"LengthEmpty", Post("Content-Length:\r\n"), 400},
        BadRequest{"LengthBeyond64Bits", Post("Content-Length: 99999999999999999999\r\n"), 400},
        BadRequest{"TwoLengths", Post("Content-Length: 1\r\nContent-Length: 2\r\n", "ab"), 400},
        BadRequest{"TwoLengthsInOne", Post("Content-Length: 1, 2\r\n", "ab"), 400},
        BadRequest{"LengthThenChunked",
                   Post("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400},
        BadRequest{"ChunkedThenLength",
                   Post("Transfer-Encoding: chunked\r\nContent-Length: 1\r\n", "0\r\n\r\n"), 400},
        BadRequest{"CodingThenLength",
                   Post("Transfer-Encoding: gzip\r\nContent-Length: 1\r\n", "a"), 400},
        BadRequest{"ChunkedInHttp10",
                   "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
        BadRequest{"ChunkedTwice",
                   Post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), 400},
        BadRequest{"CodingUnknown", Post("Transfer-Encoding: gzip\r\n", "a"), 501},
        BadRequest{"CodingBeforeChunked", Post("Transfer-Encoding: gzip, chunked\r\n"), 501},
        BadRequest{"ChunkedNotLast", Post("Transfer-Encoding: chunked, gzip\r\n"), 501},
        BadRequest{"CodingMisspelt", Post("Transfer-Encoding: xchunked\r\n"), 501},
        BadRequest{"ExpectationUnknown", Post("Expect: tea\r\nContent-Length: 1\r\n"), 417},
        BadRequest{"ExpectationUnknownInAList",
                   Post("Expect: 100-continue, tea\r\nContent-Length: 1\r\n"), 417},
        BadRequest{"ExpectationUnknownInALine",
                   Post("Expect: 100-continue\r\nExpect: tea\r\nContent-Length: 1\r\n"), 417},
        BadRequest{"ChunkSizeNoHex", Chunks("xyz\r\nabc\r\n0\r\n\r\n"), 400},
        BadRequest{"ChunkSizeNegative", Chunks("-1\r\nabc\r\n0\r\n\r\n"), 400},
        BadRequest{"ChunkSizeBeyond64Bits", Chunks("fffffffffffffffff\r\na\r\n0\r\n\r\n"), 400},
        BadRequest{"ChunkLongerThanSaid", Chunks("1\r\nab\r\n0\r\n\r\n"), 400},
        BadRequest{"ChunkWithBareLineFeed", Chunks("1\na\n0\n\n"), 400},
        BadRequest{"TrailerBroken", Chunks("0\r\nnonsense\r\n\r\n"), 400},
        BadRequest{"TrailerTooLarge",
                   Chunks(absl::StrCat("0\r\nX: ", std::string(40'000, 'x'), "\r\n\r\n")), 400},
        BadRequest{"TargetTooLarge",
                   absl::StrCat("GET /", std::string(2000, 'a'), " HTTP/1.1\r\nHost: x\r\n\r\n"),
                   414},
        BadRequest{"TargetThatDoesNotEnd", absl::StrCat("GET /", std::string(2000, 'a')), 414},
        BadRequest{"MethodThatDoesNotEnd", std::string(2000, 'G'), 501},
        BadRequest{"FieldTooLarge", Post(absl::StrCat("X: ", std::string(2000, 'a'), "\r\n")), 431},
        BadRequest{"TargetAndFieldTooLargeTogether",
                   absl::StrCat("GET /", std::string(600, 'a'),
                                " HTTP/1.1\r\nHost: x\r\nX: ", std::string(600, 'a'), "\r\n\r\n"),
                   431},
        BadRequest{"LengthOverLimit", Post("Content-Length: 101\r\n"), 413},
        BadRequest{"LengthOverLimitHeldBack",
                   Post("Expect: 100-continue\r\nContent-Length: 101\r\n"), 413},
        BadRequest{"ChunkOverLimit", Chunks("65\r\na"), 413},
        BadRequest{"ChunksOverLimitTogether",
                   Chunks(absl::StrCat("32\r\n", std::string(50, 'a'), "\r\n33\r\n")), 413}),
    [](const auto& info) { return info.param.name; });

TEST(WebLimits, LetPassWhatIsJustWithin) {
  WebOptions options;
  options.max_header_bytes = 200;
  options.max_body_bytes = 100;
  const auto listener = StartListener(Echo, options);
  WebClient client(listener->port());
  std::string head = "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\nX: \r\n\r\n";
  head.insert(head.size() - 4, std::string(200 - head.size(), 'a'));
  EXPECT_EQ(client.Call(absl::StrCat(head, std::string(100, 'b'))).code, 200);
  EXPECT_EQ(client
                .Call(Chunks(absl::StrCat("32\r\n", std::string(50, 'a'), "\r\n32\r\n",
                                          std::string(50, 'b'), "\r\n0\r\n\r\n")))
                .code,
            200);
  head.insert(head.size() - 4, "a");
  EXPECT_EQ(client.Call(head).code, 431);
}

TEST(WebLimits, CountEachRequestOfAConnectionByItself) {
  WebOptions options;
  options.max_header_bytes = 64;
  options.max_body_bytes = 4;
  const auto listener = StartListener(Echo, options);
  WebClient client(listener->port());
  std::string all;
  for (int i = 0; i < 10; ++i) {
    absl::StrAppend(&all, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody");
  }
  ASSERT_TRUE(client.Send(all));
  for (int i = 0; i < 10; ++i) EXPECT_EQ(client.Receive().body, "POST / [body]");
}

TEST(WebLimits, ABodyTooLargeIsRefusedWhileItIsBeingSent) {
  const auto listener = StartListener(Echo);
  WebClient client(listener->port());
  client.Send(absl::StrCat(Post("Content-Length: 400000\r\n"), std::string(400'000, 'a')));
  EXPECT_EQ(client.Receive().code, 413) << "the rest of the body must not reset the connection";
}

TEST(WebLimits, AHeadThatStopsIsTimedOut) {
  WebOptions options;
  options.header_timeout = kSoon;
  const auto listener = StartListener(Echo, options);
  WebClient client(listener->port());
  EXPECT_EQ(client.Call("GET / HTTP/1.1\r\nHost").code, 408);
  EXPECT_TRUE(client.WaitForClose());
}

TEST(WebLimits, AHeadThatDripsIsTimedOut) {
  WebOptions options;
  options.header_timeout = kSoon;
  const auto listener = StartListener(Echo, options);
  WebClient client(listener->port());
  ASSERT_TRUE(client.Send("GET / HTTP/1.1\r\nHost: "));
  client.SendUntilAnswered("x");
  EXPECT_EQ(client.Receive().code, 408);
}

TEST(WebLimits, ABodyThatStopsIsTimedOut) {
  WebOptions options;
  options.body_timeout = kSoon;
  const auto listener = StartListener(Echo, options);
  WebClient client(listener->port());
  EXPECT_EQ(client.Call(Post("Content-Length: 9\r\n", "abc")).code, 408);
  EXPECT_TRUE(client.WaitForClose());
}

TEST(WebLimits, ABodyThatDripsIsTimedOut) {
  WebOptions options;
  options.body_timeout = kSoon;
  const auto listener = StartListener(Echo, options);
  WebClient client(listener->port());
  ASSERT_TRUE(client.Send(Chunks("")));
  client.SendUntilAnswered("1\r\na\r\n");
  EXPECT_EQ(client.Receive().code, 408);
}

TEST(WebLimits, ASilentNewConnectionIsClosed) {
  WebOptions options;
  options.header_timeout = kSoon;
  const auto listener = StartListener(Echo, options);
  EXPECT_TRUE(WebClient(listener->port()).WaitForClose());
}

TEST(WebLimits, AnIdleConnectionIsClosed) {
  WebOptions options;
  options.idle_timeout = kSoon;
  const auto listener = StartListener(Echo, options);
  WebClient client(listener->port());
  EXPECT_EQ(client.Call(kGet).code, 200);
  EXPECT_TRUE(client.WaitForClose());
}

TEST(WebLimits, TheHandlersTimeIsNotCounted) {
  WebOptions options;
  options.header_timeout = kSoon;
  options.idle_timeout = kSoon;
  Desk desk;
  const auto listener = StartListener(desk.handler(), options);
  WebClient client(listener->port());
  ASSERT_TRUE(client.Send(kGet));
  WebReply reply = desk.Take();
  EXPECT_TRUE(WebClient(listener->port()).WaitForClose()) << "one header_timeout has gone by";
  std::move(reply)(Text("late"));
  EXPECT_EQ(client.Receive().body, "late");
}

TEST(WebLimits, APeerThatDoesNotReadIsReset) {
  WebOptions options;
  options.write_timeout = kSoon;
  const auto listener = StartListener(
      [](WebRequest, WebReply reply) { std::move(reply)(Text(std::string(32 << 20, 'a'))); },
      options);
  WebClient client(listener->port(), /*receive_buffer=*/4096);
  ASSERT_TRUE(client.Send(kGet));
  EXPECT_TRUE(client.WaitForReset());
}

TEST(WebLimits, AConnectionTooManyIsTurnedAway) {
  WebOptions options;
  options.max_connections = 2;
  Desk desk;
  const auto listener = StartListener(desk.handler(), options);
  WebClient first(listener->port());
  WebClient second(listener->port());
  ASSERT_TRUE(first.Send(kGet));
  WebReply to_first = desk.Take();
  ASSERT_TRUE(second.Send(kGet));
  WebReply to_second = desk.Take();
  for (int i = 0; i < 5; ++i) {
    WebClient third(listener->port());
    EXPECT_EQ(third.Receive().code, 503);
    EXPECT_TRUE(third.WaitForClose());
  }
  std::move(to_first)(Text("late"));
  EXPECT_EQ(first.Receive().body, "late") << "who is served stays";
  std::move(to_second)(Text("later"));
  EXPECT_EQ(second.Receive().body, "later");
}

TEST(WebLimits, AConnectionWithoutARequestMakesRoom) {
  Metrics metrics;
  WebOptions options;
  options.max_connections = 2;
  options.name = "tested";
  options.metrics = &metrics;
  const auto listener = StartListener(Echo, options);
  WebClient silent(listener->port());
  WebClient idle(listener->port());
  EXPECT_EQ(idle.Call(kGet).code, 200);
  WebClient third(listener->port());
  EXPECT_EQ(third.Call(kGet).code, 200);
  EXPECT_TRUE(silent.WaitForClose()) << "it has waited for longest";
  EXPECT_EQ(idle.Call(kGet).code, 200) << "it has not";
  WebClient fourth(listener->port());
  EXPECT_EQ(fourth.Call(kGet).code, 200);
  EXPECT_TRUE(third.WaitForClose()) << "it had a request longer ago than the idle one";
  EXPECT_EQ(metrics
                .counter("ipp_connections_refused_total", "",
                         {{"port", "tested"}, {"reason", "displaced"}})
                .value(),
            2);
}

TEST(WebLimits, AreFreeAgainWhenTheirConnectionsHaveEnded) {
  Metrics metrics;
  WebOptions options;
  options.name = "tested";
  options.metrics = &metrics;
  options.header_timeout = kSoon;
  const auto listener = StartListener(Echo, options);
  Gauge& open = metrics.gauge("ipp_connections", "", {{"port", "tested"}});
  WebClient one(listener->port());
  EXPECT_EQ(one.Call(kGet).code, 200);
  EXPECT_EQ(open.value(), 1);
  WebClient late(listener->port());
  EXPECT_EQ(late.Call("GET / HTTP/1.1\r\nHost").code, 408);
  late.Close();
  EXPECT_EQ(metrics
                .counter("ipp_connections_refused_total", "",
                         {{"port", "tested"}, {"reason", "timed_out"}})
                .value(),
            1);
  one.Close();
  const absl::Time end = absl::Now() + absl::Seconds(20);
  while (open.value() != 0 && absl::Now() < end) {
  }
  EXPECT_EQ(open.value(), 0);
}

}  // namespace
}  // namespace ipp::web
