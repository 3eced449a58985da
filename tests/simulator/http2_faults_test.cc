// Every fault on requests over HTTP/2: what the client sees on the one hand, what /_sim/ says on
// the other.

#include <nghttp2/nghttp2.h>

#include <boost/json/parse.hpp>
#include <chrono>

#include "tests/simulator/h2_client.h"

namespace ipp::simulator {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;
using SteadyClock = std::chrono::steady_clock;

class SimulatorHttp2Faults : public SimulatorTlsTest {
 protected:
  void SetUp() override {
    SimulatorTlsTest::SetUp();
    device_ = NewDevice();
    EXPECT_EQ(control_->Call("DELETE", "/_sim/requests").status, 204);
    h2_ = std::make_unique<H2Client>(tls_port());
  }

  int32_t SendCreate() { return h2_->Send("POST", "/ipp/v1/sessions", OrderFor(device_)); }
  H2Reply Create() { return h2_->Wait(SendCreate()); }

  // As with HTTP/1.1: the only create, which fault struck, whether it was executed, and the status.
  std::string OnlyCreate() {
    const auto requests = Truth("requests?merchant_reference1=SHOP-1001");
    const auto sessions = Truth("sessions");
    const bool executed = At(requests, "requests.0.executed") == "true";
    EXPECT_EQ(At(requests, "matching"), "1");
    EXPECT_EQ(At(requests, "requests.0.protocol"), "h2");
    EXPECT_EQ(At(requests, "requests.0.authorization"), "key");
    EXPECT_EQ(SizeAt(sessions, "sessions"), executed ? 1u : 0u);
    EXPECT_EQ(At(requests, "requests.0.session_id"),
              executed ? At(sessions, "sessions.0.session_id") : "null");
    EXPECT_EQ(At(Truth("faults"), "faults.0.hits"), "1");
    return At(requests, "requests.0.fault") + (executed ? " executed " : " not executed ") +
           At(requests, "requests.0.status");
  }

  // Another stream of the same connection, with an answer that will never come.
  int32_t BeginBystander() {
    const int32_t stream = h2_->Send("GET", "/ipp/v1/devices");
    WaitForRequests(1);
    return stream;
  }

  void ExpectServing() { EXPECT_EQ(h2_->Call("GET", "/ipp/v1/devices").status, 200); }
  void ExpectRecovery() {
    h2_ = std::make_unique<H2Client>(tls_port());
    EXPECT_EQ(Create().status, 200);
  }

  std::unique_ptr<H2Client> h2_;
  std::string device_;
};

constexpr char kBystander[] = R"({"on":"list_devices","do":"hang"})";

TEST_F(SimulatorHttp2Faults, ResetBeforeReadEndsEveryStream) {
  Rules(R"({"on":"create_session","do":"reset_before_read"},)" + std::string(kBystander));
  BeginBystander();
  h2_->SendHead("POST", "/ipp/v1/sessions");  // it does not wait for the body
  EXPECT_TRUE(IsReset(h2_->WaitForEnd()));
  EXPECT_FALSE(h2_->goaway());
  EXPECT_EQ(At(Truth("requests"), "total"), "1");
  EXPECT_EQ(At(Truth("faults"), "faults.0.hits"), "1");
  ExpectRecovery();
}

TEST_F(SimulatorHttp2Faults, NothingBehindAResetIsExecuted) {
  Rules(R"({"on":"create_session","do":"reset_before_read"})");
  // Both in one segment, as far as the kernel goes along.
  SendCreate();
  h2_->Send("POST", "/ipp/v1/sessions", OrderFor(device_));
  EXPECT_TRUE(IsReset(h2_->WaitForEnd()));
  EXPECT_EQ(At(Truth("requests"), "total"), "0");
}

TEST_F(SimulatorHttp2Faults, ResetAfterRead) {
  Rules(R"({"on":"create_session","do":"reset_after_read"},)" + std::string(kBystander));
  BeginBystander();
  Create();
  EXPECT_TRUE(IsReset(h2_->WaitForEnd()));
  EXPECT_FALSE(h2_->goaway());
  EXPECT_EQ(OnlyCreate(), "reset_after_read executed 0");
  ExpectRecovery();
}

TEST_F(SimulatorHttp2Faults, CloseAfterReadSaysNothing) {
  Rules(R"({"on":"create_session","do":"close_after_read"},)" + std::string(kBystander));
  BeginBystander();
  const H2Reply reply = Create();
  EXPECT_TRUE(IsClosed(h2_->WaitForEnd())) << h2_->WaitForEnd().message();
  EXPECT_FALSE(h2_->goaway());
  EXPECT_EQ(reply.status, 0);
  EXPECT_FALSE(reply.reset);
  EXPECT_EQ(OnlyCreate(), "close_after_read executed 0");
  ExpectRecovery();
}

TEST_F(SimulatorHttp2Faults, ErrorBefore) {
  Rules(R"({"on":"create_session","do":"error_before","status":502,"retry_after":7})");
  const H2Reply reply = Create();
  EXPECT_EQ(reply.status, 502);
  EXPECT_EQ(reply.Header("retry-after"), "7");
  EXPECT_EQ(reply.Header("content-type"), "application/problem+json");
  EXPECT_EQ(reply.Header("content-length"), std::to_string(reply.body.size()));
  EXPECT_NE(reply.Header("date"), "");
  EXPECT_EQ(OnlyCreate(), "error_before not executed 502");
  EXPECT_EQ(Create().status, 200);  // on the same connection
}

TEST_F(SimulatorHttp2Faults, CutBodyEndsTheConnectionInTheMiddle) {
  Rules(R"({"on":"create_session","do":"cut_body"})");
  const H2Reply reply = Create();
  EXPECT_TRUE(IsClosed(h2_->WaitForEnd()));
  EXPECT_FALSE(h2_->goaway());
  EXPECT_EQ(reply.status, 200);
  EXPECT_FALSE(reply.ended);
  EXPECT_FALSE(reply.reset);
  EXPECT_THAT(reply.body, HasSubstr("session_id"));
  EXPECT_EQ(std::stoul(reply.Header("content-length")) / 2, reply.body.size());
  EXPECT_EQ(OnlyCreate(), "cut_body executed 200");
  ExpectRecovery();
}

TEST_F(SimulatorHttp2Faults, CutBodyOfNothingEndsTheConnectionAfterTheHead) {
  Rules(R"({"on":"delete_device","do":"cut_body"})");
  const H2Reply reply = h2_->Call("DELETE", "/ipp/v1/devices/" + device_);
  EXPECT_EQ(reply.status, 204);
  EXPECT_TRUE(IsClosed(h2_->WaitForEnd()));
}

TEST_F(SimulatorHttp2Faults, SlowBodyKeepsNobodyElseWaiting) {
  Rules(R"({"on":"create_session","do":"slow_body","delay_ms":200})");
  const auto begin = SteadyClock::now();
  const int32_t slow = SendCreate();
  ASSERT_TRUE(h2_->WaitForHead(slow));
  ExpectServing();
  const H2Reply reply = h2_->Wait(slow);
  EXPECT_GE(SteadyClock::now() - begin, milliseconds(200));
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(At(reply.Json(), "session_id"), At(Truth("sessions"), "sessions.0.session_id"));
  EXPECT_EQ(OnlyCreate(), "slow_body executed 200");
  ExpectServing();
}

TEST_F(SimulatorHttp2Faults, SlowBodyGivesUpWithItsStream) {
  Rules(R"({"on":"create_session","do":"slow_body","delay_ms":600000})");
  const int32_t slow = SendCreate();
  ASSERT_TRUE(h2_->WaitForHead(slow));
  h2_->ResetStream(slow);
  ExpectServing();
  // Nothing is under way on it any more.
  EXPECT_EQ(At(control_->Call("DELETE", "/_sim/connections").Json(), "closed"), "2");
}

TEST_F(SimulatorHttp2Faults, DelayKeepsNobodyElseWaiting) {
  Rules(R"({"on":"create_session","do":"delay","delay_ms":100})");
  const auto begin = SteadyClock::now();
  const int32_t late = SendCreate();
  ExpectServing();
  EXPECT_EQ(h2_->Wait(late).status, 200);
  EXPECT_GE(SteadyClock::now() - begin, milliseconds(100));
  EXPECT_EQ(OnlyCreate(), "delay executed 200");
}

class SimulatorHttp2Hang : public SimulatorHttp2Faults, public testing::WithParamInterface<bool> {};

TEST_P(SimulatorHttp2Hang, LastsUntilTheClientGivesTheStreamUp) {
  const bool commit = GetParam();
  Rules(std::string(R"({"on":"create_session","do":"hang","commit":)") +
        (commit ? "true}" : "false}"));
  const int32_t stream = SendCreate();
  EXPECT_TRUE(h2_->IsOpenAfter(milliseconds(100)));
  ExpectServing();
  EXPECT_EQ(h2_->Seen(stream).status, 0);
  h2_->ResetStream(stream);
  ExpectServing();
  EXPECT_EQ(OnlyCreate(), commit ? "hang executed 0" : "hang not executed 0");
}

INSTANTIATE_TEST_SUITE_P(Commit, SimulatorHttp2Hang, testing::Bool());

TEST_F(SimulatorHttp2Faults, RefuseConnection) {
  Rules(R"({"on":"*","do":"refuse_connection","count":2})");
  EXPECT_TRUE(IsReset(H2Client(tls_port()).WaitForEnd()));
  EXPECT_EQ(Client(simulator_->port()).Call("GET", "/_sim/state").status, 0);
  ExpectServing();  // on a connection that there was
  ExpectRecovery();
}

TEST_F(SimulatorHttp2Faults, RefuseStreamBeforeItIsRead) {
  Rules(R"({"on":"create_session","do":"refuse_stream"})");
  const int32_t stream = h2_->SendHead("POST", "/ipp/v1/sessions");
  EXPECT_EQ(h2_->Wait(stream).reset, NGHTTP2_REFUSED_STREAM);
  EXPECT_EQ(At(Truth("requests"), "total"), "0");
  EXPECT_EQ(At(Truth("faults"), "faults.0.hits"), "1");
  h2_->Continue(stream, "{}");  // too late, which is ignored
  EXPECT_EQ(Create().status, 200);
  EXPECT_EQ(At(Truth("sessions"), "total"), "1");
}

TEST_F(SimulatorHttp2Faults, RefuseStreamAfterItWasRead) {
  Rules(R"({"on":"create_session","do":"refuse_stream","after_read":true})");
  EXPECT_EQ(Create().reset, NGHTTP2_REFUSED_STREAM);
  EXPECT_EQ(OnlyCreate(), "refuse_stream not executed 0");
  EXPECT_EQ(Create().status, 200);  // on the same connection
}

TEST_F(SimulatorHttp2Faults, GoAwayBeforeTheStream) {
  Rules(R"({"on":"create_session","do":"goaway"},)" + std::string(kBystander));
  const int32_t bystander = BeginBystander();
  const int32_t stream = SendCreate();
  EXPECT_TRUE(IsClosed(h2_->WaitForEnd()));
  ASSERT_TRUE(h2_->goaway());
  EXPECT_LT(h2_->goaway()->last_stream, stream);
  EXPECT_GE(h2_->goaway()->last_stream, bystander);
  EXPECT_EQ(h2_->goaway()->error, NGHTTP2_NO_ERROR);
  EXPECT_EQ(OnlyCreate(), "goaway not executed 0");
  ExpectRecovery();
}

TEST_F(SimulatorHttp2Faults, GoAwayBeforeTheFirstStreamCoversNone) {
  Rules(R"({"on":"create_session","do":"goaway"})");
  Create();
  EXPECT_TRUE(IsClosed(h2_->WaitForEnd()));
  ASSERT_TRUE(h2_->goaway());
  EXPECT_EQ(h2_->goaway()->last_stream, 0);
}

TEST_F(SimulatorHttp2Faults, NothingThatAGoAwayDoesNotCoverIsExecuted) {
  Rules(R"({"on":"create_session","do":"goaway"})");
  const int32_t struck = h2_->SendHead("POST", "/ipp/v1/sessions");
  h2_->Send("POST", "/ipp/v1/sessions", OrderFor(device_));
  ASSERT_TRUE(h2_->Ping());
  EXPECT_EQ(At(Truth("requests"), "total"), "0");  // the fault waits for the struck one's body
  h2_->Continue(struck, OrderFor(device_));
  EXPECT_TRUE(IsClosed(h2_->WaitForEnd()));
  ASSERT_TRUE(h2_->goaway());
  EXPECT_LT(h2_->goaway()->last_stream, struck);
  EXPECT_EQ(OnlyCreate(), "goaway not executed 0");
}

TEST_F(SimulatorHttp2Faults, GoAwayComesEvenIfTheClientGivesItsStreamUp) {
  Rules(R"({"on":"create_session","do":"goaway","delay_ms":600000})");
  const int32_t struck = SendCreate();
  const int32_t behind = h2_->Send("GET", "/ipp/v1/devices");
  h2_->ResetStream(struck);
  h2_->Wait(behind);
  EXPECT_TRUE(IsClosed(h2_->WaitForEnd()));
  ASSERT_TRUE(h2_->goaway());
  EXPECT_LT(h2_->goaway()->last_stream, struck);
}

TEST_F(SimulatorHttp2Faults, GoAwayThatCoversTheStream) {
  Rules(R"({"on":"create_session","do":"goaway","processed":true})");
  const int32_t stream = SendCreate();
  const H2Reply reply = h2_->Wait(stream);
  EXPECT_TRUE(IsClosed(h2_->WaitForEnd()));
  ASSERT_TRUE(h2_->goaway());
  EXPECT_GE(h2_->goaway()->last_stream, stream);
  EXPECT_EQ(reply.status, 0);
  EXPECT_FALSE(reply.reset);
  EXPECT_EQ(OnlyCreate(), "goaway executed 0");
  ExpectRecovery();
}

TEST_F(SimulatorHttp2Faults, GoAwayThatCoversTheStreamWithoutCommit) {
  Rules(R"({"on":"create_session","do":"goaway","processed":true,"commit":false})");
  const int32_t stream = SendCreate();
  EXPECT_TRUE(IsClosed(h2_->WaitForEnd()));
  ASSERT_TRUE(h2_->goaway());
  EXPECT_GE(h2_->goaway()->last_stream, stream);
  EXPECT_EQ(OnlyCreate(), "goaway not executed 0");
}

TEST_F(SimulatorHttp2Faults, GoAwayWithTheAnswer) {
  Rules(R"({"on":"create_session","do":"goaway","answer":true},)"
        R"({"on":"list_devices","do":"delay","delay_ms":100})");
  const int32_t bystander = BeginBystander();
  const int32_t stream = SendCreate();
  const H2Reply reply = h2_->Wait(stream);
  EXPECT_EQ(reply.status, 200);
  EXPECT_TRUE(reply.ended);
  EXPECT_EQ(At(reply.Json(), "session_id"), At(Truth("sessions"), "sessions.0.session_id"));
  ASSERT_TRUE(h2_->goaway());
  EXPECT_GE(h2_->goaway()->last_stream, stream);
  EXPECT_EQ(h2_->Wait(bystander).status, 200);  // the others get their answers too
  EXPECT_TRUE(IsClosed(h2_->WaitForEnd()));
  EXPECT_EQ(OnlyCreate(), "goaway executed 200");
  ExpectRecovery();
}

TEST_F(SimulatorHttp2Faults, GoAwayThatCoversOneDoesNotCoverWhatBeganAfterAnUncoveredOne) {
  Rules(R"({"on":"list_devices","do":"goaway","processed":true,"delay_ms":100},)"
        R"({"on":"create_session","do":"goaway","delay_ms":600000})");
  h2_->Send("GET", "/ipp/v1/devices");
  const int32_t struck = SendCreate();
  const int32_t behind = h2_->Send("POST", "/ipp/v1/sessions", OrderFor(device_));
  EXPECT_TRUE(IsClosed(h2_->WaitForEnd()));
  ASSERT_TRUE(h2_->goaway());
  EXPECT_EQ(h2_->goaway()->last_stream, struck);
  EXPECT_LT(struck, behind);
  EXPECT_EQ(At(Truth("sessions"), "total"), "0");
}

TEST_F(SimulatorHttp2Faults, GoAwayComesAfterItsDelay) {
  Rules(R"({"on":"create_session","do":"goaway","processed":true,"delay_ms":60})");
  const auto begin = SteadyClock::now();
  Create();
  EXPECT_TRUE(IsClosed(h2_->WaitForEnd()));
  EXPECT_GE(SteadyClock::now() - begin, milliseconds(60));
}

TEST_F(SimulatorHttp2Faults, OfHttp2DoNotMatchHttp11) {
  Rules(R"({"on":"create_session","do":"refuse_stream"},{"on":"create_session","do":"goaway"})");
  EXPECT_EQ(Post("/ipp/v1/sessions", OrderFor(device_)).status, 200);
  Client tls(tls_port(), "\x08http/1.1");
  EXPECT_EQ(tls.Call("POST", "/ipp/v1/sessions",
                     {{"Authorization", std::string("Basic ") + kKey},
                      {"Content-Type", "application/json"}},
                     OrderFor(device_))
                .status,
            200);
  EXPECT_EQ(At(Truth("faults"), "faults.0.matches"), "0");
  EXPECT_EQ(Create().reset, NGHTTP2_REFUSED_STREAM);
  EXPECT_EQ(At(Truth("faults"), "faults.0.hits"), "1");
}

TEST_F(SimulatorHttp2Faults, StrikeInTheirOrder) {
  Rules(R"({"on":"list_devices","do":"error_before"},{"on":"list_devices","do":"refuse_stream"},)"
        R"({"on":"list_devices","do":"too_many"})");
  EXPECT_EQ(h2_->Call("GET", "/ipp/v1/devices").status, 503);
  EXPECT_EQ(h2_->Call("GET", "/ipp/v1/devices").reset, NGHTTP2_REFUSED_STREAM);
  EXPECT_EQ(h2_->Call("GET", "/ipp/v1/devices").status, 429);
  ExpectServing();
}

TEST_F(SimulatorHttp2Faults, AreDroppedWithTheStreamTheyWereFor) {
  Rules(R"({"on":"create_session","do":"reset_after_read","delay_ms":50})");
  const int32_t stream = SendCreate();
  h2_->ResetStream(stream);
  EXPECT_TRUE(h2_->IsOpenAfter(milliseconds(150)));
  ExpectServing();
  EXPECT_EQ(OnlyCreate(), "reset_after_read executed 0");
}

}  // namespace
}  // namespace ipp::simulator
