#include <boost/asio/error.hpp>
#include <boost/json/parse.hpp>
#include <chrono>
#include <ctime>

#include "tests/simulator/harness.h"

namespace ipp::simulator {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;
using SteadyClock = std::chrono::steady_clock;

// What the client sees on the one hand, what /_sim/ says on the other.
class SimulatorFaults : public SimulatorTest {
 protected:
  void SetUp() override {
    Simulator::Options options;
    options.control_port = 0;
    Start(options);
    control_ = std::make_unique<Client>(simulator_->control_port());
    device_ = NewDevice();
    EXPECT_EQ(control_->Call("DELETE", "/_sim/requests").status, 204);
  }

  void Rules(const std::string& rules) {
    const Reply reply =
        control_->Call("PUT", "/_sim/faults", {{"Content-Type", "application/json"}},
                       "{\"faults\":[" + rules + "]}");
    ASSERT_EQ(reply.status, 200) << reply.body;
  }

  // On a connection of its own, since most faults end it.
  Reply Create() {
    client_ = std::make_unique<Client>(simulator_->port());
    return Post("/ipp/v1/sessions", OrderFor(device_));
  }

  boost::json::value Truth(const std::string& what) {
    return control_->Call("GET", "/_sim/" + what).Json();
  }

  // The only request: which fault struck, whether it was executed, and the status sent. The session
  // that the log names must be the one that there is.
  std::string OnlyRequest() {
    const auto requests = Truth("requests");
    const auto sessions = Truth("sessions");
    const bool executed = At(requests, "requests.0.executed") == "true";
    EXPECT_EQ(At(requests, "total"), "1");
    EXPECT_EQ(At(requests, "requests.0.authorization"), "key");
    EXPECT_EQ(SizeAt(sessions, "sessions"), executed ? 1u : 0u);
    EXPECT_EQ(At(requests, "requests.0.session_id"),
              executed ? At(sessions, "sessions.0.session_id") : "null");
    EXPECT_EQ(At(Truth("faults"), "faults.0.hits"), "1");
    return At(requests, "requests.0.fault") + (executed ? " executed " : " not executed ") +
           At(requests, "requests.0.status");
  }

  // The fault was for once, so all is well again.
  void ExpectRecovery() { EXPECT_EQ(Create().status, 200); }

  std::unique_ptr<Client> control_;
  std::string device_;
};

TEST_F(SimulatorFaults, ResetBeforeRead) {
  Rules(R"({"on":"create_session","do":"reset_before_read"})");
  EXPECT_TRUE(Create().reset());
  EXPECT_EQ(At(Truth("requests"), "total"), "0");
  EXPECT_EQ(At(Truth("sessions"), "total"), "0");
  EXPECT_EQ(At(Truth("faults"), "faults.0.hits"), "1");
  ExpectRecovery();
}

TEST_F(SimulatorFaults, ResetBeforeReadDoesNotWaitForTheBody) {
  Rules(R"({"on":"create_session","do":"reset_before_read"})");
  Client client(simulator_->port());
  client.SendRaw("POST /ipp/v1/sessions HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n");
  EXPECT_TRUE(client.ReadReply().reset());
}

TEST_F(SimulatorFaults, TooManyUntilADate) {
  Rules(R"({"on":"create_session","do":"too_many","retry_after":3600,"retry_after_date":true})");
  const Reply reply = Create();
  std::tm date{};
  const std::string text = reply.Header("Retry-After");
  ASSERT_NE(strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &date), nullptr) << text;
  EXPECT_NEAR(static_cast<double>(timegm(&date) - std::time(nullptr)), 3600, 60);
  EXPECT_EQ(OnlyRequest(), "too_many not executed 429");
}

TEST_F(SimulatorFaults, MalformedJsonWhereThereIsNoBody) {
  Rules(R"({"on":"delete_device","do":"malformed_json"})");
  const Reply reply = Send("DELETE", "/ipp/v1/devices/" + device_);
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body, "{");
}

TEST_F(SimulatorFaults, SlowBodyGivesUpWithItsClient) {
  Rules(R"({"on":"create_session","do":"slow_body","delay_ms":600000})");
  {
    Client client(simulator_->port());
    client.SendRaw("POST /ipp/v1/sessions HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
  }
  ExpectRecovery();
}

TEST_F(SimulatorFaults, DelayShowsTheRequestBeforeItIsExecuted) {
  Rules(R"({"on":"list_devices","do":"delay","delay_ms":600000})");
  client_->SendRaw("GET /ipp/v1/devices HTTP/1.1\r\nHost: a\r\n\r\n");
  while (At(Truth("requests"), "total") != "1") {
  }
  const auto requests = Truth("requests");
  EXPECT_EQ(At(requests, "requests.0.fault"), "delay");
  EXPECT_EQ(At(requests, "requests.0.executed"), "false");
  EXPECT_EQ(At(requests, "requests.0.status"), "0");
}

class SimulatorHang : public SimulatorFaults, public testing::WithParamInterface<bool> {};

TEST_P(SimulatorHang, LastsUntilTheClientGoes) {
  const bool commit = GetParam();
  Rules(std::string(R"({"on":"create_session","do":"hang","commit":)") +
        (commit ? "true}" : "false}"));
  {
    Client client(simulator_->port());
    const std::string order = OrderFor(device_);
    client.SendRaw("POST /ipp/v1/sessions HTTP/1.1\r\nHost: a\r\nAuthorization: Basic " +
                   std::string(kKey) + "\r\nContent-Type: application/json\r\nContent-Length: " +
                   std::to_string(order.size()) + "\r\n\r\n" + order);
    while (At(Truth("requests"), "total") != "1") {
    }
    EXPECT_EQ(client.ReadReply(milliseconds(100)).error, boost::asio::error::timed_out);
  }
  EXPECT_EQ(OnlyRequest(), commit ? "hang executed 0" : "hang not executed 0");
  ExpectRecovery();
}

INSTANTIATE_TEST_SUITE_P(Commit, SimulatorHang, testing::Bool());

TEST_F(SimulatorFaults, RefuseConnectionsByNumber) {
  Rules(R"({"on":"*","do":"refuse_connection","count":2,"skip":1})");
  EXPECT_EQ(Create().status, 200);
  EXPECT_EQ(Create().status, 0);
  EXPECT_EQ(Create().status, 0);
  EXPECT_EQ(Create().status, 200);
  EXPECT_EQ(At(Truth("sessions"), "total"), "2");
  EXPECT_EQ(At(Truth("faults"), "faults.0.hits"), "2");
}

TEST_F(SimulatorFaults, RefuseConnectionsForATime) {
  Rules(R"({"on":"*","do":"refuse_connection","delay_ms":1000})");
  const auto begin = SteadyClock::now();
  TryConnect(simulator_->port());  // this one is reset, and the port closed with it
  while (At(Truth("faults"), "faults.0.hits") != "1") {
  }
  int refused = 0;
  for (boost::system::error_code error;; ++refused) {
    error = TryConnect(simulator_->port());
    if (!error) break;
    ASSERT_EQ(error, boost::asio::error::connection_refused) << error.message();
  }
  EXPECT_GE(SteadyClock::now() - begin, milliseconds(1000));
  EXPECT_GT(refused, 0);
  EXPECT_EQ(Get("/ipp/v1/devices").status, 200);  // on a connection that there was
  ExpectRecovery();
}

TEST_F(SimulatorFaults, StrikeTheirOperationAlone) {
  Rules(R"({"on":"get_session","do":"error_before","count":0})");
  const std::string session = At(Create().Json(), "session_id");
  EXPECT_EQ(Get("/ipp/v1/sessions/" + session).status, 503);
  EXPECT_EQ(Send("PUT", "/ipp/v1/sessions/" + session + "/cancel").status, 200);
  EXPECT_EQ(Get("/ipp/v1/sessions/" + session).status, 503);
  Rules(R"({"on":"*","do":"error_before","count":0})");
  EXPECT_EQ(Get("/ipp/v1/devices").status, 503);
  EXPECT_EQ(Get("/ipp/v1/nothing").status, 404);
  EXPECT_EQ(Get("/_sim/state").status, 200);
  Rules("");
  EXPECT_EQ(At(Get("/ipp/v1/sessions/" + session).Json(), "status"), "CANCELLED");
}

TEST_F(SimulatorFaults, HaveANameForEachOperation) {
  for (const char* name :
       {"create_session", "get_session", "cancel_session", "list_enrollments", "create_enrollment",
        "delete_enrollment", "list_locations", "get_location", "list_devices", "update_device",
        "delete_device", "create_simulated_device", "simulate_tap", "*"}) {
    Rules(std::string(R"({"on":")") + name + R"(","do":"delay"})");
  }
}

TEST_F(SimulatorFaults, AreOutOfReachForTheControlListener) {
  EXPECT_EQ(control_->Call("GET", "/ipp/v1/devices").status, 404);
  Rules(R"({"on":"*","do":"refuse_connection","count":0})");
  EXPECT_EQ(Client(simulator_->control_port()).Call("GET", "/_sim/state").status, 200);
}

class SimulatorRequestTruth : public SimulatorFaults {};

TEST_F(SimulatorRequestTruth, CountsRequestsByReference) {
  Rules(R"({"on":"create_session","do":"reset_after_read","commit":false})");
  Create();
  Create();
  Get("/ipp/v1/devices");
  const auto two = Truth("requests?merchant_reference1=SHOP-1001");
  EXPECT_EQ(At(two, "matching"), "2");
  EXPECT_EQ(At(two, "total"), "3");
  EXPECT_EQ(SizeAt(two, "requests"), 2u);
  EXPECT_EQ(SizeAt(Truth("requests?merchant_reference1=SHOP-1001&limit=0"), "requests"), 0u);
  EXPECT_EQ(At(Truth("requests?merchant_reference1=SHOP-1001&limit=0"), "matching"), "2");
  EXPECT_EQ(At(Truth("requests?merchant_reference1=SHOP-100"), "matching"), "0");
}

TEST_F(SimulatorRequestTruth, KeepsAsManyAsItIsTold) {
  Simulator::Options options;
  options.kept_requests = 2;
  Start(options);
  for (int i = 0; i < 3; ++i) Get("/ipp/v1/devices");
  const auto requests = Get("/_sim/requests").Json();
  EXPECT_EQ(At(requests, "total"), "3");
  EXPECT_EQ(At(requests, "requests.0.sequence"), "2");
  EXPECT_EQ(At(requests, "requests.1.executed"), "true");
  EXPECT_EQ(At(requests, "requests.1.fault"), "null");
}

}  // namespace
}  // namespace ipp::simulator
