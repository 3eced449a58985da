// What each fault does to a create, over HTTP/1.1 and over HTTP/2: what the client sees on the one
// hand, what /_sim/ shows on the other. What only one of the protocols has is in faults_test.cc and
// http2_faults_test.cc.

#include <boost/json/parse.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <tuple>

#include "tests/simulator/h2_client.h"

namespace ipp::simulator {
namespace {

using std::chrono::milliseconds;
using SteadyClock = std::chrono::steady_clock;

enum class Protocol { kHttp1, kHttp2 };
enum class End { kAnswer, kReset, kClosed };  // of the exchange

struct Effect {
  const char* name;
  const char* rule;  // the members beside "on"
  End end;
  int status;               // of a whole answer
  const char* retry_after;  // the header
  const char* logged;       // which fault, whether it was executed, and the status that was sent
  int takes_ms = 0;         // at least

  friend void PrintTo(const Effect& effect, std::ostream* out) { *out << effect.name; }
};

struct Seen {
  End end = End::kAnswer;
  int status = 0;
  std::string body;  // what came of it
  std::string retry_after;
  std::string content_type;
};

class FaultEffect : public SimulatorTlsTest,
                    public testing::WithParamInterface<std::tuple<Protocol, Effect>> {
 protected:
  void SetUp() override {
    SimulatorTlsTest::SetUp();
    device_ = NewDevice();
    EXPECT_EQ(control_->Call("DELETE", "/_sim/requests").status, 204);
  }

  // Each on a connection of its own, since most faults end it.
  Seen Create() {
    return std::get<0>(GetParam()) == Protocol::kHttp1 ? CreateByHttp1() : CreateByHttp2();
  }
  Seen CreateByHttp1() {
    client_ = std::make_unique<Client>(simulator_->port());
    const Reply reply = Post("/ipp/v1/sessions", OrderFor(device_));
    const End end = reply.reset() ? End::kReset : reply.closed() ? End::kClosed : End::kAnswer;
    return {end, reply.status, reply.body, reply.Header("Retry-After"),
            reply.Header("Content-Type")};
  }
  Seen CreateByHttp2() {
    H2Client client(tls_port());
    const H2Reply reply = client.Call("POST", "/ipp/v1/sessions", OrderFor(device_));
    End end = End::kAnswer;
    if (!reply.ended) {
      const auto error = client.WaitForEnd();
      EXPECT_TRUE(IsReset(error) || IsClosed(error)) << error.message();
      EXPECT_FALSE(reply.reset) << "the stream alone has ended";
      EXPECT_FALSE(client.goaway());
      end = IsReset(error) ? End::kReset : End::kClosed;
    }
    return {end, reply.ended ? reply.status : 0, reply.body, reply.Header("retry-after"),
            reply.Header("content-type")};
  }

  // The session that the log names must be the one that there is.
  std::string Logged() {
    const auto requests = Truth("requests");
    const auto sessions = Truth("sessions");
    const bool executed = At(requests, "requests.0.executed") == "true";
    const bool http1 = std::get<0>(GetParam()) == Protocol::kHttp1;
    EXPECT_EQ(At(requests, "total"), "1");
    EXPECT_EQ(At(requests, "requests.0.protocol"), http1 ? "http/1.1" : "h2");
    EXPECT_EQ(At(requests, "requests.0.authorization"), "key");
    EXPECT_EQ(SizeAt(sessions, "sessions"), executed ? 1u : 0u);
    EXPECT_EQ(At(requests, "requests.0.session_id"),
              executed ? At(sessions, "sessions.0.session_id") : "null");
    EXPECT_EQ(At(Truth("faults"), "faults.0.hits"), "1");
    return At(requests, "requests.0.fault") + (executed ? " executed " : " not executed ") +
           At(requests, "requests.0.status");
  }

  std::string device_;
};

TEST_P(FaultEffect, IsSeenAndLogged) {
  const Effect& effect = std::get<1>(GetParam());
  Rules(std::string(R"({"on":"create_session",)") + effect.rule + "}");
  const auto begin = SteadyClock::now();
  const Seen seen = Create();
  EXPECT_GE(SteadyClock::now() - begin, milliseconds(effect.takes_ms));
  EXPECT_EQ(seen.end, effect.end);
  if (effect.end == End::kAnswer) {
    EXPECT_EQ(seen.status, effect.status);
    EXPECT_EQ(seen.retry_after, effect.retry_after);
    EXPECT_EQ(seen.content_type,
              effect.status == 200 ? "application/json" : "application/problem+json");
  }
  boost::system::error_code broken;
  const boost::json::value body = boost::json::parse(seen.body, broken);
  const bool whole = effect.end == End::kAnswer && std::string(effect.name) != "MalformedJson";
  EXPECT_EQ(!broken, whole) << seen.body;
  if (whole && effect.status == 200) {
    EXPECT_EQ(At(body, "session_id"), At(Truth("sessions"), "sessions.0.session_id"));
  }
  if (std::string(effect.name) == "CutBody") {
    EXPECT_THAT(seen.body, testing::HasSubstr("session_id"));
  }
  EXPECT_EQ(Logged(), effect.logged);
  // The fault was for once, so all is well again.
  EXPECT_EQ(Create().status, 200);
}

INSTANTIATE_TEST_SUITE_P(
    Every, FaultEffect,
    testing::Combine(
        testing::Values(Protocol::kHttp1, Protocol::kHttp2),
        testing::Values(
            Effect{"ResetAfterRead", R"("do":"reset_after_read")", End::kReset, 0, "",
                   "reset_after_read executed 0"},
            Effect{"ResetAfterReadWithoutCommit", R"("do":"reset_after_read","commit":false)",
                   End::kReset, 0, "", "reset_after_read not executed 0"},
            Effect{"ResetAfterADelay", R"("do":"reset_after_read","delay_ms":60)", End::kReset, 0,
                   "", "reset_after_read executed 0", 60},
            Effect{"CloseAfterRead", R"("do":"close_after_read")", End::kClosed, 0, "",
                   "close_after_read executed 0"},
            Effect{"CloseAfterReadWithoutCommit", R"("do":"close_after_read","commit":false)",
                   End::kClosed, 0, "", "close_after_read not executed 0"},
            Effect{"ErrorBefore", R"("do":"error_before","status":502,"retry_after":7)",
                   End::kAnswer, 502, "7", "error_before not executed 502"},
            Effect{"ErrorAfter", R"("do":"error_after")", End::kAnswer, 503, "",
                   "error_after executed 503"},
            Effect{"TooMany", R"("do":"too_many","retry_after":2)", End::kAnswer, 429, "2",
                   "too_many not executed 429"},
            Effect{"CutBody", R"("do":"cut_body")", End::kClosed, 0, "", "cut_body executed 200"},
            Effect{"MalformedJson", R"("do":"malformed_json")", End::kAnswer, 200, "",
                   "malformed_json executed 200"},
            Effect{"SlowBody", R"("do":"slow_body","delay_ms":100)", End::kAnswer, 200, "",
                   "slow_body executed 200", 100},
            Effect{"Delay", R"("do":"delay","delay_ms":60)", End::kAnswer, 200, "",
                   "delay executed 200", 60})),
    [](const auto& info) {
      return std::string(std::get<0>(info.param) == Protocol::kHttp1 ? "Http1" : "Http2") +
             std::get<1>(info.param).name;
    });

}  // namespace
}  // namespace ipp::simulator
