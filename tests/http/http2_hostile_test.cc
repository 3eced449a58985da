// A hostile HTTP/2 server: memory stays bounded, each call ends, and no fate is better than the
// truth.

#include <malloc.h>

#include <atomic>
#include <list>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "server/base/mutex.h"
#include "tests/http/h2_server.h"
#include "tests/http/http_upstream.h"

namespace ipp::http {
namespace {

using http2::BigEndian;
using http2::Frame;

struct Flood {
  const char* name;
  std::string (*unit)(uint32_t stream);  // sent over and over
};

class Http2Flood : public testing::TestWithParam<Flood> {};

// The server does not read what is said in reply.
TEST_P(Http2Flood, CostsNoMemoryAndEnds) {
  constexpr size_t kMost = 16 * 1024 * 1024;
  constexpr size_t kAllowed = 8 * 1024 * 1024;
  H2Server server([&](H2ServerPeer& peer) {
    if (peer.number() > 1) return ServeAll(peer);
    peer.Open();
    std::string units;
    const std::string unit = GetParam().unit(peer.ReadRequest().value_or(0));
    while (units.size() < 64 * 1024) units += unit;
    for (size_t sent = 0; sent < kMost && peer.SendRaw(units); sent += units.size()) {
    }
  });
  H2Client client(server);
  const size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
  const HttpResult result = Call(*client, Post("/", "{}"));
  const size_t after = mallinfo2().uordblks + mallinfo2().hblkhd;
  EXPECT_NE(result.status.code(), absl::StatusCode::kOk);
  EXPECT_NE(result.fate, RequestFate::kNotSent);
  EXPECT_LT(after, before + kAllowed);
  EXPECT_EQ(Call(*client, Get("/")).response.body, "ok");
}

INSTANTIATE_TEST_SUITE_P(
    Every, Http2Flood,
    testing::Values(
        Flood{"Ping", [](uint32_t) { return Frame(http2::kPing, 0, 0, "12345678"); }},
        Flood{"Settings", [](uint32_t) { return Frame(http2::kSettings, 0, 0); }},
        Flood{"Window",
              [](uint32_t stream) { return Frame(http2::kWindow, 0, stream, BigEndian(1, 4)); }},
        Flood{"ResetsOfNothing",
              [](uint32_t stream) { return Frame(http2::kReset, 0, stream + 2, BigEndian(8, 4)); }},
        Flood{"EmptyData", [](uint32_t stream) { return Frame(http2::kData, 0, stream); }},
        Flood{"Unknown", [](uint32_t) { return Frame(static_cast<http2::Type>(99), 0, 0, "x"); }},
        Flood{"InterimAnswers",
              [](uint32_t stream) {
                return Frame(http2::kHeaders, http2::kEndHeaders, stream,
                             http2::Field(":status", "103"));
              }},
        Flood{"Body",
              [](uint32_t stream) {
                return Frame(http2::kHeaders, http2::kEndHeaders, stream, "\x88") +
                       Frame(http2::kData, 0, stream, std::string(16'000, 'x'));
              }},
        Flood{"Continuations",
              [](uint32_t stream) {
                return Frame(http2::kHeaders, 0, stream, "\x88") +
                       Frame(http2::kContinuation, 0, stream, http2::Field("a", "b"));
              }},
        Flood{"Garbage", [](uint32_t) { return std::string("HTTP/1.1 200 OK\r\n\r\n"); }}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(Http2Limits, EndAnAnswerWithLargeHeaders) {
  H2Server server([](H2ServerPeer& peer) {
    peer.Open();
    while (const std::optional<uint32_t> stream = peer.ReadRequest()) {
      // Each field names the one in the table: a few bytes say many.
      peer.Send(
          http2::kHeaders, 0, *stream,
          "\x88\x40" + http2::PackString("a", 1) + http2::PackString(std::string(3000, 'b'), 3000));
      peer.Send(http2::kContinuation, http2::kEndHeaders, *stream, std::string(100, '\xbe'));
      peer.Send(http2::kData, http2::kEndStream, *stream, "ok");
    }
  });
  H2Client client(server);
  for (int i = 0; i < 2; ++i) {
    const HttpResult result = Call(*client, Post("/", "{}"));
    EXPECT_EQ(result.status.code(), absl::StatusCode::kOutOfRange) << result.status;
    EXPECT_EQ(result.fate, RequestFate::kSent);
  }
  EXPECT_EQ(server.connections(), 1);
}

TEST(Http2Limits, EndAnAnswerWithALargeBodyAndLeaveTheOthers) {
  H2Server server([](H2ServerPeer& peer) {
    peer.Open();
    while (const std::optional<uint32_t> stream = peer.ReadRequest()) {
      peer.Answer(*stream, *stream % 4 == 1 ? std::string(1001, 'x') : std::string(1000, 'x'));
    }
  });
  Http2Options options = server.options();
  options.common.max_response_bytes = 1000;
  H2Client client(options);
  for (int i = 0; i < 3; ++i) {
    const HttpResult large = Call(*client, Post("/", "{}"));
    EXPECT_EQ(large.status.code(), absl::StatusCode::kOutOfRange) << large.status;
    EXPECT_EQ(large.fate, RequestFate::kSent);
    EXPECT_EQ(Call(*client, Post("/", "{}")).response.body.size(), 1000u);
  }
  EXPECT_EQ(server.connections(), 1);
}

// Answers larger than the windows of flow control.
TEST(Http2Limits, LetLargeAnswersThroughSideBySide) {
  const std::string part(16'000, 'x');
  constexpr int kParts = 250;
  H2Server server([&](H2ServerPeer& peer) {
    peer.Open();
    // The windows that the client opened, per stream and in all.
    int64_t all = 65'535;
    std::vector<std::pair<uint32_t, int64_t>> open;
    const auto take = [&](const http2::Received& frame) {
      if (frame.type != http2::kWindow) return;
      int64_t more = 0;
      for (const char c : frame.payload) more = more << 8 | (c & 0xff);
      if (frame.stream == 0) all += more;
      for (auto& [stream, window] : open) window += stream == frame.stream ? more : 0;
    };
    while (open.size() < 4) {
      const std::optional<http2::Received> frame = peer.Read();
      if (!frame.has_value()) return;
      take(*frame);
      if (frame->type == http2::kHeaders) open.emplace_back(frame->stream, 1024 * 1024);
    }
    for (const auto& [stream, window] : open) {
      peer.Send(http2::kHeaders, http2::kEndHeaders, stream, "\x88");
    }
    for (int i = 1; i <= kParts; ++i) {
      for (size_t j = 0; j < open.size(); ++j) {
        const auto size = static_cast<int64_t>(part.size());
        while (open[j].second < size || all < size) {
          const std::optional<http2::Received> frame = peer.Read();
          if (!frame.has_value()) return;
          take(*frame);
        }
        open[j].second -= size;
        all -= size;
        peer.Send(http2::kData, i == kParts ? http2::kEndStream : 0, open[j].first, part);
      }
    }
    peer.ReadToTheEnd();
  });
  H2Client client(server);
  std::vector<Completion> calls(4);
  for (Completion& call : calls) client->Send(Get("/"), call.done());
  for (Completion& call : calls) {
    EXPECT_EQ(call.Wait().response.body.size(), part.size() * kParts) << call.Wait().status;
  }
}

// A server that answers, refuses, says goodbye, breaks off and hesitates by chance, while many
// threads send and cancel.
TEST(Http2Stress, EndsEachCallOnceAndSendsNoChangeTwice) {
  std::atomic<int> processed{0};  // requests that the server never said were not
  std::atomic<uint64_t> seed{1};
  H2Server server([&](H2ServerPeer& peer) {
    std::minstd_rand random(seed++);
    peer.Open(http2::Setting(3, 20));
    while (const std::optional<uint32_t> stream = peer.ReadRequest()) {
      switch (random() % 40) {
        case 0:
          peer.Reset(*stream, 7);
          break;
        case 1:
          ++processed;
          peer.Reset(*stream, 2);
          break;
        case 2:
          peer.GoAway(*stream - 2);
          peer.ReadToTheEnd();
          return;
        case 3:
          ++processed;
          return;
        case 4:
          ++processed;  // never answered
          break;
        case 5:
          ++processed;
          peer.Send(http2::kHeaders, http2::kEndHeaders, *stream, "\x88");
          return;
        default:
          ++processed;
          peer.Answer(*stream);
      }
    }
  });
  Http2Options options = server.options();
  options.common.loops = 2;
  options.common.connections = 2;
  options.common.max_in_flight = 100;
  options.common.mutation_limit = absl::Milliseconds(300);
  H2Client client(options);
  constexpr int kThreads = 4;
  constexpr int kCalls = 500;
  std::atomic<int> runs{0};
  std::atomic<int> maybe_sent{0};
  std::list<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      std::minstd_rand random(static_cast<unsigned>(t) + 100);
      for (int i = 0; i < kCalls; ++i) {
        const auto call =
            client->Send(Post("/", "{}", absl::Now() + absl::Milliseconds(1 + random() % 500)),
                         [&](HttpResult result) {
                           ++runs;
                           maybe_sent += result.fate != RequestFate::kNotSent ? 1 : 0;
                         });
        if (random() % 10 == 0) call->Cancel();
        if (random() % 4 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  client.End();
  EXPECT_EQ(runs, kThreads * kCalls);
  // What the server took for itself was never called "not sent".
  EXPECT_LE(processed, maybe_sent);
  EXPECT_GT(processed, 0);
}

}  // namespace
}  // namespace ipp::http
