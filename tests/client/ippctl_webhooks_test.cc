#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "server/base/protobuf_time.h"
#include "server/webhook/signature.h"
#include "tests/client/ippctl_fixture.h"
#include "tests/client/temporary_folder.h"
#include "tests/support/http_gate.h"
#include "tests/support/tls_front.h"

namespace ipp::ippctl {
namespace {

using ::testing::ContainsRegex;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using ::testing::Not;
using ::testing::StartsWith;

constexpr char kSecret[] = "whsec_a2V5IG9uZQ==";
constexpr char kSession[] = "3f1c2b7a-0a51-4b0e-9d39-1f0d9f0f6a11";

v1::SubscribeSessionEventsResponse EventAt(
    const std::string& id, int64_t recorded_at = 0,
    v1::SessionEventType type = v1::SESSION_EVENT_TYPE_FINALIZED) {
  auto message = client::EventOf(id);
  v1::SessionEvent& event = *message.mutable_event();
  event.set_type(type);
  event.set_merchant_id("PM1");
  event.set_session_id(kSession);
  event.mutable_occurred_at()->set_seconds(1'769'846'400);
  event.mutable_recorded_at()->set_seconds(recorded_at);
  return message;
}

class IppctlWebhooks : public IppctlTest {
 protected:
  RunResult Listen(int port, std::vector<std::string> more, Interrupt* interrupt = nullptr) {
    std::vector<std::string> args = {
        "webhooks",      "listen",
        "--forward-to",  "http://127.0.0.1:" + std::to_string(port) + "/hooks?a=b",
        "--secret-file", secret_file_,
        "--backoff",     "1ms"};
    args.insert(args.end(), more.begin(), more.end());
    return RunAt(gateway_.address(), args, "", interrupt);
  }
  // The last stream ends by an error, so that a run has an end.
  void Stream(std::vector<v1::SubscribeSessionEventsResponse> events) {
    events.insert(events.begin(), client::StartedAt("c-0"));
    events_.Add({std::move(events), {grpc::StatusCode::NOT_FOUND, "over"}});
  }
  void History(std::vector<v1::SubscribeSessionEventsResponse> events) {
    for (const auto& event : events) *events_.list_response.add_events() = event.event();
  }
  static std::vector<std::string> Ids(const http::HttpGate& server) {
    std::vector<std::string> ids;
    for (const auto& request : server.requests()) ids.push_back(request.header("webhook-id"));
    return ids;
  }

  const TemporaryFolder folder_;
  const std::string secret_file_ = folder_.Write("secret", std::string(kSecret) + "\n");
};

TEST_F(IppctlWebhooks, SendsEachEventAsTheUpstreamWould) {
  Stream({EventAt("e-1"), EventAt("e-2")});
  http::HttpGate server;
  const RunResult run = Listen(server.port(), {});
  EXPECT_EQ(run.exit_code, 4);  // as the stream ended
  EXPECT_THAT(run.out, MatchesRegex("20[-0-9T:]+Z  ipp.session.finalized  [-0-9a-f]+  200  "
                                    "[0-9]+ ms.*\n20.*200  [0-9]+ ms.*\n"));
  EXPECT_EQ(run.err,
            "ippctl: listening: ready, waiting for events; Ctrl-C ends it\n"
            "last cursor: c-e-2\n"
            "ippctl: 2 delivered\n"
            "ippctl: NOT_FOUND: over\n"
            "retry: correct it first\n");

  ASSERT_EQ(server.requests().size(), 2u);
  const http::GateRequest request = server.requests()[0];
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.target, "/hooks?a=b");
  EXPECT_EQ(request.header("content-type"), "application/json");
  EXPECT_EQ(request.header("webhook-id"), "e-1");
  EXPECT_THAT(request.header("user-agent"), MatchesRegex("ippctl/[0-9.]+"));
  EXPECT_THAT(request.body, HasSubstr("\"type\":\"ipp.session.finalized\""));
  const std::string timestamp = request.header("webhook-timestamp");
  const std::string signature = request.header("webhook-signature");
  EXPECT_TRUE(webhook::Verify({"e-1", timestamp, signature}, request.body, {"key one"}, absl::Now(),
                              absl::Seconds(60))
                  .ok());
}

TEST_F(IppctlWebhooks, AsksForWhatTheUpstreamAnnounces) {
  for (int i = 0; i < 3; ++i) Stream({});
  http::HttpGate server;
  Listen(server.port(), {"--session", "s-1"});
  Listen(server.port(), {"--all-types"});
  Listen(server.port(), {"--type", "expired"});
  const auto requests = events_.requests();
  EXPECT_THAT(requests[0].filter().types(),
              ElementsAre(v1::SESSION_EVENT_TYPE_CREATED, v1::SESSION_EVENT_TYPE_ACTIVATED,
                          v1::SESSION_EVENT_TYPE_PAYMENT_FAILED, v1::SESSION_EVENT_TYPE_FINALIZED,
                          v1::SESSION_EVENT_TYPE_CANCELLED));
  EXPECT_THAT(requests[0].filter().session_ids(), ElementsAre("s-1"));
  EXPECT_EQ(requests[0].position(), v1::START_POSITION_FROM_NOW);
  EXPECT_THAT(requests[1].filter().types(), IsEmpty());
  EXPECT_THAT(requests[2].filter().types(), ElementsAre(v1::SESSION_EVENT_TYPE_EXPIRED));
}

TEST_F(IppctlWebhooks, TriesAgainUntilItIsTakenAndKeepsTheOrder) {
  Stream({EventAt("e-1"), EventAt("e-2")});
  std::atomic<int> count = 0;
  http::HttpGate server([&](const auto&, http::GatePeer& peer) {
    switch (++count) {
      case 1:
        return (void)peer.Respond(500, "no \x1b[31mdatabase\nTraceback");
      case 2:
        return (void)peer.Respond(302, "", "Location: /elsewhere\r\n");
      case 3:
        return peer.Reset();
      default:
        return (void)peer.Respond(204, "");
    }
  });
  const RunResult run = Listen(server.port(), {"-o", "json"});
  EXPECT_THAT(Ids(server), ElementsAre("e-1", "e-1", "e-1", "e-1", "e-2"));
  EXPECT_THAT(run.out, MatchesRegex("\\{\"sent_at\":\"[^\"]+\",\"event_id\":\"e-1\",\"type\":"
                                    "\"ipp.session.finalized\",\"session_id\":\"[^\"]+\","
                                    "\"delivered\":true,\"status\":204,\"milliseconds\":[0-9]+,"
                                    "\"attempts\":4\\}\n"
                                    "\\{.*\"e-2\".*\"attempts\":1\\}\n"));
  const std::string of = std::string("ippctl: ipp.session.finalized of ") + kSession + ": ";
  EXPECT_THAT(run.err, HasSubstr(of + "the answer was 500: no \uFFFD[31mdatabase; again in 1ms\n" +
                                 of + "the answer was 302; again in 2ms\n" + of +
                                 "the connection broke before the answer was there; again in "
                                 "4ms\n"));
}

TEST_F(IppctlWebhooks, ShowsTheServersAnswerAndWithWideTheBody) {
  Stream({EventAt("e-1")});
  http::HttpGate server([](const auto&, http::GatePeer& peer) { peer.Respond(200, "thanks\n"); });
  const RunResult run = Listen(server.port(), {"-o", "wide"});
  EXPECT_THAT(run.out, MatchesRegex("20.*  200  [0-9]+ ms +thanks\n    \\{\"id\":\"e-1\".*\\}\n"));
}

TEST_F(IppctlWebhooks, OnlyPrintsWithoutAServer) {
  for (int i = 0; i < 2; ++i) Stream({EventAt("e-1")});
  RunResult run = RunAt(gateway_.address(), {"webhooks", "listen"});
  EXPECT_THAT(run.out, MatchesRegex("[-0-9T:]+Z  ipp.session.finalized  [-0-9a-f]+\n"));
  run = RunAt(gateway_.address(), {"webhooks", "listen", "-o", "json"});
  EXPECT_THAT(run.out, StartsWith("{\"id\":\"e-1\","));
}

TEST_F(IppctlWebhooks, KeepsASecretOfItsOwn) {
  for (int i = 0; i < 2; ++i) Stream({EventAt("e-1")});
  http::HttpGate server;
  const std::map<std::string, std::string> variables = {{"IPPCTL_ADDRESS", gateway_.address()},
                                                        {"HOME", folder_ / "home"}};
  const std::vector<std::string> args = {"webhooks", "listen", "--forward-to",
                                         "http://localhost:" + std::to_string(server.port())};
  const std::string path = folder_ / "home/.config/ippctl/webhook-secret";
  EXPECT_THAT(RunIn(variables, args).err, HasSubstr("made a signing secret"));
  EXPECT_THAT(RunIn(variables, args).err,
              HasSubstr("ippctl: signing with the secret of " + path + "\n"));
  const RunResult shown = RunIn(variables, {"webhooks", "secret"});
  EXPECT_EQ(shown.out, folder_.Read("home/.config/ippctl/webhook-secret"));
  EXPECT_THAT(shown.out, StartsWith("whsec_"));
  ASSERT_EQ(server.requests().size(), 2u);
}

TEST_F(IppctlWebhooks, GivesUpWithTheCursorBeforeWhatWasNotTaken) {
  Stream({EventAt("e-1"), EventAt("e-2"), EventAt("e-3")});
  http::HttpGate server([](const http::GateRequest& request, http::GatePeer& peer) {
    peer.Respond(request.header("webhook-id") == "e-2" ? 400 : 200, "");
  });
  const RunResult run =
      Listen(server.port(), {"--attempts", "2", "--cursor-file", folder_ / "cursor"});
  EXPECT_EQ(run.exit_code, 6);
  EXPECT_THAT(Ids(server), ElementsAre("e-1", "e-2", "e-2"));
  EXPECT_THAT(run.err, HasSubstr("the answer was 400; given up after 2 attempts\n"));
  EXPECT_THAT(run.err, HasSubstr("last cursor: c-e-1\n"));
  EXPECT_EQ(folder_.Read("cursor"), "c-e-1\n");

  // A restart goes on there.
  Stream({EventAt("e-2")});
  http::HttpGate mended;
  Listen(mended.port(), {"--from", "oldest", "--cursor-file", folder_ / "cursor"});
  EXPECT_EQ(events_.requests()[1].after_cursor(), "c-e-1");
  EXPECT_THAT(Ids(mended), ElementsAre("e-2"));
  EXPECT_EQ(folder_.Read("cursor"), "c-e-2\n");
}

TEST_F(IppctlWebhooks, SkipsWhatIsNotTakenWhenAskedTo) {
  Stream({EventAt("e-1"), EventAt("e-2")});
  http::HttpGate server([](const http::GateRequest& request, http::GatePeer& peer) {
    peer.Respond(request.header("webhook-id") == "e-1" ? 400 : 200, "");
  });
  const RunResult run =
      Listen(server.port(), {"--attempts", "1", "--on-failure", "skip", "-o", "json"});
  EXPECT_THAT(Ids(server), ElementsAre("e-1", "e-2"));
  EXPECT_THAT(run.out, HasSubstr("\"delivered\":false,\"status\":400,"));
  EXPECT_THAT(run.out, HasSubstr("\"error\":\"the answer was 400\"}\n"));
  EXPECT_THAT(run.err, HasSubstr("last cursor: c-e-2\nippctl: 1 delivered\n"));
}

TEST_F(IppctlWebhooks, ReplaysARangeWithTheSameIds) {
  History({EventAt("e-1", 100), EventAt("e-2", 200), EventAt("e-3", 201)});
  http::HttpGate server;
  const std::vector<std::string> range = {"--from", "1970-01-01T00:01:40Z", "--to",
                                          "1970-01-01T00:03:20Z"};
  RunResult run = Listen(server.port(), range);
  EXPECT_EQ(run.exit_code, 0);
  EXPECT_EQ(run.err, "ippctl: 2 delivered\n");
  EXPECT_THAT(Ids(server), ElementsAre("e-1", "e-2"));
  EXPECT_EQ(events_.list_requests[0].start_time().seconds(), 100);
  EXPECT_EQ(events_.list_requests[0].filter().types_size(), 5);
  Listen(server.port(), range);
  EXPECT_THAT(Ids(server), ElementsAre("e-1", "e-2", "e-1", "e-2"));
  EXPECT_EQ(server.requests()[0].body, server.requests()[2].body);
}

TEST_F(IppctlWebhooks, ReplaysOverPagesUpToNow) {
  History({EventAt("e-1", 100)});
  events_.second_page_token = "p2";
  http::HttpGate server;
  const RunResult run = Listen(server.port(), {"--from", "oldest", "--to", "now"});
  EXPECT_EQ(run.exit_code, 0);
  EXPECT_THAT(Ids(server), ElementsAre("e-1", "e-1"));
  EXPECT_FALSE(events_.list_requests[0].has_start_time());
  EXPECT_EQ(events_.list_requests[1].page_token(), "p2");
}

TEST_F(IppctlWebhooks, MakesASecretForWhoHasNone) {
  Stream({EventAt("e-1")});
  http::HttpGate server;
  const std::string path = folder_ / "fresh";
  const RunResult run =
      RunAt(gateway_.address(),
            {"webhooks", "listen", "--forward-to",
             "http://localhost:" + std::to_string(server.port()), "--secret-file", path});
  EXPECT_THAT(run.err, HasSubstr("ippctl: made a signing secret: let your server read it from " +
                                 path + "\n"));
  std::string secret = folder_.Read("fresh");
  secret.pop_back();
  EXPECT_THAT(run.out + run.err, Not(HasSubstr(secret.substr(6))));
  ASSERT_EQ(server.requests().size(), 1u);
  const http::GateRequest request = server.requests()[0];
  EXPECT_EQ(request.target, "/");
  EXPECT_TRUE(webhook::Verify({request.header("webhook-id"), request.header("webhook-timestamp"),
                               request.header("webhook-signature")},
                              request.body, {*webhook::DecodeSecret(secret)}, absl::Now(),
                              absl::Seconds(60))
                  .ok());
}

TEST_F(IppctlWebhooks, CtrlCEndsAnAttemptThatHangs) {
  events_.Add({{client::StartedAt("c-0"), EventAt("e-1")}, grpc::Status::OK, /*silent=*/true});
  Interrupt interrupt;
  http::Event let_go;
  http::HttpGate server([&](const auto&, http::GatePeer& peer) {
    interrupt.Trigger();
    let_go.Wait();
    peer.Close();
  });
  const RunResult run = Listen(server.port(), {"--cursor-file", folder_ / "cursor"}, &interrupt);
  let_go.Set();
  EXPECT_EQ(run.exit_code, 0);
  EXPECT_EQ(run.out, "");
  EXPECT_EQ(folder_.Read("cursor"), "c-0\n");
}

TEST_F(IppctlWebhooks, CtrlCEndsAPauseOfAReplay) {
  History({EventAt("e-1", 100)});
  Interrupt interrupt;
  http::HttpGate server([&](const auto&, http::GatePeer& peer) {
    peer.Respond(503, "");
    interrupt.Trigger();
  });
  const RunResult run = RunAt(
      gateway_.address(),
      {"webhooks", "listen", "--forward-to", "http://localhost:" + std::to_string(server.port()),
       "--secret-file", secret_file_, "--from", "oldest", "--to", "now", "--backoff", "1h"},
      "", &interrupt);
  EXPECT_EQ(run.exit_code, 0);
  EXPECT_THAT(run.err, HasSubstr("ippctl: 0 delivered\n"));
}

TEST_F(IppctlWebhooks, AnAnswerThatIsLateOrTooLargeIsNone) {
  History({EventAt("e-1", 100), EventAt("e-2", 100)});
  http::Event let_go;
  http::HttpGate server([&](const http::GateRequest& request, http::GatePeer& peer) {
    if (request.header("webhook-id") == "e-2") {
      peer.Respond(200, std::string(2 << 20, 'x'));
      return;
    }
    let_go.Wait();
    peer.Close();
  });
  const RunResult run = Listen(server.port(), {"--from", "oldest", "--to", "now", "--attempts", "1",
                                               "--on-failure", "skip", "--timeout", "50ms"});
  let_go.Set();
  EXPECT_THAT(run.err, HasSubstr("no answer within 50ms; given up after 1 attempt"));
  EXPECT_THAT(run.err, HasSubstr("the answer is larger than 1 MiB; given up"));
}

TEST_F(IppctlWebhooks, SpeaksTlsOnlyWithWhomItTrusts) {
  History({EventAt("e-1", 100)});
  http::HttpGate server;
  const http::TestCertificate certificate;
  const http::TlsFront front({server.port(), false}, certificate);
  const std::vector<std::string> args = {
      "webhooks",      "listen",
      "--forward-to",  "https://localhost:" + std::to_string(front.port()),
      "--secret-file", secret_file_,
      "--from",        "oldest",
      "--to",          "now",
      "--attempts",    "1"};
  RunResult run = RunAt(gateway_.address(), args);
  EXPECT_EQ(run.exit_code, 6);
  EXPECT_THAT(run.err, HasSubstr("certificate"));
  EXPECT_THAT(Ids(server), IsEmpty());
  std::vector<std::string> trusting = args;
  trusting.insert(trusting.end(), {"--forward-ca-file", certificate.cert_file()});
  run = RunAt(gateway_.address(), trusting);
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(Ids(server), ElementsAre("e-1"));
}

TEST_F(IppctlWebhooks, TellsOfAServerThatIsNotThere) {
  History({EventAt("e-1", 100)});
  const int port = http::Listener().port;  // closed again
  const RunResult run = Listen(port, {"--from", "oldest", "--to", "now", "--attempts", "1"});
  EXPECT_EQ(run.exit_code, 6);
  EXPECT_THAT(run.out, HasSubstr("  ---  "));
  EXPECT_THAT(run.err, ContainsRegex("Could(n't| not) connect to server"));
}

}  // namespace
}  // namespace ipp::ippctl
