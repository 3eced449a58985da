// What the HTTP/2 transport knows that libcurl does not tell, and how its connections live and end.

#include "server/http/http2_transport.h"

#include <algorithm>
#include <atomic>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/http/h2_server.h"
#include "tests/http/http_upstream.h"

namespace ipp::http {
namespace {

constexpr uint32_t kAllStreams = 0x7fffffff;

void ExpectFate(const HttpResult& result, RequestFate fate) {
  EXPECT_EQ(result.status.code(), absl::StatusCode::kUnavailable) << result.status;
  EXPECT_EQ(result.fate, fate) << result.status;
}

TEST(Http2GoAway, LeavesWhatItCoversAndGivesBackTheRest) {
  H2Server server([](H2ServerPeer& peer) {
    if (peer.number() > 1) return ServeAll(peer);
    peer.Open();
    std::vector<uint32_t> streams;
    while (streams.size() < 3) streams.push_back(peer.ReadRequest().value_or(0));
    const uint32_t first = *std::min_element(streams.begin(), streams.end());
    peer.GoAway(first);
    peer.Answer(first, "covered");
    peer.ReadToTheEnd();
  });
  H2Client client(server);
  Completion covered;
  Completion beyond;
  Completion read_beyond;
  client->Send(Post("/1", "{}"), covered.done());
  client->Send(Post("/2", "{}"), beyond.done());
  client->Send(Get("/3"), read_beyond.done());
  EXPECT_EQ(covered.Wait().response.body, "covered") << covered.Wait().status;
  ExpectFate(beyond.Wait(), RequestFate::kNotSent);
  // A read is sent once more, on a fresh connection.
  EXPECT_EQ(read_beyond.Wait().response.body, "ok") << read_beyond.Wait().status;
  EXPECT_EQ(Call(*client, Post("/4", "{}")).response.body, "ok");
  EXPECT_EQ(server.connections(), 2);
}

TEST(Http2GoAway, LeavesTheFateUnknownOfWhatItCoversWhenTheConnectionDies) {
  H2Server server([](H2ServerPeer& peer) {
    peer.Open();
    peer.ReadRequest();
    peer.GoAway(kAllStreams);
  });
  H2Client client(server);
  ExpectFate(Call(*client, Post("/", "{}")), RequestFate::kUnknown);
}

TEST(Http2GoAway, BeforeAnyRequestSendsItElsewhere) {
  H2Server server([](H2ServerPeer& peer) {
    if (peer.number() > 1) return ServeAll(peer);
    peer.Open();
    peer.Answer(peer.ReadRequest().value_or(0));
    peer.GoAway(kAllStreams);
    peer.ReadToTheEnd();
  });
  H2Client client(server);
  EXPECT_EQ(Call(*client, Post("/", "{}")).response.body, "ok");
  while (server.connections() < 2) {
    const HttpResult result = Call(*client, Post("/", "{}"));
    // The GOAWAY may cross with the request, which is covered by it but not read.
    if (!result.status.ok()) {
      EXPECT_EQ(result.fate, RequestFate::kUnknown);
    }
  }
  EXPECT_EQ(Call(*client, Post("/", "{}")).response.body, "ok");
}

// Each connection says goodbye before it takes anything: that must not go on for ever.
TEST(Http2GoAway, FromTheStartFailsWhatWaits) {
  H2Server server([](H2ServerPeer& peer) {
    peer.Open();
    peer.GoAway(0);
    peer.ReadToTheEnd();
  });
  H2Client client(server);
  ExpectFate(Call(*client, Post("/", "{}")), RequestFate::kNotSent);
  EXPECT_EQ(server.connections(), 1);
}

TEST(Http2Read, IsRepeatedOnlyOnce) {
  std::atomic<int> requests{0};
  H2Server server([&](H2ServerPeer& peer) {
    peer.Open();
    while (const std::optional<uint32_t> stream = peer.ReadRequest()) {
      ++requests;
      peer.Reset(*stream, 7);  // REFUSED_STREAM
    }
  });
  H2Client client(server);
  ExpectFate(Call(*client, Get("/")), RequestFate::kNotSent);
  EXPECT_EQ(requests, 2);
}

TEST(Http2Read, KeepsAnUnknownFateWhenTheRepeatIsRefused) {
  H2Server server([&](H2ServerPeer& peer) {
    peer.Open();
    const std::optional<uint32_t> stream = peer.ReadRequest();
    if (peer.number() == 1 || !stream.has_value()) return;
    peer.Reset(*stream, 7);
    peer.ReadToTheEnd();
  });
  H2Client client(server);
  ExpectFate(Call(*client, Get("/")), RequestFate::kUnknown);
  EXPECT_EQ(server.connections(), 2);
}

TEST(Http2Connect, SendsNothingBeforeTheSettingsCame) {
  std::atomic<bool> request{false};
  H2Server server([&](H2ServerPeer& peer) {
    // Open() would send settings.
    std::string preface;
    while (const std::optional<http2::Received> frame = peer.Read()) {
      request = request || frame->type == http2::kHeaders;
    }
  });
  Http2Options options = server.options();
  options.common.connect_timeout = absl::Milliseconds(200);
  H2Client client(options);
  ExpectFate(Call(*client, Post("/", "{}")), RequestFate::kNotSent);
  EXPECT_FALSE(request);
}

TEST(Http2Connect, EndsWhatWaitsForItAtOnce) {
  const Listener silent;
  Http2Options options;
  options.common.base_url = absl::StrCat("https://127.0.0.1:", silent.port);
  H2Client client(options);
  Completion cancelled;
  client->Send(Post("/", "{}"), cancelled.done())->Cancel();
  EXPECT_EQ(cancelled.Wait().status.code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(cancelled.Wait().fate, RequestFate::kNotSent);
  const HttpResult late = Call(*client, Post("/", "{}", absl::Now() + absl::Milliseconds(20)));
  EXPECT_EQ(late.status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(late.fate, RequestFate::kNotSent);
  Completion left;
  client->Send(Post("/", "{}"), left.done());
  client.End();
  EXPECT_EQ(left.Wait().status.code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(left.Wait().fate, RequestFate::kNotSent);
}

// localhost is ::1, where nobody listens, and 127.0.0.1 on most machines.
TEST(Http2Connect, TriesAddressAfterAddressOfAName) {
  H2Server server(&ServeAll);
  Http2Options options = server.options();
  options.common.base_url = absl::StrCat("https://localhost:", server.port());
  H2Client client(options);
  EXPECT_EQ(Call(*client, Post("/", "{}")).response.body, "ok");
}

TEST(Http2Connect, LeavesHttpUrlsToLibcurl) {
  HttpUpstream upstream(Wire::kHttp1, &SayOk);
  H2Client client(Http2Options{.common = upstream.options});
  EXPECT_EQ(Call(*client, Post("/", "{}")).response.body, "ok");
}

TEST(Http2Streams, AreNoMoreThanTheUpstreamAllows) {
  constexpr size_t kAllowed = 10;
  constexpr int kCalls = 500;
  std::atomic<size_t> most{0};
  H2Server server([&](H2ServerPeer& peer) {
    peer.Open(http2::Setting(3, kAllowed));
    std::set<uint32_t> open;
    while (const std::optional<uint32_t> stream = peer.ReadRequest()) {
      open.insert(*stream);
      if (open.size() > most) most = open.size();
      if (open.size() < kAllowed / 2) continue;
      for (const uint32_t one : open) peer.Answer(one);
      open.clear();
    }
  });
  Http2Options options = server.options();
  options.common.connections = 2;
  H2Client client(options);
  std::vector<Completion> calls(kCalls);
  for (Completion& call : calls) client->Send(Get("/"), call.done());
  // An odd number on a connection would leave some without an answer: these push them out.
  std::vector<Completion> more(2 * kAllowed);
  for (Completion& call : more) client->Send(Get("/"), call.done());
  for (Completion& call : calls) EXPECT_EQ(call.Wait().response.code, 200) << call.Wait().status;
  EXPECT_LE(most, kAllowed);
  EXPECT_LE(server.connections(), 2);
  EXPECT_LE(client->concurrency(), static_cast<int>(2 * kAllowed));
}

TEST(Http2Streams, FollowASettingThatChanges) {
  std::atomic<size_t> most{0};
  H2Server server([&](H2ServerPeer& peer) {
    peer.Open(http2::Setting(3, 1));
    peer.Answer(peer.ReadRequest().value_or(0));
    peer.Send(http2::kSettings, 0, 0, http2::Setting(3, 4));
    std::set<uint32_t> open;
    while (const std::optional<uint32_t> stream = peer.ReadRequest()) {
      open.insert(*stream);
      if (open.size() > most) most = open.size();
      if (open.size() < 4) continue;
      for (const uint32_t one : open) peer.Answer(one);
      open.clear();
    }
  });
  H2Client client(server);
  EXPECT_EQ(Call(*client, Get("/")).response.body, "ok");
  std::vector<Completion> calls(8);
  for (Completion& call : calls) client->Send(Get("/"), call.done());
  for (Completion& call : calls) EXPECT_EQ(call.Wait().response.code, 200) << call.Wait().status;
  EXPECT_EQ(most, 4u);
}

TEST(Http2Ping, FindsOutThatTheUpstreamHasVanished) {
  HttpUpstream upstream(Wire::kHttp2Transport, [&](const GateRequest& request, GatePeer& peer) {
    if (request.target != "/vanish") peer.Respond(200, "ok");
  });
  H2Client client(Http2Options{.common = upstream.options,
                               .ping_after = absl::Milliseconds(50),
                               .ping_timeout = absl::Milliseconds(50)});
  EXPECT_EQ(Call(*client, Get("/")).response.body, "ok");
  Completion vanished;
  client->Send(Post("/vanish", "{}"), vanished.done());
  upstream.gate.WaitForRequests(2);
  upstream.relay->Freeze();
  ExpectFate(vanished.Wait(), RequestFate::kUnknown);
}

TEST(Http2Ping, LetsASlowUpstreamTakeItsTime) {
  Event answer;
  std::atomic<int> pings{0};
  H2Server server([&](H2ServerPeer& peer) {
    peer.Open();
    const uint32_t stream = peer.ReadRequest().value_or(0);
    while (pings < 5) {
      const std::optional<http2::Received> frame = peer.Read();
      if (!frame.has_value()) return;
      pings += frame->type == http2::kPing ? 1 : 0;
    }
    peer.Answer(stream);
    peer.ReadToTheEnd();
  });
  Http2Options options = server.options();
  options.ping_after = absl::Milliseconds(10);
  options.ping_timeout = absl::Seconds(20);
  H2Client client(options);
  EXPECT_EQ(Call(*client, Post("/", "{}")).response.body, "ok");
  EXPECT_EQ(server.connections(), 1);
}

struct Age {
  const char* name;
  void (*limit)(CurlOptions& options);
};
class Http2Age : public testing::TestWithParam<Age> {};

TEST_P(Http2Age, EndsAConnectionWithAGoodbye) {
  std::atomic<int> goodbyes{0};
  H2Server server([&](H2ServerPeer& peer) {
    peer.Open();
    while (const std::optional<http2::Received> frame = peer.Read()) {
      goodbyes += frame->type == http2::kGoAway ? 1 : 0;
      if (frame->type == http2::kHeaders) peer.Answer(frame->stream);
    }
  });
  Http2Options options = server.options();
  GetParam().limit(options.common);
  H2Client client(options);
  for (int i = 1; i <= 3; ++i) {
    EXPECT_EQ(Call(*client, Get("/")).response.body, "ok");
    while (goodbyes < i) std::this_thread::yield();
  }
  EXPECT_EQ(server.connections(), 3);
  EXPECT_EQ(client.opened(), 3);
}

INSTANTIATE_TEST_SUITE_P(
    Every, Http2Age,
    testing::Values(
        Age{"Idle", [](CurlOptions& o) { o.max_connection_idle = absl::Milliseconds(30); }},
        Age{"Old", [](CurlOptions& o) { o.max_connection_age = absl::Milliseconds(30); }}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(Http2Request, HasACredentialThatIsNeverIndexed) {
  std::string head;
  H2Server server([&](H2ServerPeer& peer) {
    peer.Open();
    const std::optional<uint32_t> stream = peer.ReadRequest();
    head = peer.last_head();
    peer.Answer(stream.value_or(0));
    peer.ReadToTheEnd();
  });
  H2Client client(server);
  HttpRequest request = Get("/");
  request.headers = {{"Authorization", "Basic c2VjcmV0OnNlY3JldA=="}};
  EXPECT_EQ(Call(*client, request).response.body, "ok");
  // RFC 7541, 6.2.3: a literal never indexed, with the name of the static table's entry 23.
  EXPECT_TRUE(absl::StrContains(head, "\x1f\x08"));
}

TEST(Http2Request, IsAnsweredBeforeAllOfItHasLeft) {
  std::atomic<bool> reset{false};
  H2Server server([&](H2ServerPeer& peer) {
    peer.Open();
    while (const std::optional<http2::Received> frame = peer.Read()) {
      if (frame->type == http2::kHeaders) peer.Answer(frame->stream, "enough");
      reset = reset || frame->type == http2::kReset;
    }
  });
  H2Client client(server);
  EXPECT_EQ(Call(*client, Post("/", std::string(1'000'000, 'x'))).response.body, "enough");
  EXPECT_EQ(Call(*client, Get("/")).response.body, "enough");
  EXPECT_EQ(server.connections(), 1);
  EXPECT_TRUE(reset);
}

TEST(Http2Answer, HasNoTrailers) {
  H2Server server([&](H2ServerPeer& peer) {
    peer.Open();
    const uint32_t stream = peer.ReadRequest().value_or(0);
    peer.Send(http2::kHeaders, http2::kEndHeaders, stream, "\x88" + http2::Field("a", " b "));
    peer.Send(http2::kData, 0, stream, "ok");
    peer.Send(http2::kHeaders, http2::kEndHeaders | http2::kEndStream, stream,
              http2::Field("trailer", "c"));
    peer.ReadToTheEnd();
  });
  H2Client client(server);
  const HttpResult result = Call(*client, Get("/"));
  EXPECT_EQ(result.response.body, "ok") << result.status;
  EXPECT_EQ(result.response.headers, (std::vector<Header>{{"a", "b"}}));
}

}  // namespace
}  // namespace ipp::http
