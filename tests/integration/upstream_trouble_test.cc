// An upstream that is down, refuses the gateway's key, talks nonsense or never answers.

#include <memory>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "kustom/ipp/v1/device.grpc.pb.h"
#include "kustom/ipp/v1/enrollment.grpc.pb.h"
#include "kustom/ipp/v1/location.grpc.pb.h"
#include "kustom/ipp/v1/session.grpc.pb.h"
#include "kustom/ipp/v1/simulation.grpc.pb.h"
#include "tests/support/gateway_streams.h"
#include "tests/support/gateway_under_test.h"
#include "tests/support/http_gate.h"

namespace ipp {
namespace {

namespace v1 = kustom::ipp::v1;
using Devices = v1::DeviceService::Stub;
using Enrollments = v1::EnrollmentService::Stub;
using Locations = v1::LocationService::Stub;
using Sessions = v1::SessionService::Stub;
using Simulation = v1::SimulationService::Stub;
using grpc::StatusCode;
using http::Event;
using http::GatePeer;
using http::GateRequest;
using http::HttpGate;
using testing::HasSubstr;

struct RpcRow {
  const char* name;
  TextRpc rpc;
  std::string request;
};

std::string Id(const std::string& field) { return field + ": '" + kNobody + "' "; }

const std::vector<RpcRow>& Creates() {
  static const std::vector<RpcRow> rows = {
      {"CreateEnrollment", &AsText<&Enrollments::CreateEnrollment>,
       "ttl: ENROLLMENT_TTL_TWO_HOURS"},
      {"CreateSession", &AsText<&Sessions::CreateSession>, OrderText(kNobody)},
      {"CreateSimulatedDevice", &AsText<&Simulation::CreateSimulatedDevice>, "name: 'Till'"},
      {"SimulateCardTap", &AsText<&Simulation::SimulateCardTap>, Id("session_id")},
  };
  return rows;
}

const std::vector<RpcRow>& Reads() {
  static const std::vector<RpcRow> rows = {
      {"ListDevices", &AsText<&Devices::ListDevices>, ""},
      {"GetDevice", &AsText<&Devices::GetDevice>, Id("device_id")},
      {"ListEnrollments", &AsText<&Enrollments::ListEnrollments>, ""},
      {"ListLocations", &AsText<&Locations::ListLocations>, ""},
      {"GetLocation", &AsText<&Locations::GetLocation>, Id("location_id")},
      {"GetSession", &AsText<&Sessions::GetSession>, Id("session_id")},
      {"WatchSession", &AsText<&Sessions::WatchSession>, Id("session_id")},
  };
  return rows;
}

// A gateway in front of an upstream that does what the test says.
struct GatedGateway {
  explicit GatedGateway(HttpGate::Handler handler,
                        const std::function<void(config::Config&)>& configure = nullptr)
      : gate(std::move(handler)) {
    config::Config config = TestConfig(directory, absl::StrCat("http://127.0.0.1:", gate.port()));
    if (configure) configure(config);
    gateway = std::make_unique<RunningGateway>(config);
  }

  TestDirectory directory;
  HttpGate gate;
  std::unique_ptr<RunningGateway> gateway;
};

class DownUpstream : public testing::TestWithParam<RpcRow> {
 protected:
  DownUpstream() { bed_.simulator.Stop(); }
  RpcEnd Call() { return GetParam().rpc(bed_.gateway.channel(), GetParam().request, {}); }
  // Given up long before the caller's deadline, which must not come first on a slow machine.
  GatewayBed bed_{{.configure = [](const TestDirectory&, config::Config& config) {
    config.mutable_creates()->mutable_send_for()->set_seconds(1);
  }}};
};

class ReadFromADownUpstream : public DownUpstream {};

TEST_P(ReadFromADownUpstream, IsTriedAgainAndThenUnavailable) {
  const RpcEnd end = Call();
  EXPECT_TRUE(Refused(end, StatusCode::UNAVAILABLE, "UPSTREAM_UNAVAILABLE"));
  EXPECT_EQ(end.info("retry_safe"), "true");
  EXPECT_EQ(bed_.gateway.Metric("ipp_upstream_retries_total"), 2);
}

INSTANTIATE_TEST_SUITE_P(Every, ReadFromADownUpstream, testing::ValuesIn(Reads()),
                         [](const auto& info) { return info.param.name; });

class CreateOnADownUpstream : public DownUpstream {};

TEST_P(CreateOnADownUpstream, IsNotSentAndMayBeRepeated) {
  const RpcEnd end = Call();
  EXPECT_TRUE(Refused(end, StatusCode::UNAVAILABLE, "UPSTREAM_UNAVAILABLE"));
  EXPECT_EQ(end.info("outcome"), "NOT_SENT");
  EXPECT_EQ(end.info("retry_safe"), "true");
  EXPECT_EQ(bed_.gateway.Metric("ipp_upstream_retries_total"), 0);
}

INSTANTIATE_TEST_SUITE_P(Every, CreateOnADownUpstream, testing::ValuesIn(Creates()),
                         [](const auto& info) { return info.param.name; });

TEST(Upstream, ThatComesBackIsUsedAgain) {
  auto busy = std::make_shared<std::atomic<int>>(2);
  GatedGateway world([busy](const GateRequest&, GatePeer& peer) {
    if ((*busy)-- > 0) {
      peer.Respond(503, R"({"title": "Busy"})", "Retry-After: 0\r\n");
    } else {
      peer.Respond(200, R"({"content": [], "total_elements": 0, "last": true})");
    }
  });
  EXPECT_TRUE(Ok(world.gateway->Call(&Locations::ListLocations, v1::ListLocationsRequest())));
  EXPECT_EQ(world.gate.requests().size(), 3u);
}

TEST(Upstream, ThatRefusesTheGatewaysKeyIsNotTheCallersFault) {
  GatewayBed bed({.configure = [](const TestDirectory& directory, config::Config& config) {
    config.mutable_merchants(0)->set_api_key_file(
        directory.Write("wrong.key", "kco_test_api_not_this\n"));
  }});
  for (const auto& rows : {Reads(), Creates()}) {
    for (const RpcRow& row : rows) {
      const RpcEnd end = row.rpc(bed.gateway.channel(), row.request, {});
      EXPECT_TRUE(Refused(end, StatusCode::INTERNAL, "UPSTREAM_CREDENTIALS")) << row.name;
      EXPECT_EQ(end.info("outcome"), "REJECTED") << row.name;
      EXPECT_THAT(end.message, testing::Not(HasSubstr("kco_test_api_not_this")));
    }
  }
  EXPECT_EQ(bed.simulator.Requests().front().authorization, "refused");
}

TEST(Upstream, ThatTalksNonsenseIsMalformed) {
  GatedGateway world([](const GateRequest&, GatePeer& peer) { peer.Respond(200, "<html>"); });
  for (const RpcRow& row : Reads()) {
    EXPECT_TRUE(Refused(row.rpc(world.gateway->channel(), row.request, {}), StatusCode::INTERNAL,
                        "UPSTREAM_MALFORMED"))
        << row.name;
  }
}

TEST(Upstream, ThatAnswersACreateWithNonsenseLeavesItUnknown) {
  GatedGateway world([](const GateRequest&, GatePeer& peer) { peer.Respond(200, "<html>"); });
  const RpcRow& create = Creates()[1];
  const RpcEnd end = create.rpc(world.gateway->channel(), create.request, {});
  EXPECT_TRUE(Refused(end, StatusCode::INTERNAL, "UPSTREAM_MALFORMED"));
  EXPECT_EQ(end.info("outcome"), "UNKNOWN");
  EXPECT_EQ(end.info("retry_safe"), "false");
  EXPECT_NE(end.info("request_id"), "-");
  EXPECT_EQ(world.gate.requests().size(), 1u);
}

TEST(Upstream, ThatAnswersACreateWithoutASessionLeavesItUnknown) {
  GatedGateway world([](const GateRequest&, GatePeer& peer) { peer.Respond(200, "{}"); });
  const RpcRow& create = Creates()[1];
  const RpcEnd end = create.rpc(world.gateway->channel(), create.request, {});
  EXPECT_TRUE(Refused(end, StatusCode::INTERNAL, "UPSTREAM_MALFORMED"));
  EXPECT_EQ(end.info("outcome"), "UNKNOWN");
  EXPECT_EQ(end.info("retry_safe"), "false");
}

TEST(Upstream, ThatFailsACreateLeavesItUnknown) {
  GatedGateway world([](const GateRequest&, GatePeer& peer) {
    peer.Respond(500, R"({"title": "Internal Server Error"})");
  });
  for (const RpcRow& row : Creates()) {
    const RpcEnd end = row.rpc(world.gateway->channel(), row.request, {});
    EXPECT_TRUE(Refused(end, StatusCode::UNKNOWN, "OUTCOME_UNKNOWN")) << row.name;
    EXPECT_EQ(end.info("outcome"), "UNKNOWN");
    EXPECT_EQ(end.info("retry_safe"), "false");
  }
  EXPECT_EQ(world.gate.requests().size(), Creates().size());
}

TEST(Upstream, ThatLimitsTheRateSaysWhenToComeBack) {
  GatedGateway world([](const GateRequest&, GatePeer& peer) {
    peer.Respond(429, R"({"title": "Slow down"})", "Retry-After: 7\r\n");
  });
  const RpcRow& create = Creates()[0];
  const RpcEnd end = create.rpc(world.gateway->channel(), create.request, {});
  EXPECT_TRUE(Refused(end, StatusCode::RESOURCE_EXHAUSTED, "UPSTREAM_RATE_LIMIT"));
  EXPECT_EQ(end.detail.retry_after, absl::Seconds(7));
}

// gRPC's own retries know nothing of RetryInfo.
TEST(Upstream, ThatSaysWhenToComeBackIsNotAskedAgainByGrpc) {
  for (const bool says : {true, false}) {
    GatedGateway world([says](const GateRequest&, GatePeer& peer) {
      peer.Respond(503, "{}", says ? "Retry-After: 3600\r\n" : "");
    });
    for (const RpcRow& row : Reads()) {
      const RpcEnd end = row.rpc(world.gateway->channel(), row.request, {});
      EXPECT_TRUE(Refused(end, StatusCode::UNAVAILABLE, "UPSTREAM_UNAVAILABLE")) << row.name;
      EXPECT_EQ(end.detail.retry_after.has_value(), says) << row.name;
      const auto pushback = end.trailers.find("grpc-retry-pushback-ms");
      EXPECT_EQ(pushback == end.trailers.end() ? "" : pushback->second, says ? "-1" : "")
          << row.name;
    }
  }
}

// An upstream that reads and does not answer until it is let go.
class SilentUpstream : public testing::Test {
 protected:
  ~SilentUpstream() override { let_go_.Set(); }

  Event let_go_;
  GatedGateway world_{[this](const GateRequest&, GatePeer& peer) {
    let_go_.Wait();
    peer.Respond(200, absl::StrCat(R"({"session_id": ")", kNobody,
                                   R"(", "status": "CREATED", "order_amount": 25000})"));
  }};
};

TEST_F(SilentUpstream, EndsAReadSoonAfterTheCallersDeadline) {
  const absl::Time before = absl::Now();
  CallOptions options;
  options.timeout = absl::Milliseconds(200);
  const auto reply = world_.gateway->Call(&Sessions::GetSession,
                                          Text<v1::GetSessionRequest>(Id("session_id")), options);
  EXPECT_EQ(reply.code, StatusCode::DEADLINE_EXCEEDED);
  // Not only the caller: the gateway ends its own call upstream, long before upstream.timeout.
  world_.gateway->WaitForMetric("ipp_upstream_in_flight", 0);
  world_.gateway->WaitForMetric("ipp_upstream_requests_total", 1,
                                {R"(operation="GetSession")", R"(result="no_answer")"});
  EXPECT_LT(absl::Now() - before, absl::Seconds(8));
}

TEST_F(SilentUpstream, EndsAReadWhenTheCallerCancels) {
  grpc::ClientContext context;
  Prepare({}, &context);
  std::thread canceller([&] {
    world_.gate.WaitForRequests(1);
    context.TryCancel();
  });
  v1::GetSessionResponse response;
  v1::SessionService::Stub stub(world_.gateway->channel());
  const RpcEnd end = EndOf(
      stub.GetSession(&context, Text<v1::GetSessionRequest>(Id("session_id")), &response), context);
  canceller.join();
  EXPECT_EQ(end.code, StatusCode::CANCELLED);
  world_.gateway->WaitForMetric("ipp_upstream_in_flight", 0);
  world_.gateway->WaitForMetric("grpc_server_handled_total", 1,
                                {R"(grpc_method="GetSession")", R"(grpc_code="Canceled")"});
}

TEST_F(SilentUpstream, LetsACreateEndAfterItsCallerHasGone) {
  EventFeed feed(world_.gateway->channel(), "position: START_POSITION_FROM_NOW");
  auto request = Text<v1::CreateSessionRequest>(OrderText(kNobody));
  request.set_request_id("0a0b0c0d-0000-4000-8000-00000000000a");
  grpc::ClientContext context;
  Prepare({}, &context);
  std::thread canceller([&] {
    world_.gate.WaitForRequests(1);
    context.TryCancel();
  });
  v1::CreateSessionResponse response;
  v1::SessionService::Stub stub(world_.gateway->channel());
  const RpcEnd end = EndOf(stub.CreateSession(&context, request, &response), context);
  canceller.join();
  EXPECT_EQ(end.code, StatusCode::CANCELLED);
  let_go_.Set();
  const v1::SessionEvent event = feed.NextEvent();
  EXPECT_EQ(event.type(), v1::SESSION_EVENT_TYPE_CREATED);
  EXPECT_EQ(event.session_id(), kNobody);
  EXPECT_EQ(event.request_id(), request.request_id());
  EXPECT_EQ(event.source(), v1::SESSION_EVENT_SOURCE_API);
  EXPECT_EQ(world_.gate.requests().size(), 1u);
  const auto page = world_.gateway->Call(&v1::SessionEventService::Stub::ListSessionEvents,
                                         v1::ListSessionEventsRequest());
  EXPECT_EQ(page.response.events_size(), 1);
}

// Not the drain's patience, which an operator may well set to nothing.
TEST(Upstream, IsWaitedForWithACreateHoweverShortADrainIs) {
  GatedGateway world(
      [](const GateRequest&, GatePeer& peer) {
        peer.Respond(201, R"({"session_id": "33333333-3333-4333-8333-333333333333",
                              "status": "CREATED"})");
      },
      [](config::Config& config) { *config.mutable_drain_timeout() = {}; });
  const RpcRow& create = Creates()[1];
  EXPECT_EQ(create.rpc(world.gateway->channel(), create.request, {}).code, StatusCode::OK);
}

TEST(Upstream, IsAskedForNoMoreThanMaxInFlight) {
  Event let_go;
  GatedGateway world(
      [&](const GateRequest&, GatePeer& peer) {
        let_go.Wait();
        peer.Respond(404, "{}");
      },
      [](config::Config& config) { config.mutable_upstream()->set_max_in_flight(1); });
  std::thread first([&] {
    world.gateway->Call(&Sessions::GetSession, Text<v1::GetSessionRequest>(Id("session_id")));
  });
  world.gate.WaitForRequests(1);
  const RpcRow& create = Creates()[1];
  const RpcEnd end = create.rpc(world.gateway->channel(), create.request, {});
  EXPECT_TRUE(Refused(end, StatusCode::RESOURCE_EXHAUSTED, "GATEWAY_OVERLOADED"));
  EXPECT_EQ(end.info("outcome"), "NOT_SENT");
  EXPECT_TRUE(end.detail.retry_after.has_value());
  let_go.Set();
  first.join();
}

}  // namespace
}  // namespace ipp
