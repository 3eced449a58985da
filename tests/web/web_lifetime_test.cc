#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/web/web_listener.h"
#include "tests/support/web_client.h"
#include "tests/web/listener_under_test.h"

namespace ipp::web {
namespace {

constexpr absl::Duration kLong = absl::Seconds(20);

TEST(WebReply, DroppedAnswers500) {
  const auto listener = StartListener([](WebRequest, WebReply) {});
  WebClient client(listener->port());
  EXPECT_EQ(client.Call(kGet).code, 500);
  EXPECT_EQ(client.Call(kGet).code, 500) << "the connection goes on";
}

TEST(WebReply, DroppedLaterAnswers500) {
  Desk desk;
  const auto listener = StartListener(desk.handler());
  WebClient client(listener->port());
  ASSERT_TRUE(client.Send(kGet));
  { const WebReply dropped = desk.Take(); }
  EXPECT_EQ(client.Receive().code, 500);
}

TEST(WebReply, ComesFromAnyThread) {
  Desk desk;
  const auto listener = StartListener(desk.handler());
  std::vector<WebClient> clients;
  std::vector<std::thread> threads;
  for (int i = 0; i < 16; ++i) {
    clients.emplace_back(listener->port());
    ASSERT_TRUE(clients.back().Send(kGet));
    threads.emplace_back([&desk] { std::move(desk.Take())(Text("threaded")); });
  }
  for (auto& client : clients) EXPECT_EQ(client.Receive().body, "threaded");
  for (auto& thread : threads) thread.join();
}

TEST(WebReply, MayComeAfterThePeerHasVanished) {
  Desk desk;
  const auto listener = StartListener(desk.handler());
  for (int i = 0; i < 10; ++i) {
    WebClient gone(listener->port());
    ASSERT_TRUE(gone.Send(kGet));
    WebReply reply = desk.Take();
    gone.Abort();
    std::move(reply)(Text(std::string(100'000, 'a')));
  }
  WebClient client(listener->port());
  ASSERT_TRUE(client.Send(kGet));
  std::move(desk.Take())(Text("alive"));
  EXPECT_EQ(client.Receive().body, "alive");
}

TEST(WebReply, MayComeAfterTheListenerHasGone) {
  Desk desk;
  auto listener = StartListener(desk.handler());
  WebClient one(listener->port());
  WebClient two(listener->port());
  ASSERT_TRUE(one.Send(kGet));
  ASSERT_TRUE(two.Send(kGet));
  WebReply answered = desk.Take();
  {
    const WebReply dropped = desk.Take();
    listener.reset();
    EXPECT_TRUE(one.WaitForClose());
    EXPECT_TRUE(two.WaitForClose());
  }
  std::move(answered)(Text("too late"));
}

TEST(WebReply, MayComeWhileTheListenerGoes) {
  for (int i = 0; i < 20; ++i) {
    Desk desk;
    auto listener = StartListener(desk.handler());
    WebClient client(listener->port());
    ASSERT_TRUE(client.Send(kGet));
    std::thread replier([reply = desk.Take()]() mutable { std::move(reply)(Text("race")); });
    listener.reset();
    replier.join();
  }
}

TEST(WebListenerDrain, ClosesIdleConnectionsAndTakesNoNewOnes) {
  const auto listener = StartListener(Echo);
  WebClient client(listener->port());
  EXPECT_EQ(client.Call(kGet).code, 200);
  listener->Drain(kLong);
  EXPECT_TRUE(client.WaitForClose());
  EXPECT_FALSE(WebClient(listener->port()).connected());
}

TEST(WebListenerDrain, AnswersWhatWasRead) {
  Desk desk;
  const auto listener = StartListener(desk.handler());
  WebClient busy(listener->port());
  ASSERT_TRUE(busy.Send(absl::StrCat(kGet, kGet)));
  WebReply first = desk.Take();
  WebClient idle(listener->port());
  std::thread drainer([&listener] { listener->Drain(kLong); });
  EXPECT_TRUE(idle.WaitForClose()) << "the drain has begun";
  std::move(first)(Text("first"));
  std::move(desk.Take())(Text("second"));
  const RawResponse response = busy.Receive();
  EXPECT_EQ(response.body, "first");
  EXPECT_EQ(response.header("connection"), "");
  const RawResponse last = busy.Receive();
  EXPECT_EQ(last.body, "second");
  EXPECT_EQ(last.header("connection"), "close");
  EXPECT_TRUE(busy.WaitForClose());
  busy.Close();
  drainer.join();
}

TEST(WebListenerDrain, LetsARequestThatHasBegunArrive) {
  const auto listener = StartListener(Echo);
  WebClient slow(listener->port());
  ASSERT_TRUE(
      slow.Send("POST /a HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
                "Content-Length: 2\r\n\r\n"));
  ASSERT_EQ(slow.Receive().code, 100);
  WebClient idle(listener->port());
  std::thread drainer([&listener] { listener->Drain(kLong); });
  EXPECT_TRUE(idle.WaitForClose()) << "the drain has begun";
  const RawResponse response = slow.Call("hi");
  EXPECT_EQ(response.body, "POST /a [hi]");
  EXPECT_EQ(response.header("connection"), "close");
  slow.Close();
  drainer.join();
}

TEST(WebListenerDrain, EndsAtItsLimit) {
  Desk desk;
  auto listener = StartListener(desk.handler());
  WebClient client(listener->port());
  ASSERT_TRUE(client.Send(kGet));
  const WebReply never = desk.Take();
  listener->Drain(absl::Milliseconds(20));
  listener->Drain(absl::ZeroDuration());
  listener.reset();
  EXPECT_TRUE(client.WaitForClose());
}

TEST(WebListenerDrain, OfNothingReturnsAtOnce) {
  const auto listener = StartListener(Echo);
  listener->Drain(absl::InfiniteDuration());
  listener->Drain(absl::InfiniteDuration());
}

}  // namespace
}  // namespace ipp::web
