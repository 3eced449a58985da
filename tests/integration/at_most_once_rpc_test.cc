// The POST test, end to end: an upstream that reads a request on a connection that has served
// before, and then resets or closes it. libcurl would send the request again.

#include <atomic>
#include <memory>
#include <tuple>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "kustom/ipp/v1/device.grpc.pb.h"
#include "kustom/ipp/v1/enrollment.grpc.pb.h"
#include "kustom/ipp/v1/location.grpc.pb.h"
#include "kustom/ipp/v1/session.grpc.pb.h"
#include "kustom/ipp/v1/simulation.grpc.pb.h"
#include "tests/http/http_upstream.h"
#include "tests/support/gateway_under_test.h"

namespace ipp {
namespace {

namespace v1 = kustom::ipp::v1;
using Devices = v1::DeviceService::Stub;
using Enrollments = v1::EnrollmentService::Stub;
using Sessions = v1::SessionService::Stub;
using Simulation = v1::SimulationService::Stub;
using http::GatePeer;
using http::GateRequest;
using http::HttpRelay;
using http::HttpUpstream;
using http::Wire;

struct Mutation {
  const char* name;
  TextRpc rpc;
  std::string request;
  bool harmless;  // when done twice
  int times = 1;  // that the gateway asks for it, of its own will
};

std::string Id(const std::string& field) { return field + ": '" + kNobody + "' "; }

const std::vector<Mutation>& Mutations() {
  static const std::vector<Mutation> rows = {
      {"UpdateDevice", &AsText<&Devices::UpdateDevice>,
       Id("device_id") + "settings { name: 'Bar' }", true},
      {"DeleteDevice", &AsText<&Devices::DeleteDevice>, Id("device_id"), true},
      {"CreateEnrollment", &AsText<&Enrollments::CreateEnrollment>, "ttl: ENROLLMENT_TTL_TWO_HOURS",
       false},
      {"DeleteEnrollment", &AsText<&Enrollments::DeleteEnrollment>, Id("enrollment_id"), true},
      {"CreateSession", &AsText<&Sessions::CreateSession>, OrderText(kNobody), false},
      {"CancelSession", &AsText<&Sessions::CancelSession>, Id("session_id"), true, 3},
      {"CreateSimulatedDevice", &AsText<&Simulation::CreateSimulatedDevice>, "name: 'Till'", false},
      {"SimulateCardTap", &AsText<&Simulation::SimulateCardTap>, Id("session_id"), false},
  };
  return rows;
}

class AtMostOnceRpc : public testing::TestWithParam<std::tuple<Wire, HttpRelay::Cut, Mutation>> {
 protected:
  AtMostOnceRpc()
      : upstream_(std::get<0>(GetParam()), [this](const GateRequest& request, GatePeer& peer) {
          if (request.method == "GET") {
            // A location, or the open session that a cancel looks at.
            const bool session = absl::StrContains(request.target, "/sessions/");
            peer.Respond(200, session ? absl::StrCat(R"({"session_id": ")", kNobody,
                                                     R"(", "status": "ACTIVE"})")
                                      : absl::StrCat(R"({"id": ")", kLocation1, R"("})"));
          } else {
            if (++mutations_ == 1) connections_ = upstream_.relay->accepted();
            upstream_.relay->CutAll(std::get<1>(GetParam()));
          }
        }) {
    config::Config config = TestConfig(directory_, upstream_.options.base_url);
    config.mutable_upstream()->set_connections(1);
    if (upstream_.certificate) {
      config.mutable_upstream()->set_ca_file(upstream_.certificate->cert_file());
    }
    gateway_ = std::make_unique<RunningGateway>(config);
  }

  testing::AssertionResult Read() {
    v1::GetLocationRequest request;
    request.set_location_id(kLocation1);
    return Ok(gateway_->Call(&v1::LocationService::Stub::GetLocation, request));
  }

  std::atomic<int> mutations_{0};
  std::atomic<size_t> connections_{0};  // when the mutation came first
  TestDirectory directory_;
  HttpUpstream upstream_;
  std::unique_ptr<RunningGateway> gateway_;
};

TEST_P(AtMostOnceRpc, ReachesTheUpstreamOnceAndSaysThatTheOutcomeIsUnknown) {
  const Mutation& mutation = std::get<2>(GetParam());
  ASSERT_TRUE(Read());
  ASSERT_EQ(upstream_.relay->accepted(), 1u);

  const RpcEnd end = mutation.rpc(gateway_->channel(), mutation.request, {});

  EXPECT_TRUE(Refused(end, grpc::StatusCode::UNKNOWN, "OUTCOME_UNKNOWN"));
  EXPECT_EQ(end.info("outcome"), "UNKNOWN");
  EXPECT_EQ(end.info("retry_safe"), mutation.harmless ? "true" : "false");
  // A repeat would be on the way before this one.
  EXPECT_TRUE(Read());
  EXPECT_EQ(mutations_, mutation.times);
  EXPECT_EQ(connections_, 1u) << "it went over the connection that had served before";
  if (std::get<0>(GetParam()) == Wire::kHttp2Tls) {
    EXPECT_THAT(upstream_.gate.requests()[1].header("via"), testing::StartsWith("2 "));
  }
}

INSTANTIATE_TEST_SUITE_P(Every, AtMostOnceRpc,
                         testing::Combine(testing::Values(Wire::kHttp1, Wire::kHttp2Tls),
                                          testing::Values(HttpRelay::Cut::kReset,
                                                          HttpRelay::Cut::kClose),
                                          testing::ValuesIn(Mutations())),
                         [](const auto& info) {
                           return http::WireName(std::get<0>(info.param)) +
                                  (std::get<1>(info.param) == HttpRelay::Cut::kReset ? "Reset"
                                                                                     : "Close") +
                                  std::get<2>(info.param).name;
                         });

}  // namespace
}  // namespace ipp
