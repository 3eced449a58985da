#include "tests/simulator/harness.h"

namespace ipp::simulator {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

// The page in a browser is tested in tests/terminal; here is what it stands on.
class SimulatorTerminal : public SimulatorTest {};

TEST_F(SimulatorTerminal, IsServedWithAStrictPolicyOnBothListeners) {
  Simulator::Options options;
  options.control_port = uint16_t{0};
  Start(options);
  Client control(simulator_->control_port());
  for (Client* client : {client_.get(), &control}) {
    for (const auto& [path, type] : std::vector<std::pair<std::string, std::string>>{
             {"/_sim/terminal", "text/html; charset=utf-8"},
             {"/_sim/terminal.css", "text/css; charset=utf-8"},
             {"/_sim/terminal.js", "text/javascript; charset=utf-8"},
             {"/_sim/terminal_words.js", "text/javascript; charset=utf-8"},
             {"/_sim/terminal_webhooks.js", "text/javascript; charset=utf-8"},
             {"/_sim/terminal.svg", "image/svg+xml"}}) {
      const Reply reply = client->Call("GET", path);
      EXPECT_EQ(reply.status, 200) << path;
      EXPECT_EQ(reply.Header("Content-Type"), type);
      EXPECT_EQ(reply.Header("X-Content-Type-Options"), "nosniff");
      EXPECT_THAT(reply.Header("Content-Security-Policy"),
                  AllOf(HasSubstr("default-src 'none'"), HasSubstr("frame-ancestors 'none'"),
                        HasSubstr("require-trusted-types-for 'script'"), Not(HasSubstr("unsafe"))));
      EXPECT_THAT(reply.body, AllOf(Not(HasSubstr("https:")), Not(HasSubstr("innerHTML"))));
    }
    EXPECT_EQ(client->Call("GET", "/_sim/").status, 302);
    EXPECT_EQ(client->Call("GET", "/_sim/").Header("Location"), "/_sim/terminal");
  }
  EXPECT_EQ(At(Get("/_sim/requests").Json(), "total"), "0");
}

TEST_F(SimulatorTerminal, ListsThePhonesWithTheirOpenSessionsAndNoSecret) {
  const Reply added =
      client_->Call("POST", "/_sim/devices", {{"Content-Type", "application/json"}},
                    std::string(R"({"name":"Till 7","location_id":")") + kLocation1 + R"("})");
  EXPECT_EQ(added.status, 201);
  const std::string device = At(added.Json(), "id");
  Post("/ipp/v1/sessions", OrderFor(device));
  Post("/ipp/v1/sessions", OrderFor(device));
  const std::string paid =
      At(Get("/_sim/devices/" + device + "/sessions").Json(), "sessions.0.session.session_id");
  Tap(paid, "SUCCESS");
  const Reply list = client_->Call("GET", "/_sim/devices");
  EXPECT_EQ(At(list.Json(), "devices.0"), R"({"id":")" + device +
                                              R"(","merchant_id":"PM00000001","name":"Till 7",)" +
                                              R"("location_name":"Storgatan","open_sessions":1})");
  EXPECT_EQ(SizeAt(Get("/_sim/devices?limit=0").Json(), "devices"), 0u);
  EXPECT_EQ(Post("/_sim/devices", R"({"name":" "})").status, 400);
  EXPECT_EQ(Post("/_sim/devices?merchant_id=PM99", R"({"name":"Till"})").status, 404);
}

TEST_F(SimulatorTerminal, SendsAPaymentWithoutAKey) {
  const std::string device = NewDevice();
  const Headers json = {{"Content-Type", "application/json"}};
  const Reply made = client_->Call("POST", "/_sim/sessions", json, OrderFor(device));
  EXPECT_EQ(made.status, 200) << made.body;
  EXPECT_EQ(StatusOf(At(made.Json(), "session_id")), "CREATED");
  EXPECT_EQ(client_->Call("POST", "/_sim/sessions", json, OrderFor(kNobody)).status, 404);
  EXPECT_EQ(client_->Call("POST", "/_sim/sessions", json, "{}").status, 400);
}

TEST_F(SimulatorTerminal, ShowsBodyHeadersAndAnswersOfWebhooksWhenAskedTo) {
  Receiver receiver;
  EXPECT_EQ(Send("PUT", "/_sim/webhooks", R"({"urls":[")" + receiver.url() + R"("]})").status, 204);
  const std::string session = NewSession();
  const Delivery delivery = receiver.Wait(1).front();
  const std::string target = "/_sim/webhooks?session_id=" + session;
  EXPECT_EQ(At(Get(target).Json(), "events.0.body"), "(absent)");
  boost::json::value seen;
  // The answer is noted a moment after it was sent.
  do {
    seen = Get(target + "&detail=true").Json();
  } while (At(seen, "events.0.deliveries.0.state") != "delivered");
  EXPECT_EQ(At(seen, "events.0.body"), delivery.body);
  EXPECT_EQ(At(seen, "events.0.deliveries.0.webhook_id"), delivery.id);
  EXPECT_EQ(At(seen, "events.0.deliveries.0.tries.0.webhook_signature"), delivery.signature);
  EXPECT_EQ(At(seen, "events.0.deliveries.0.tries.0.webhook_timestamp"), delivery.timestamp);
  EXPECT_EQ(At(seen, "events.0.deliveries.0.tries.0.status"), "200");
}

TEST_F(SimulatorTerminal, ShowsTheSessionsOfAPhoneTheNewestFirst) {
  const std::string device = NewDevice();
  const std::string first = At(Post("/ipp/v1/sessions", OrderFor(device)).Json(), "session_id");
  NewSession();  // of another phone
  const std::string second = At(Post("/ipp/v1/sessions", OrderFor(device)).Json(), "session_id");
  Tap(second, "LOST_CARD");
  const std::string path = "/_sim/devices/" + device + "/sessions";
  const auto list = Get(path).Json();
  ASSERT_EQ(SizeAt(list, "sessions"), 2u);
  EXPECT_EQ(At(list, "sessions.0.session.session_id"), second);
  EXPECT_EQ(At(list, "sessions.0.session.status"), "ACTIVE");
  EXPECT_EQ(At(list, "sessions.0.failure_reason"), "lost_card");
  EXPECT_EQ(At(list, "sessions.1.session.session_id"), first);
  EXPECT_EQ(At(list, "sessions.1.failure_reason"), "null");
  EXPECT_EQ(SizeAt(Get(path + "?limit=1").Json(), "sessions"), 1u);
  Post("/_sim/clock/advance", R"({"seconds":7200})");
  EXPECT_EQ(At(Get(path).Json(), "sessions.1.session.status"), "EXPIRED");
  EXPECT_EQ(Get(std::string("/_sim/devices/") + kNobody + "/sessions").status, 404);
}

TEST_F(SimulatorTerminal, TapsWithoutAKey) {
  const std::string session = NewSession();
  const std::string tap = "/_sim/sessions/" + session + "/tap";
  for (const std::string outcome : {"", "success", "NO_SUCH_OUTCOME"}) {
    EXPECT_EQ(client_->Call("POST", tap + "?outcome=" + outcome).status, 400) << outcome;
  }
  const auto outcomes = Get("/_sim/tap-outcomes").Json();
  ASSERT_EQ(SizeAt(outcomes, "outcomes"), 10u);
  for (size_t i = 1; i < 10; ++i) {
    const std::string outcome = At(outcomes, "outcomes." + std::to_string(i));
    const Reply reply = client_->Call("POST", tap + "?outcome=" + outcome);
    EXPECT_EQ(At(reply.Json(), "status"), "ACTIVE") << outcome;
  }
  EXPECT_EQ(At(client_->Call("POST", tap).Json(), "status"), "FINALIZED");
  EXPECT_EQ(client_->Call("POST", tap).status, 409);
  EXPECT_EQ(client_->Call("POST", std::string("/_sim/sessions/") + kNobody + "/tap").status, 404);
  EXPECT_EQ(At(Get("/_sim/requests").Json(), "total"), "2");  // the device and the session
}

TEST_F(SimulatorTerminal, PicksTheWebhooksOfASession) {
  NewSession();
  const std::string session = NewSession();
  Tap(session, "SUCCESS");
  const auto list = Get("/_sim/webhooks?session_id=" + session).Json();
  ASSERT_EQ(SizeAt(list, "events"), 3u);
  EXPECT_EQ(At(list, "events.0.session_id"), session);
  EXPECT_EQ(At(list, "events.2.type"), "ipp.session.finalized");
}

}  // namespace
}  // namespace ipp::simulator
