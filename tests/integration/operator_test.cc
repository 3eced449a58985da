// What an operator sees: health, reflection, the admin port; and what must never be seen: the
// secrets.

#include <grpcpp/generic/generic_stub.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "google/protobuf/empty.pb.h"
#include "google/protobuf/unknown_field_set.h"
#include "kustom/ipp/v1/enrollment.grpc.pb.h"
#include "kustom/ipp/v1/location.grpc.pb.h"
#include "kustom/ipp/v1/session.grpc.pb.h"
#include "server/base/log.h"
#include "tests/support/gateway_streams.h"
#include "tests/support/gateway_under_test.h"
#include "tests/support/grpc_version.h"
#include "tests/support/http_gate.h"

namespace ipp {
namespace {

namespace v1 = kustom::ipp::v1;
using testing::HasSubstr;
using testing::Not;

// A bidirectional stream of a service whose stubs Debian does not package, message by message.
class RawStream {
 public:
  RawStream(const std::shared_ptr<grpc::Channel>& channel, const std::string& method,
            const std::string& request)
      : stub_(channel) {
    Prepare({}, &context_);
    stream_ = stub_.PrepareCall(&context_, method, &queue_);
    stream_->StartCall(nullptr);
    EXPECT_TRUE(Wait());
    const grpc::Slice slice(request);
    stream_->WriteLast(grpc::ByteBuffer(&slice, 1), {}, nullptr);
    EXPECT_TRUE(Wait());
  }
  ~RawStream() {
    context_.TryCancel();
    grpc::Status status;
    stream_->Finish(&status, nullptr);
    Wait();
    queue_.Shutdown();
  }

  // The next message; nothing at the end.
  std::optional<std::string> Next() {
    grpc::ByteBuffer buffer;
    stream_->Read(&buffer, nullptr);
    if (!Wait()) return std::nullopt;
    std::vector<grpc::Slice> slices;
    EXPECT_TRUE(buffer.Dump(&slices).ok());
    std::string bytes;
    for (const grpc::Slice& slice : slices) {
      bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
    }
    return bytes;
  }

 private:
  bool Wait() {
    void* tag = nullptr;
    bool ok = false;
    return queue_.Next(&tag, &ok) && ok;
  }

  grpc::GenericStub stub_;
  grpc::CompletionQueue queue_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> stream_;
};

constexpr char kServing[] = "\x08\x01";     // HealthCheckResponse{status: SERVING}
constexpr char kNotServing[] = "\x08\x02";  // HealthCheckResponse{status: NOT_SERVING}

TEST(Health, IsServingUntilTheGatewayDrains) {
  GatewayBed bed;
  auto watch =
      std::make_unique<RawStream>(bed.gateway.channel(), "/grpc.health.v1.Health/Watch", "");
  EXPECT_EQ(watch->Next(), kServing);
  std::thread drain([&] { bed.gateway.Drain(); });
  EXPECT_EQ(watch->Next(), kNotServing);
  watch.reset();
  drain.join();
}

// A proxy may ask for one service.
TEST(Health, KnowsEachServiceByItsName) {
  GatewayBed bed;
  // HealthCheckRequest{service: name}
  const auto request = [](const std::string& name) {
    return absl::StrCat("\x0a", std::string(1, static_cast<char>(name.size())), name);
  };
  for (const std::string name :
       {"Device", "Enrollment", "Location", "Session", "SessionEvent", "Simulation", "Outcome"}) {
    RawStream watch(bed.gateway.channel(), "/grpc.health.v1.Health/Watch",
                    request(absl::StrCat("kustom.ipp.v1.", name, "Service")));
    EXPECT_EQ(watch.Next(), kServing) << name;
  }
  RawStream unknown(bed.gateway.channel(), "/grpc.health.v1.Health/Watch",
                    request("kustom.ipp.v1.NoService"));
  EXPECT_EQ(unknown.Next(), "\x08\x03");  // SERVICE_UNKNOWN
  auto watch = std::make_unique<RawStream>(bed.gateway.channel(), "/grpc.health.v1.Health/Watch",
                                           request("kustom.ipp.v1.SessionService"));
  EXPECT_EQ(watch->Next(), kServing);
  std::thread drain([&] { bed.gateway.Drain(); });
  EXPECT_EQ(watch->Next(), kNotServing);
  watch.reset();
  drain.join();
}

TEST(Readiness, Is503WhileTheGatewayDrains) {
  http::Event let_go;
  http::HttpGate gate([&](const http::GateRequest&, http::GatePeer& peer) {
    let_go.Wait();
    peer.Respond(200, R"({"content": [], "last": true})");
  });
  TestDirectory directory;
  RunningGateway gateway(TestConfig(directory, absl::StrCat("http://127.0.0.1:", gate.port())));
  EXPECT_EQ(CallHttp(gateway.app().admin_port(), "GET", "/readyz").code, 200);
  RpcEnd slow;
  std::thread call([&] {
    slow = gateway.Call(&v1::LocationService::Stub::ListLocations, v1::ListLocationsRequest());
  });
  gate.WaitForRequests(1);
  auto health =
      std::make_unique<RawStream>(gateway.NewChannel(), "/grpc.health.v1.Health/Watch", "");
  EXPECT_EQ(health->Next(), kServing);
  std::thread drain([&] { gateway.Drain(); });
  EXPECT_EQ(health->Next(), kNotServing);
  const RawResponse ready = CallHttp(gateway.app().admin_port(), "GET", "/readyz");
  EXPECT_EQ(ready.code, 503);
  EXPECT_THAT(ready.body, HasSubstr("draining"));
  EXPECT_EQ(CallHttp(gateway.app().admin_port(), "GET", "/livez").code, 200);
  let_go.Set();
  call.join();
  EXPECT_TRUE(Ok(slow)) << "what was under way is finished";
  health.reset();
  drain.join();
}

// The fields of a message that have a number and a length.
std::vector<std::string> Fields(const std::string& from, int number) {
  google::protobuf::Empty message;
  EXPECT_TRUE(message.ParseFromString(from));
  std::vector<std::string> found;
  const auto& fields = message.GetReflection()->GetUnknownFields(message);
  for (int i = 0; i < fields.field_count(); ++i) {
    if (fields.field(i).number() == number) found.emplace_back(fields.field(i).length_delimited());
  }
  return found;
}

// Asks the reflection service; the fields of the answer that have a number.
std::vector<std::string> Reflect(GatewayBed& bed, const std::string& request, int number) {
  RawStream stream(bed.gateway.channel(),
                   "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", request);
  const std::optional<std::string> bytes = stream.Next();
  EXPECT_TRUE(bytes.has_value());
  return bytes.has_value() ? Fields(*bytes, number) : std::vector<std::string>();
}

std::vector<std::string> ReflectedServices(GatewayBed& bed) {
  std::vector<std::string> names;
  // ServerReflectionRequest{list_services: "*"}; list_services_response (6) .service (1) .name (1)
  for (const std::string& list : Reflect(bed, "\x3a\x01*", 6)) {
    for (const std::string& service : Fields(list, 1)) {
      for (const std::string& name : Fields(service, 1)) names.push_back(name);
    }
  }
  return names;
}

TEST(Reflection, ListsTheServices) {
  GatewayBed bed;
  std::vector<std::string> expected = {"kustom.ipp.v1.DeviceService",
                                       "kustom.ipp.v1.EnrollmentService",
                                       "kustom.ipp.v1.LocationService",
                                       "kustom.ipp.v1.OutcomeService",
                                       "kustom.ipp.v1.ReportService",
                                       "kustom.ipp.v1.SessionService",
                                       "kustom.ipp.v1.SessionEventService",
                                       "kustom.ipp.v1.SessionHistoryService",
                                       "kustom.ipp.v1.SharedSubscriptionService",
                                       "kustom.ipp.v1.SimulationService",
                                       "grpc.health.v1.Health",
                                       "grpc.reflection.v1alpha.ServerReflection"};
  if (!IsGrpc151()) expected.push_back("grpc.reflection.v1.ServerReflection");
  EXPECT_THAT(ReflectedServices(bed), testing::UnorderedElementsAreArray(expected));
}

TEST(Reflection, DescribesAllThatItLists) {
  GatewayBed bed;
  for (const std::string& name : ReflectedServices(bed)) {
    // ServerReflectionRequest{file_containing_symbol: name}; file_descriptor_response (4)
    const std::string request = absl::StrCat("\x22", std::string(1, char(name.size())), name);
    EXPECT_EQ(Reflect(bed, request, 4).size(), 1u) << name;
  }
}

// What `top -H` and a debugger show. A thread takes its name when it first runs.
TEST(Threads, HaveNames) {
  GatewayBed bed;
  std::set<std::string> missing = {"curl",  "store-writer", "store-reader", "store-answers",
                                   "gate",  "hub",          "scheduler",    "webhooks",
                                   "admin", "files"};
  const absl::Time end = absl::Now() + absl::Seconds(30);
  while (!missing.empty() && absl::Now() < end) {
    for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
      std::string name;
      std::getline(std::ifstream(task.path() / "comm") >> std::ws, name);
      missing.erase(name);
    }
  }
  EXPECT_THAT(missing, testing::IsEmpty());
}

TEST(MetricsPage, CountsCallsRequestsWebhooksAndEvents) {
  GatewayBed bed;
  const std::string session = bed.NewSession();
  bed.Tap(session);
  bed.gateway.WaitForMetric("ipp_webhooks_total", 3);
  v1::GetSessionRequest request;
  request.set_session_id(kNobody);
  bed.Call(&v1::SessionService::Stub::GetSession, request);
  const RunningGateway& gateway = bed.gateway;
  EXPECT_EQ(
      gateway.Metric("grpc_server_handled_total", {R"(grpc_service="kustom.ipp.v1.SessionService")",
                                                   R"(grpc_method="CreateSession")",
                                                   R"(grpc_code="OK")", R"(grpc_type="unary")"}),
      1);
  EXPECT_EQ(gateway.Metric("grpc_server_handled_total", {R"(grpc_code="NotFound")"}), 1);
  EXPECT_EQ(gateway.Metric("ipp_upstream_requests_total",
                           {R"(operation="CreateSession")", R"(result="ok")"}),
            1);
  EXPECT_EQ(gateway.Metric("ipp_upstream_requests_total",
                           {R"(operation="GetSession")", R"(result="rejected")"}),
            1);
  EXPECT_EQ(gateway.Metric("ipp_session_events_total"), 3);
  EXPECT_EQ(gateway.Metric("ipp_events_order_violations_total"), 0);
}

TEST(Metrics, CountErrorsByReason) {
  GatewayBed bed;
  v1::GetSessionRequest get;
  get.set_session_id(kNobody);
  for (int i = 0; i < 2; ++i) bed.Call(&v1::SessionService::Stub::GetSession, get);
  get.set_session_id("");
  bed.Call(&v1::SessionService::Stub::GetSession, get);
  EventFeed(bed.gateway.channel(), "").End();
  const auto errors = [&](const std::string& rpc, const std::string& reason) {
    return bed.gateway.Metric("ipp_errors_total", {absl::StrCat("rpc=\"", rpc, "\""),
                                                   absl::StrCat("reason=\"", reason, "\"")});
  };
  EXPECT_EQ(errors("GetSession", "NOT_FOUND"), 2);
  EXPECT_EQ(errors("GetSession", "INVALID_REQUEST"), 1);
  EXPECT_EQ(errors("SubscribeSessionEvents", "INVALID_REQUEST"), 1);
  EXPECT_EQ(bed.gateway.Metric("ipp_errors_total"), 4);
}

TEST(Metrics, SayWhatRunsAndWithWhichLimits) {
  const absl::Time before = absl::Now();
  TestDirectory directory;
  config::Config config = TestConfig(directory, "http://127.0.0.1:9");
  config.mutable_upstream()->set_max_in_flight(7);
  config.mutable_events()->set_max_subscribers(8);
  config.mutable_connections()->set_max(9);
  config.mutable_webhooks()->set_max_connections(10);
  config.mutable_admin()->set_max_connections(11);
  RunningGateway gateway(config);
  EXPECT_EQ(gateway.Metric("ipp_upstream_in_flight_limit"), 7);
  EXPECT_EQ(gateway.Metric("ipp_events_subscribers_limit"), 8);
  EXPECT_EQ(gateway.Metric("ipp_connections_limit", {R"(port="grpc")"}), 9);
  EXPECT_EQ(gateway.Metric("ipp_connections_limit", {R"(port="webhooks")"}), 10);
  EXPECT_EQ(gateway.Metric("ipp_connections_limit", {R"(port="admin")"}), 11);
  EXPECT_EQ(gateway.Metric("ipp_build_info", {"version=\""}), 1);
  // The page shows six digits or more of it.
  EXPECT_GE(gateway.Metric("process_start_time_seconds"), absl::ToUnixSeconds(before) - 1);
  EXPECT_LE(gateway.Metric("process_start_time_seconds"), absl::ToUnixSeconds(absl::Now()) + 1);
}

// Captures what the process writes to stderr, at the most talkative level.
class LogCapture {
 public:
  LogCapture() {
    EXPECT_TRUE(SetLogLevel("debug").ok());
    testing::internal::CaptureStderr();
  }
  std::string End() {
    ended_ = true;
    EXPECT_TRUE(SetLogLevel("info").ok());
    return testing::internal::GetCapturedStderr();
  }
  ~LogCapture() {
    if (!ended_) End();
  }

 private:
  bool ended_ = false;
};

// SHA-256 of token-of-shop.
constexpr char kShopDigest[] = "49170cf4f02649b8b0903e6ce1ae4bfeb3a3053bc13145b0a0ac66b00dcac87f";

TEST(Secrets, AreInNoLogNoMetricNoPageAndNoError) {
  LogCapture log;
  std::string said;  // by everything that speaks
  std::string code;  // of an enrollment
  {
    GatewayBed bed({.configure = [](const TestDirectory& directory, config::Config& config) {
      config.mutable_merchants(0)->set_username("PM00000001-till");
      AddCaller(directory, "shop", {kMerchant}, {"*"}, &config);
    }});
    const CallOptions shop = AsCaller("shop");
    const auto tell = [&said](const RpcEnd& end) {
      absl::StrAppend(&said, end.message, "\n");
      for (const auto& [key, value] : end.detail.metadata) absl::StrAppend(&said, value, "\n");
      for (const auto& row : end.detail.violations) absl::StrAppend(&said, row.description, "\n");
      for (const auto& [key, value] : end.trailers) absl::StrAppend(&said, value, "\n");
    };
    const std::string session = bed.NewSession(bed.NewDevice("Till", shop), shop);
    bed.Tap(session, "LOST_CARD", shop);
    bed.gateway.WaitForMetric("ipp_webhooks_total", 3);
    const auto enrollment =
        bed.Call(&v1::EnrollmentService::Stub::CreateEnrollment,
                 Text<v1::CreateEnrollmentRequest>(
                     absl::StrCat("ttl: ENROLLMENT_TTL_TWO_HOURS location_id: '", kLocation1, "'")),
                 shop);
    code = enrollment.response.enrollment().enrollment_code();
    ASSERT_NE(code, "");
    tell(enrollment);
    v1::GetSessionRequest request;
    request.set_session_id(kNobody);
    tell(bed.Call(&v1::SessionService::Stub::GetSession, request, shop));
    tell(bed.Call(&v1::SessionService::Stub::GetSession, request, AsCaller("stranger")));
    tell(bed.Call(&v1::EnrollmentService::Stub::CreateEnrollment, v1::CreateEnrollmentRequest(),
                  shop));
    said += bed.gateway
                .Webhook(SignedHeaders(
                             "{}", "whsec_bm9ib2R5LWtub3dzLXRoaXMtc2VjcmV0LTAwMDE=", absl::Now()),
                         "{}")
                .body;
    bed.simulator.Stop();
    tell(bed.Call(&v1::SessionService::Stub::GetSession, request, shop));
    for (const char* page : {"/", "/readyz", "/metrics", "/configz"}) {
      said += bed.gateway.Admin(page);
    }
    EXPECT_THAT(bed.gateway.Admin("/configz"), HasSubstr("webhook_secrets_file"));
  }
  said += log.End();
  EXPECT_THAT(said, HasSubstr("webhook refused")) << "the log was captured";
  const std::string secret = std::string(simulator::Simulator::kDefaultSecret).substr(6);
  std::string raw_secret;
  ASSERT_TRUE(absl::Base64Unescape(secret, &raw_secret));
  for (const std::string& hidden :
       {std::string(kApiKey), absl::Base64Escape(absl::StrCat("PM00000001-till:", kApiKey)), secret,
        raw_secret, std::string("token-of-"), code, std::string(kShopDigest)}) {
    EXPECT_THAT(said, Not(HasSubstr(hidden)));
  }
}

TEST(Secrets, ThatAnUpstreamRepeatsAreNotPassedOn) {
  http::HttpGate gate([](const http::GateRequest& request, http::GatePeer& peer) {
    peer.Respond(400, absl::StrCat(R"({"title": "Bad", "detail": "not with )",
                                   request.header("authorization"), R"("})"));
  });
  TestDirectory directory;
  RunningGateway gateway(TestConfig(directory, absl::StrCat("http://127.0.0.1:", gate.port())));
  const auto reply =
      gateway.Call(&v1::LocationService::Stub::ListLocations, v1::ListLocationsRequest());
  EXPECT_TRUE(Refused(reply, grpc::StatusCode::INVALID_ARGUMENT, "UPSTREAM_REFUSED"));
  EXPECT_THAT(reply.message, HasSubstr("not with Basic ***"));
}

}  // namespace
}  // namespace ipp
