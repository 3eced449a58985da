// libcurl repeats a request on a new connection when the old one dies before an answer. These tests
// make it want to, and count what the upstream sees.

#include <atomic>
#include <memory>
#include <string>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/http/http_upstream.h"

namespace ipp::http {
namespace {

using Cut = HttpRelay::Cut;

struct Change {
  const char* name;
  const char* method;
  const char* body;
  Repeatable repeatable;
};

constexpr Change kChanges[] = {
    {"PostWithBody", "POST", "{\"amount\":1}", Repeatable::kNo},
    {"PostWithoutBody", "POST", "", Repeatable::kNo},
    {"PutWithBody", "PUT", "{\"name\":\"till\"}", Repeatable::kHarmless},
    {"PutWithoutBody", "PUT", "", Repeatable::kHarmless},
    {"PutOnceWithoutBody", "PUT", "", Repeatable::kNo},
    {"Delete", "DELETE", "", Repeatable::kHarmless},
    {"DeleteOnce", "DELETE", "", Repeatable::kNo},
    {"DeleteWithBody", "DELETE", "{}", Repeatable::kNo},
};

HttpRequest Make(const Change& change, std::string target) {
  return {change.method, std::move(target), {},
          change.body,   change.repeatable, absl::InfiniteFuture()};
}

std::string CutName(Cut cut) { return cut == Cut::kReset ? "Reset" : "Close"; }

// An upstream that cuts the line after it has read a request to /cut, each time, or to /cut-once,
// the first time; and a transport with one connection, which has served before.
class CutLine {
 public:
  CutLine(Wire wire, Cut cut, bool deaf = false)
      : upstream(wire, [this, cut, deaf](const GateRequest& request, GatePeer& peer) {
          if (request.target == "/cut" || (request.target == "/cut-once" && !cut_once_)) {
            cut_once_ = true;
            upstream.relay->CutAll(cut, deaf);
          } else {
            peer.Respond(200, "ok");
          }
        }) {
    upstream.options.connections = 1;
    transport = upstream.NewTransport();
    EXPECT_EQ(Call(*transport, Get("/warm")).response.code, 200);
    EXPECT_EQ(upstream.Connections(), 1u);
  }

 private:
  std::atomic<bool> cut_once_{false};

 public:
  HttpUpstream upstream;
  std::unique_ptr<HttpTransport> transport;
};

class AtMostOnce : public testing::TestWithParam<std::tuple<Wire, Cut, Change>> {};

TEST_P(AtMostOnce, ShowsTheUpstreamOneRequestWhenTheConnectionDiesAfterIt) {
  const auto& [wire, cut, change] = GetParam();
  CutLine world(wire, cut);

  const HttpResult result = Call(*world.transport, Make(change, "/cut"));

  EXPECT_EQ(result.status.code(), absl::StatusCode::kUnavailable) << result.status;
  EXPECT_EQ(result.fate, RequestFate::kUnknown);
  // A repeat would be on the way before this one.
  EXPECT_EQ(Call(*world.transport, Get("/after")).response.code, 200);
  EXPECT_EQ(world.upstream.Seen("/cut"), 1);
}

INSTANTIATE_TEST_SUITE_P(Every, AtMostOnce,
                         testing::Combine(testing::Values(Wire::kHttp1, Wire::kHttp1Tls,
                                                          Wire::kHttp2Tls, Wire::kHttp2Transport,
                                                          Wire::kFallback, Wire::kProxied,
                                                          Wire::kProxiedHttp2),
                                          testing::Values(Cut::kReset, Cut::kClose),
                                          testing::ValuesIn(kChanges)),
                         [](const auto& info) {
                           return WireName(std::get<0>(info.param)) +
                                  CutName(std::get<1>(info.param)) + std::get<2>(info.param).name;
                         });

class Repeats : public testing::TestWithParam<std::tuple<Wire, Cut>> {};

// The proof that the tests above are about something: in the same place a read is sent twice.
TEST_P(Repeats, AReadOnANewConnection) {
  const auto& [wire, cut] = GetParam();
  CutLine world(wire, cut);
  const HttpResult result = Call(*world.transport, Get("/cut-once"));
  EXPECT_EQ(result.response.code, 200) << result.status;
  EXPECT_EQ(world.upstream.Seen("/cut-once"), 2);
}

// Not HTTP/2 after a close: there libcurl 7.88 gives up with "partial file".
INSTANTIATE_TEST_SUITE_P(Every, Repeats,
                         testing::Values(std::tuple(Wire::kHttp1, Cut::kReset),
                                         std::tuple(Wire::kHttp1, Cut::kClose),
                                         std::tuple(Wire::kHttp1Tls, Cut::kReset),
                                         std::tuple(Wire::kHttp1Tls, Cut::kClose),
                                         std::tuple(Wire::kHttp2Tls, Cut::kReset),
                                         std::tuple(Wire::kHttp2Transport, Cut::kReset),
                                         std::tuple(Wire::kHttp2Transport, Cut::kClose)),
                         [](const auto& info) {
                           return WireName(std::get<0>(info.param)) +
                                  CutName(std::get<1>(info.param));
                         });

class NobodyHomeAfterwards : public testing::TestWithParam<std::tuple<Wire, Change>> {};

// libcurl's code can be "could not connect" then: of the repeat, not of the request.
TEST_P(NobodyHomeAfterwards, LeavesTheFateUnknown) {
  const auto& [wire, change] = GetParam();
  CutLine world(wire, Cut::kReset, /*deaf=*/true);
  const HttpResult result = Call(*world.transport, Make(change, "/cut"));
  EXPECT_EQ(result.status.code(), absl::StatusCode::kUnavailable) << result.status;
  EXPECT_EQ(result.fate, RequestFate::kUnknown);
  EXPECT_EQ(world.upstream.Seen("/cut"), 1);
  // And this one cannot leave at all.
  EXPECT_EQ(Call(*world.transport, Make(change, "/late")).fate, RequestFate::kNotSent);
}

INSTANTIATE_TEST_SUITE_P(Every, NobodyHomeAfterwards,
                         testing::Combine(testing::Values(Wire::kHttp1, Wire::kHttp1Tls,
                                                          Wire::kHttp2Tls, Wire::kHttp2Transport,
                                                          Wire::kProxied),
                                          testing::Values(kChanges[0], kChanges[3])),
                         [](const auto& info) {
                           return WireName(std::get<0>(info.param)) + std::get<1>(info.param).name;
                         });

// A new connection is no way out with HTTP/2: it counts as reused as soon as a second request has
// joined it, and then libcurl would repeat even the one that opened it.
TEST(AtMostOnceHttp2, HoldsForTheChangesThatShareANewConnection) {
  // Whether libcurl would repeat depends on how it meets the reset, so a round may leave nothing to
  // prevent; at most one request a change holds in every round.
  constexpr int kRounds = 20;
  bool prevented = false;
  for (int round = 0; round < kRounds && !prevented; ++round) {
    HttpUpstream upstream(Wire::kHttp2Tls, [](const GateRequest&, GatePeer&) {});
    upstream.options.connections = 1;
    const auto transport = upstream.NewTransport();
    Completion changes[6];
    for (int i = 0; i < 6; ++i) {
      transport->Send(Make(kChanges[5], absl::StrCat("/change", i)), changes[i].done());
    }
    upstream.gate.WaitForRequests(6);
    upstream.relay->CutAll(Cut::kReset);
    for (int i = 0; i < 6; ++i) {
      EXPECT_EQ(changes[i].Wait().fate, RequestFate::kUnknown) << changes[i].Wait().status;
      EXPECT_EQ(upstream.Seen(absl::StrCat("/change", i)), 1);
    }
    prevented = upstream.metrics.counter("ipp_upstream_resends_prevented_total", "").value() >= 1;
  }
  EXPECT_TRUE(prevented) << "nothing was repeated, so nothing was shown";
}

}  // namespace
}  // namespace ipp::http
