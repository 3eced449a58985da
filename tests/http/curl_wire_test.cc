// Connections, headers, bodies and answers on the wire; hostile answers; the queue in front.

#include <atomic>
#include <list>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "server/http/curl_transport.h"
#include "tests/http/http_upstream.h"

namespace ipp::http {
namespace {

class CurlWire : public testing::TestWithParam<Wire> {};
INSTANTIATE_TEST_SUITE_P(Every, CurlWire,
                         testing::Values(Wire::kHttp1, Wire::kHttp1Tls, Wire::kHttp2Tls,
                                         Wire::kHttp2Transport, Wire::kFallback),
                         [](const auto& info) { return WireName(info.param); });

TEST_P(CurlWire, UsesNoMoreConnectionsThanAllowedFor500CallsAtOnce) {
  Event all_sent;
  HttpUpstream upstream(GetParam(), [&](const GateRequest&, GatePeer& peer) {
    all_sent.Wait();
    peer.Respond(200, "ok");
  });
  upstream.options.loops = 2;
  upstream.options.connections = 2;
  const auto transport = upstream.NewTransport();
  std::vector<Completion> completions(500);
  for (Completion& completion : completions) transport->Send(Get("/"), completion.done());
  all_sent.Set();
  for (Completion& completion : completions) {
    EXPECT_EQ(completion.Wait().response.code, 200) << completion.Wait().status;
  }
  // Each loop may learn for itself that there is no HTTP/2.
  EXPECT_LE(upstream.relay->accepted(), GetParam() == Wire::kFallback ? 6u : 4u);
  EXPECT_EQ(upstream.metrics.counter("ipp_upstream_connections_opened_total", "").value(),
            static_cast<double>(upstream.relay->accepted()));
}

TEST_P(CurlWire, UsesAConnectionAgain) {
  HttpUpstream upstream(GetParam(), &SayOk);
  const auto transport = upstream.NewTransport();
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(Call(*transport, Get("/")).response.code, 200);
    EXPECT_EQ(Call(*transport, Post("/p", "{}")).response.code, 200);
    EXPECT_EQ(Call(*transport, Post("/cancel", "")).response.code, 200);
  }
  EXPECT_EQ(upstream.Connections(), 1u);
}

TEST_P(CurlWire, SendsTheCallersHeadersAndNoOthersOfNote) {
  HttpUpstream upstream(GetParam(), &SayOk);
  const auto transport = upstream.NewTransport();
  HttpRequest request = Post("/p", std::string(2'000'000, 'x'));
  request.headers.emplace_back("authorization", "Bearer x");
  request.headers.emplace_back("x-empty", "");
  EXPECT_EQ(Call(*transport, request).response.code, 200);
  const GateRequest seen = upstream.gate.requests().at(0);
  EXPECT_EQ(seen.header("authorization"), "Bearer x");
  EXPECT_EQ(seen.header("content-type"), "application/json");
  EXPECT_EQ(seen.header("content-length"), "2000000");
  EXPECT_EQ(seen.header("user-agent"), "ipp-gateway");
  EXPECT_EQ(seen.header("accept-encoding"), "gzip, deflate");
  int empty = 0;
  for (const auto& [name, value] : seen.headers) {
    empty += name == "x-empty" ? 1 : 0;
    EXPECT_NE(name, "expect");
    EXPECT_NE(name, "transfer-encoding");
  }
  EXPECT_EQ(empty, 1);

  request = {"POST", "/bare", {}, "", Repeatable::kNo};
  EXPECT_EQ(Call(*transport, request).response.code, 200);
  EXPECT_EQ(upstream.gate.requests().at(1).header("content-length"), "0");
  EXPECT_EQ(upstream.gate.requests().at(1).header("content-type"), "");
}

TEST_P(CurlWire, DoesNotFollowARedirect) {
  HttpUpstream upstream(GetParam(), [](const GateRequest&, GatePeer& peer) {
    peer.Respond(307, "", "Location: /elsewhere\r\n");
  });
  const HttpResult result = CallOnce(upstream, Post("/p", "{}"));
  EXPECT_EQ(result.response.code, 307);
  EXPECT_EQ(result.response.header("location"), "/elsewhere");
  EXPECT_EQ(upstream.Seen("/elsewhere"), 0);
}

TEST_P(CurlWire, TellsOnlyTheLastOfSeveralAnswers) {
  HttpUpstream upstream(GetParam(), [](const GateRequest&, GatePeer& peer) {
    peer.Write("HTTP/1.1 103 Early Hints\r\nX-Early: 1\r\n\r\n");
    peer.Respond(200, "ok", "X-Late: 2\r\n");
  });
  const HttpResult result = CallOnce(upstream, Get("/"));
  EXPECT_EQ(result.response.code, 200) << result.status;
  EXPECT_EQ(result.response.header("x-early"), "");
  EXPECT_EQ(result.response.header("x-late"), "2");
}

TEST_P(CurlWire, WaitsForASlowBody) {
  HttpUpstream upstream(GetParam(), [](const GateRequest&, GatePeer& peer) {
    peer.Write("HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n");
    for (int i = 0; i < 200; ++i) peer.Write("x");
  });
  EXPECT_EQ(CallOnce(upstream, Get("/")).response.body, std::string(200, 'x'));
}

TEST_P(CurlWire, EndsABodyThatDoesNotEndAtTheDeadline) {
  Event over;
  HttpUpstream upstream(GetParam(), [&](const GateRequest&, GatePeer& peer) {
    peer.Write("HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\nx");
    over.Wait();
  });
  // A slow machine may need more than one go to get as far as the answer.
  HttpResult result;
  for (absl::Duration limit = absl::Milliseconds(100); result.fate != RequestFate::kSent;
       limit *= 2) {
    result = CallOnce(upstream, Get("/", absl::Now() + limit));
    EXPECT_EQ(result.status.code(), absl::StatusCode::kDeadlineExceeded) << result.status;
  }
  over.Set();
}

TEST(CurlAnswer, TellsThatAnAnswerWasCut) {
  HttpUpstream upstream(Wire::kHttp1, [](const GateRequest&, GatePeer& peer) {
    peer.Write("HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\nhalf");
    peer.Close();
  });
  const HttpResult result = CallOnce(upstream, Post("/p", "{}"));
  EXPECT_EQ(result.status.code(), absl::StatusCode::kUnavailable) << result.status;
  EXPECT_EQ(result.fate, RequestFate::kSent);
  EXPECT_EQ(upstream.Seen("/p"), 1);
}

struct LargeAnswer {
  const char* name;
  const char* head;
  size_t filler;
  const char* unit;
};

class CurlTooLarge : public testing::TestWithParam<LargeAnswer> {};

TEST_P(CurlTooLarge, IsCutOff) {
  HttpUpstream upstream(Wire::kHttp1, [](const GateRequest&, GatePeer& peer) {
    if (!peer.Write(GetParam().head)) return;
    for (size_t i = 0; i < GetParam().filler && peer.Write(GetParam().unit); ++i) {
    }
    peer.Close();
  });
  upstream.options.max_response_bytes = 1000;
  const HttpResult result = CallOnce(upstream, Post("/p", "{}"));
  EXPECT_EQ(result.status.code(), absl::StatusCode::kOutOfRange) << result.status;
  EXPECT_EQ(result.fate, RequestFate::kSent);
}

INSTANTIATE_TEST_SUITE_P(
    Every, CurlTooLarge,
    testing::Values(LargeAnswer{"AsAnnounced", "HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n", 0,
                                ""},
                    LargeAnswer{"WithoutLength", "HTTP/1.1 200 OK\r\n\r\n", 1001, "x"},
                    LargeAnswer{"InChunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                                200, "8\r\nxxxxxxxx\r\n"},
                    LargeAnswer{"Headers", "HTTP/1.1 200 OK\r\n", 5000, "x-filler: 123456\r\n"}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(CurlAnswer, AllowsAnAnswerAsLargeAsTheLimit) {
  HttpUpstream upstream(Wire::kHttp1, [](const GateRequest&, GatePeer& peer) {
    peer.Respond(200, std::string(1000, 'x'));
  });
  upstream.options.max_response_bytes = 1000;
  EXPECT_EQ(CallOnce(upstream, Get("/")).response.body.size(), 1000u);
}

class CurlGarbage : public testing::TestWithParam<const char*> {};

TEST_P(CurlGarbage, IsUnavailableAndOfUnknownFate) {
  HttpUpstream upstream(Wire::kHttp1, [](const GateRequest&, GatePeer& peer) {
    peer.Write(GetParam());
    peer.Close();
  });
  const HttpResult result = CallOnce(upstream, Post("/p", "{}"));
  EXPECT_EQ(result.status.code(), absl::StatusCode::kUnavailable) << result.status;
  EXPECT_EQ(result.fate, RequestFate::kUnknown);
  EXPECT_EQ(upstream.Seen("/p"), 1);
}

INSTANTIATE_TEST_SUITE_P(Every, CurlGarbage,
                         testing::Values("", "\n", "garbage\r\n\r\n", "<html>no</html>",
                                         "HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 2",
                                         "SSH-2.0-OpenSSH\r\n"));

// With one HTTP/1.1 connection and the upstream busy, the others wait in our queue.
class CurlQueue : public testing::Test {
 protected:
  CurlQueue()
      : upstream_(Wire::kHttp1, [this](const GateRequest&, GatePeer& peer) {
          release_.Wait();
          peer.Respond(200, "ok");
        }) {
    upstream_.options.connections = 1;
    transport_ = upstream_.NewTransport();
    transport_->Send(Post("/busy", "{}"), busy_.done());
    upstream_.gate.WaitForRequests(1);
  }
  ~CurlQueue() override { release_.Set(); }

  // Nothing else reaches the upstream, and the one that waited is answered.
  void ExpectNothingElseSent() {
    release_.Set();
    EXPECT_EQ(busy_.Wait().response.code, 200);
    EXPECT_EQ(Call(*transport_, Get("/after")).response.code, 200);
    EXPECT_EQ(upstream_.gate.requests().size(), 2u);
  }

  Event release_;
  HttpUpstream upstream_;
  std::unique_ptr<HttpTransport> transport_;
  Completion busy_;
};

TEST_F(CurlQueue, DropsWhatWaitedPastItsDeadline) {
  for (const HttpRequest& request : {Get("/read", absl::Now() + absl::Milliseconds(50)),
                                     Post("/p", "{}", absl::Now() + absl::Milliseconds(50))}) {
    const HttpResult result = Call(*transport_, request);
    EXPECT_EQ(result.status.code(), absl::StatusCode::kDeadlineExceeded) << result.status;
    EXPECT_EQ(result.fate, RequestFate::kNotSent);
  }
  ExpectNothingElseSent();
}

TEST_F(CurlQueue, CancelsWhatWaits) {
  for (const HttpRequest& request : {Get("/read"), Post("/p", "{}")}) {
    Completion completion;
    transport_->Send(request, completion.done())->Cancel();
    const HttpResult result = completion.Wait();
    EXPECT_EQ(result.status.code(), absl::StatusCode::kCancelled) << result.status;
    EXPECT_EQ(result.fate, RequestFate::kNotSent);
  }
  ExpectNothingElseSent();
}

TEST_F(CurlQueue, EndsWithTheTransport) {
  Completion waiting;
  transport_->Send(Post("/p", "{}"), waiting.done());
  transport_.reset();
  EXPECT_EQ(busy_.Wait().fate, RequestFate::kUnknown);
  EXPECT_EQ(waiting.Wait().fate, RequestFate::kNotSent);
  EXPECT_EQ(waiting.Wait().status.code(), absl::StatusCode::kCancelled);
}

// Many threads send and cancel while it ends: each completion runs once, whatever it says.
TEST_P(CurlWire, CompletesEachCallOnceUnderCancellationAndShutdown) {
  HttpUpstream upstream(GetParam(), &SayOk);
  upstream.options.loops = 2;
  upstream.options.max_in_flight = 64;
  auto transport = upstream.NewTransport();
  constexpr int kThreads = 4;
  constexpr int kCalls = 100;
  std::atomic<int> runs{0};
  std::list<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kCalls; ++i) {
        const auto call =
            transport->Send(i % 2 == 0 ? Get("/") : Post("/p", "{}"), [&](HttpResult) { ++runs; });
        if (i % 3 == 0) call->Cancel();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  transport.reset();
  EXPECT_EQ(runs, kThreads * kCalls);
  EXPECT_EQ(upstream.metrics.gauge("ipp_upstream_in_flight", "").value(), 0);
}

}  // namespace
}  // namespace ipp::http
