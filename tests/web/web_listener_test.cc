#include "server/web/web_listener.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/support/web_client.h"
#include "tests/web/listener_under_test.h"

namespace ipp::web {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(WebListener, GivesTheHandlerWhatWasSent) {
  WebRequest seen;
  const auto listener = StartListener([&seen](WebRequest request, WebReply reply) {
    seen = std::move(request);
    std::move(reply)(Text("ok"));
  });
  WebClient client(listener->port());
  const std::string body("\x01\0\xff{", 4);
  const RawResponse response =
      client.Call(absl::StrCat("POST /hooks/x?a=b%20c HTTP/1.1\r\nHost: gw\r\nWebhook-Id:  one \r\n"
                               "X-Two: first\r\nx-two: second\r\nContent-Length: 4\r\n\r\n",
                               body));
  EXPECT_EQ(response.code, 200);
  EXPECT_EQ(seen.method, "POST");
  EXPECT_EQ(seen.target, "/hooks/x?a=b%20c");
  EXPECT_EQ(seen.path, "/hooks/x");
  EXPECT_EQ(seen.header("webhook-id"), "one");
  EXPECT_EQ(seen.header("x-two"), "first, second");
  EXPECT_EQ(seen.header("absent"), "");
  EXPECT_EQ(seen.body, body);
  EXPECT_THAT(seen.peer, StartsWith("127.0.0.1:"));
}

TEST(WebListener, SendsTheHandlersAnswer) {
  const auto listener = StartListener([](WebRequest, WebReply reply) {
    WebResponse response;
    response.code = 405;
    response.content_type = "text/yaml";
    response.body = "no";
    response.headers = {{"Allow", "POST"}};
    std::move(reply)(std::move(response));
  });
  const RawResponse response = WebClient(listener->port()).Call(kGet);
  EXPECT_EQ(response.code, 405);
  EXPECT_EQ(response.version, "HTTP/1.1");
  EXPECT_EQ(response.header("content-type"), "text/yaml");
  EXPECT_EQ(response.header("content-length"), "2");
  EXPECT_EQ(response.header("allow"), "POST");
  EXPECT_EQ(response.header("server"), "ipp-gateway");
  EXPECT_EQ(response.body, "no");
}

TEST(WebListener, LeavesOutHeadersThatWouldSplitTheAnswer) {
  const auto listener = StartListener([](WebRequest, WebReply reply) {
    WebResponse response = Text("ok");
    response.headers = {{"X-Bad", "a\r\nX-Forged: 1"}, {"X Bad", "a"}, {"X-Good", "a"}};
    std::move(reply)(std::move(response));
  });
  const RawResponse response = WebClient(listener->port()).Call(kGet);
  EXPECT_EQ(response.header("x-forged"), "");
  EXPECT_EQ(response.header("x-bad"), "");
  EXPECT_EQ(response.header("x-good"), "a");
  EXPECT_EQ(response.body, "ok");
}

TEST(WebListener, AnswersNoContentWithoutLength) {
  const auto listener = StartListener([](WebRequest, WebReply reply) {
    WebResponse response = Text("ignored");
    response.code = 204;
    std::move(reply)(std::move(response));
  });
  WebClient client(listener->port());
  for (int i = 0; i < 2; ++i) {
    const RawResponse response = client.Call(kGet);
    EXPECT_EQ(response.code, 204);
    EXPECT_EQ(response.header("content-length"), "");
  }
}

TEST(WebListener, TurnsACodeThatIsNoneInto500) {
  const auto listener = StartListener([](WebRequest, WebReply reply) {
    WebResponse response;
    response.code = 42;
    std::move(reply)(std::move(response));
  });
  EXPECT_EQ(WebClient(listener->port()).Call(kGet).code, 500);
}

TEST(WebListener, KeepsAConnectionForManyRequests) {
  const auto listener = StartListener(Echo);
  WebClient client(listener->port());
  for (int i = 0; i < 20; ++i) {
    const RawResponse response = client.Call(
        absl::StrCat("PUT /", i, " HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n", 10 + i));
    EXPECT_EQ(response.body, absl::StrCat("PUT /", i, " [", 10 + i, "]"));
  }
}

TEST(WebListener, AnswersPipelinedRequestsInOrder) {
  const auto listener = StartListener(Echo);
  WebClient client(listener->port());
  std::string all;
  for (int i = 0; i < 30; ++i) {
    absl::StrAppend(&all, "POST /", i, " HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n", i % 10);
  }
  ASSERT_TRUE(client.Send(all));
  for (int i = 0; i < 30; ++i) {
    EXPECT_EQ(client.Receive().body, absl::StrCat("POST /", i, " [", i % 10, "]"));
  }
}

TEST(WebListener, HandlesAPipelinedRequestOnlyAfterTheOneBefore) {
  Desk desk;
  const auto listener = StartListener(desk.handler());
  WebClient client(listener->port());
  ASSERT_TRUE(client.Send(absl::StrCat(kGet, kGet)));
  std::move(desk.Take())(Text("first"));
  EXPECT_EQ(client.Receive().body, "first");
  std::move(desk.Take())(Text("second"));
  EXPECT_EQ(client.Receive().body, "second");
}

TEST(WebListener, AnswersHeadWithoutBody) {
  const auto listener = StartListener(Echo);
  WebClient client(listener->port());
  ASSERT_TRUE(client.Send("HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n"));
  const RawResponse head = client.Receive(/*without_body=*/true);
  EXPECT_EQ(head.code, 200);
  EXPECT_EQ(head.header("content-length"), "10");
  EXPECT_EQ(client.Call(kGet).body, kEchoOfGet) << "nothing was left between the two";
}

TEST(WebListener, RespectsConnectionClose) {
  const auto listener = StartListener(Echo);
  WebClient client(listener->port());
  const RawResponse response =
      client.Call("GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(response.body, kEchoOfGet);
  EXPECT_EQ(response.header("connection"), "close");
  EXPECT_TRUE(client.WaitForClose());
}

TEST(WebListener, ClosesAfterAnHttp10RequestUnlessAskedToKeepIt) {
  const auto listener = StartListener(Echo);
  WebClient client(listener->port());
  EXPECT_EQ(client.Call("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").body, kEchoOfGet);
  EXPECT_EQ(client.Call("GET /a HTTP/1.0\r\n\r\n").body, kEchoOfGet);
  EXPECT_TRUE(client.WaitForClose());
}

TEST(WebListener, AnswersAPeerThatHasEndedItsSide) {
  const auto listener = StartListener(Echo);
  WebClient client(listener->port());
  ASSERT_TRUE(client.Send(kGet));
  client.EndSending();
  EXPECT_EQ(client.Receive().body, kEchoOfGet);
  EXPECT_TRUE(client.WaitForClose());
}

TEST(WebListener, AsksForTheBodyThatAClientHoldsBack) {
  const auto listener = StartListener(Echo);
  WebClient client(listener->port());
  ASSERT_TRUE(client.Send(
      "POST /a HTTP/1.1\r\nHost: x\r\nExpect: 100-Continue\r\nContent-Length: 2\r\n\r\n"));
  EXPECT_EQ(client.Receive().code, 100);
  EXPECT_EQ(client.Call("hi").body, "POST /a [hi]");
}

TEST(WebListener, DoesNotAskForABodyThatHasBegun) {
  const auto listener = StartListener(Echo);
  WebClient client(listener->port());
  EXPECT_EQ(client
                .Call("POST /a HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
                      "Content-Length: 2\r\n\r\nhi")
                .body,
            "POST /a [hi]");
}

TEST(WebListener, ReadsARequestThatComesByteByByte) {
  const auto listener = StartListener(Echo);
  WebClient client(listener->port());
  SendByteByByte(&client, *listener,
                 "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
  EXPECT_EQ(client.Receive().body, "POST /a [hello]");
}

TEST(WebListener, JoinsTheChunksOfABody) {
  const auto listener = StartListener(Echo);
  WebClient client(listener->port());
  const std::string request =
      "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
      "5\r\nhello\r\n1;name=\"value\"\r\n \r\n00A\r\nto you all\r\n0\r\n\r\n";
  EXPECT_EQ(client.Call(request).body, "POST /a [hello to you all]");
  SendByteByByte(&client, *listener, request);
  EXPECT_EQ(client.Receive().body, "POST /a [hello to you all]");
}

TEST(WebListener, ReadsAnEmptyChunkedBodyByteByByte) {
  const auto listener = StartListener(Echo);
  WebClient client(listener->port());
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(client.Send("POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"));
    SendByteByByte(&client, *listener, "0\r\n\r\n");
    EXPECT_EQ(client.Receive().body, "POST /a []");
  }
}

TEST(WebListener, DoesNotTakeTrailersForHeaders) {
  std::string id = "unset";
  const auto listener = StartListener([&id](WebRequest request, WebReply reply) {
    id = std::string(request.header("webhook-id"));
    std::move(reply)(Text("ok"));
  });
  WebClient client(listener->port());
  EXPECT_EQ(client
                .Call("POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                      "1\r\nx\r\n0\r\nWebhook-Id: forged\r\n\r\n")
                .code,
            200);
  EXPECT_EQ(id, "");
}

TEST(WebListener, ServesTwoHundredConnectionsAtOnce) {
  Desk desk;
  const auto listener = StartListener(desk.handler());
  std::vector<WebClient> clients;
  for (int i = 0; i < 200; ++i) {
    clients.emplace_back(listener->port());
    ASSERT_TRUE(clients.back().Send(kGet));
  }
  std::vector<WebReply> replies;
  for (int i = 0; i < 200; ++i) replies.push_back(desk.Take());
  for (auto& reply : replies) std::move(reply)(Text("served"));
  for (auto& client : clients) EXPECT_EQ(client.Receive().body, "served");
}

struct BadOptions {
  const char* name;
  WebOptions options;
  absl::StatusCode code;
  const char* message;
};

class WebListenerBadOptions : public testing::TestWithParam<BadOptions> {};

WebOptions Address(std::string address) {
  WebOptions options;
  options.address = std::move(address);
  return options;
}

WebOptions HugeHeaders() {
  WebOptions options;
  options.max_header_bytes = 100'000;
  return options;
}

TEST_P(WebListenerBadOptions, DoNotStart) {
  const auto listener = WebListener::Start(GetParam().options, Echo);
  EXPECT_EQ(listener.status().code(), GetParam().code) << listener.status();
  EXPECT_THAT(std::string(listener.status().message()), HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    Table, WebListenerBadOptions,
    testing::Values(BadOptions{"NoPort", Address("127.0.0.1"), absl::StatusCode::kInvalidArgument,
                               "127.0.0.1"},
                    BadOptions{"PortTooLarge", Address("127.0.0.1:65536"),
                               absl::StatusCode::kInvalidArgument, "65536"},
                    BadOptions{"PortOfLetters", Address("127.0.0.1:http"),
                               absl::StatusCode::kInvalidArgument, "host:port"},
                    BadOptions{"HalfABracket", Address("[::1:80"),
                               absl::StatusCode::kInvalidArgument, "[v6]:port"},
                    BadOptions{"AddressOfAnother", Address("203.0.113.1:0"),
                               absl::StatusCode::kUnavailable, "203.0.113.1:0"},
                    BadOptions{"HugeHeaders", HugeHeaders(), absl::StatusCode::kInvalidArgument,
                               "max_header_bytes"}),
    [](const auto& info) { return info.param.name; });

TEST(WebListener, SaysWhichAddressIsTaken) {
  const auto first = StartListener(Echo);
  const std::string address = absl::StrCat("127.0.0.1:", first->port());
  const auto second = WebListener::Start(Address(address), Echo);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr(address));
}

}  // namespace
}  // namespace ipp::web
