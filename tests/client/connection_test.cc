#include "ippclient/connection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "absl/strings/str_cat.h"
#include "ippclient/create.h"
#include "ippclient/error.h"
#include "tests/client/fake_gateway.h"
#include "tests/support/http_relay.h"

namespace ipp::client {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

std::string Header(const grpc::ServerContext& context, const std::string& name) {
  const auto found = context.client_metadata().find(name);
  return found == context.client_metadata().end()
             ? "(none)"
             : std::string(found->second.data(), found->second.size());
}

std::shared_ptr<Connection> Connect(const ConnectionOptions& options) {
  auto connection = Connection::Create(options);
  EXPECT_TRUE(connection.ok()) << connection.status();
  return *connection;
}

TEST(Connection, SendsTokenMerchantAndUserAgentWithEveryCall) {
  FakeGateway gateway;
  std::string seen;
  gateway.sessions.get = [&](grpc::ServerContext* context, const auto&, auto*) {
    seen = Header(*context, "authorization") + "|" + Header(*context, "x-merchant-id") + "|" +
           Header(*context, "user-agent");
    return grpc::Status::OK;
  };
  ConnectionOptions options;
  options.address = gateway.address();
  options.token = "t0ken";
  options.merchant_id = "PM1";
  options.user_agent = "shop/1";
  const auto connection = Connect(options);
  grpc::ClientContext context;
  v1::GetSessionResponse response;
  ASSERT_TRUE(
      v1::SessionService::NewStub(connection->channel())->GetSession(&context, {}, &response).ok());
  EXPECT_THAT(seen, StartsWith("Bearer t0ken|PM1|shop/1 ippclient/"));
}

TEST(Connection, SendsNoHeaderThatIsNotConfigured) {
  FakeGateway gateway;
  std::string seen;
  gateway.sessions.get = [&](grpc::ServerContext* context, const auto&, auto*) {
    seen = Header(*context, "authorization") + "|" + Header(*context, "x-merchant-id");
    return grpc::Status::OK;
  };
  ConnectionOptions options;
  options.address = gateway.address();
  const auto connection = Connect(options);
  grpc::ClientContext context;
  v1::GetSessionResponse response;
  ASSERT_TRUE(
      v1::SessionService::NewStub(connection->channel())->GetSession(&context, {}, &response).ok());
  EXPECT_EQ(seen, "(none)|(none)");
}

TEST(Connection, PrepareGivesTheDefaultDeadline) {
  ConnectionOptions options;
  options.timeout = absl::Hours(1);
  grpc::ClientContext context;
  const auto before = std::chrono::system_clock::now();
  Connect(options)->Prepare(&context);
  const auto after = std::chrono::system_clock::now();
  EXPECT_GE(context.deadline() - before, std::chrono::milliseconds(3'599'999));
  EXPECT_LE(context.deadline() - after, std::chrono::hours(1));
}

// How often a method is tried when it answers this every time.
template <typename Call>
int Attempts(Call call, const grpc::Status& answer = {grpc::StatusCode::UNAVAILABLE, "try again"}) {
  FakeGateway gateway;
  std::atomic<int> attempts = 0;
  const auto refuse = [&](grpc::ServerContext* context, const auto&, auto*) {
    ++attempts;
    // As the gateway does.
    if (DecodeError(answer).retry_delay) {
      context->AddTrailingMetadata("grpc-retry-pushback-ms", "-1");
    }
    return answer;
  };
  gateway.sessions.get = refuse;
  gateway.sessions.create = refuse;
  gateway.enrollments.create = refuse;
  gateway.simulation.device = refuse;
  gateway.simulation.tap = refuse;
  ConnectionOptions options;
  options.address = gateway.address();
  const auto connection = Connect(options);
  grpc::ClientContext context;
  const grpc::Status status = call(connection->channel(), &context);
  EXPECT_EQ(status.error_code(), answer.error_code());
  EXPECT_EQ(status.error_details(), answer.error_details());
  return attempts;
}

// One call of a stub, without the library's own retries.
template <typename Service, typename Request, typename Response>
auto Once(grpc::Status (Service::StubInterface::*method)(grpc::ClientContext*, const Request&,
                                                         Response*)) {
  return [method](const std::shared_ptr<grpc::Channel>& channel, grpc::ClientContext* context) {
    Response response;
    return (Service::NewStub(channel).get()->*method)(context, {}, &response);
  };
}

const auto kGet = Once<v1::SessionService>(&v1::SessionService::StubInterface::GetSession);

grpc::Status ComeBackLater() {
  return GatewayError(MakeError(absl::StatusCode::kUnavailable, "closed",
                                {.reason = "UPSTREAM_UNAVAILABLE",
                                 .metadata = {{"outcome", "NOT_SENT"}, {"retry_safe", "true"}},
                                 .retry_after = absl::Seconds(7)}));
}

TEST(ConnectionRetry, RepeatsReads) { EXPECT_EQ(Attempts(kGet), 4); }

TEST(ConnectionRetry, LeavesAnErrorThatSaysWhenToComeBackToTheCaller) {
  EXPECT_EQ(Attempts(kGet, ComeBackLater()), 1);
}

TEST(ConnectionRetry, NeverRepeatsACreateOrATap) {
  using Sessions = v1::SessionService;
  using Enrollments = v1::EnrollmentService;
  using Simulation = v1::SimulationService;
  EXPECT_EQ(Attempts(Once<Sessions>(&Sessions::StubInterface::CreateSession)), 1);
  EXPECT_EQ(Attempts(Once<Enrollments>(&Enrollments::StubInterface::CreateEnrollment)), 1);
  EXPECT_EQ(Attempts(Once<Simulation>(&Simulation::StubInterface::CreateSimulatedDevice)), 1);
  EXPECT_EQ(Attempts(Once<Simulation>(&Simulation::StubInterface::SimulateCardTap)), 1);
}

TEST(ConnectionRetry, DoesNotSendACreateAgainWhenTheConnectionBreaks) {
  FakeGateway gateway;
  http::HttpRelay relay(std::stoi(gateway.address().substr(gateway.address().rfind(':') + 1)));
  std::atomic<int> attempts = 0;
  gateway.sessions.create = [&](auto*, const auto&, auto*) {
    ++attempts;
    relay.CutAll(http::HttpRelay::Cut::kReset);
    return grpc::Status::OK;
  };
  ConnectionOptions options;
  options.address = absl::StrCat("127.0.0.1:", relay.port());
  const auto connection = Connect(options);
  const auto create = Once<v1::SessionService>(&v1::SessionService::StubInterface::CreateSession);
  grpc::ClientContext context;
  EXPECT_EQ(create(connection->channel(), &context).error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(attempts, 1);
}

// The library's own retries over a channel with gRPC's: each try is one call.
TEST(ConnectionRetry, LeavesACreateToTheRulesOfCreates) {
  FakeGateway gateway;
  std::vector<std::string> ids;
  gateway.sessions.create = [&](auto*, const v1::CreateSessionRequest& request, auto*) {
    ids.push_back(request.request_id());
    return ids.size() < 3 ? ComeBackLater() : grpc::Status::OK;
  };
  ConnectionOptions options;
  options.address = gateway.address();
  const auto connection = Connect(options);
  std::vector<absl::Duration> pauses;
  CreateOptions tries;
  tries.sleep = [&](absl::Duration pause) { pauses.push_back(pause); };
  v1::CreateSessionRequest request;
  v1::CreateSessionResponse response;
  EXPECT_TRUE(CreateSession(connection->channel(), &request, &response, tries).ok());
  EXPECT_THAT(pauses, ElementsAre(absl::Seconds(7), absl::Seconds(7)));
  EXPECT_THAT(ids, ElementsAre(request.request_id(), request.request_id(), request.request_id()));
}

TEST(ConnectionRetry, LeavesWhatTheLibraryRepeatsByItselfToIt) {
  const std::string config = RetryServiceConfig();
  EXPECT_THAT(config, HasSubstr("\"method\":\"WatchSession\""));
  EXPECT_THAT(config, HasSubstr("\"method\":\"ListSessionEvents\""));
  for (const char* own : {"SubscribeSessionEvents", "CreateSharedSubscription",
                          "ReceiveSessionEvents", "SettleSessionEvents"}) {
    EXPECT_THAT(config, Not(HasSubstr(own)));
  }
}

struct BadOptions {
  std::string name;
  std::function<void(ConnectionOptions*)> change;
  absl::StatusCode code;
  std::string message;
};

class ConnectionRefuses : public ::testing::TestWithParam<BadOptions> {};

TEST_P(ConnectionRefuses, BadOptions) {
  ConnectionOptions options;
  GetParam().change(&options);
  const absl::Status status = Connection::Create(options).status();
  EXPECT_EQ(status.code(), GetParam().code);
  EXPECT_EQ(std::string(status.message()), GetParam().message);
}

INSTANTIATE_TEST_SUITE_P(
    All, ConnectionRefuses,
    ::testing::ValuesIn(std::vector<BadOptions>{
        {"EmptyAddress", [](auto* o) { o->address = ""; }, absl::StatusCode::kInvalidArgument,
         "the address is empty"},
        {"NoTime", [](auto* o) { o->timeout = absl::ZeroDuration(); },
         absl::StatusCode::kInvalidArgument, "the timeout must be more than zero"},
        {"TokenWithNewline", [](auto* o) { o->token = "s3cret\n"; },
         absl::StatusCode::kInvalidArgument, "the token has characters that a header cannot carry"},
        {"MerchantWithSpace", [](auto* o) { o->merchant_id = "PM 1"; },
         absl::StatusCode::kInvalidArgument,
         "the merchant has characters that a header cannot carry"},
        {"MerchantNotAscii", [](auto* o) { o->merchant_id = "PMå"; },
         absl::StatusCode::kInvalidArgument,
         "the merchant has characters that a header cannot carry"},
        {"TokenInTheOpen",
         [](auto* o) {
           o->address = "gateway.shop.example:50051";
           o->token = "s3cret";
         },
         absl::StatusCode::kInvalidArgument,
         "the token would travel unencrypted to gateway.shop.example:50051: use TLS"},
        {"TokenToAHostThatOnlyLooksLocal",
         [](auto* o) {
           o->address = "127.0.0.1.shop.example:50051";
           o->token = "s3cret";
         },
         absl::StatusCode::kInvalidArgument,
         "the token would travel unencrypted to 127.0.0.1.shop.example:50051: use TLS"},
        {"NoCaFile", [](auto* o) { o->ca_file = "/nonexistent/ca.pem"; },
         absl::StatusCode::kNotFound, "cannot read the CA file /nonexistent/ca.pem"},
        {"CaFileIsAFolder", [](auto* o) { o->ca_file = "/tmp"; }, absl::StatusCode::kNotFound,
         "cannot read the CA file /tmp"}}),
    [](const auto& info) { return info.param.name; });

class ConnectionAllowsToken : public ::testing::TestWithParam<const char*> {};

TEST_P(ConnectionAllowsToken, OverPlaintextToThisMachine) {
  ConnectionOptions options;
  options.address = GetParam();
  options.token = "t";
  EXPECT_TRUE(Connection::Create(options).ok());
}

INSTANTIATE_TEST_SUITE_P(All, ConnectionAllowsToken,
                         ::testing::Values("localhost:50051", "127.0.0.1:50051", "127.9.9.9:1",
                                           "[::1]:50051", "dns:///localhost:50051",
                                           "unix:/tmp/ipp.sock", "ipv4:127.0.0.1:50051"));

TEST(Connection, SendsATokenInTheOpenOnlyWhenTold) {
  ConnectionOptions options;
  options.address = "gateway.shop.example:50051";
  options.token = "t";
  options.allow_plaintext_token = true;
  EXPECT_TRUE(Connection::Create(options).ok());
  options.allow_plaintext_token = false;
  options.tls = true;
  EXPECT_TRUE(Connection::Create(options).ok());
}

}  // namespace
}  // namespace ipp::client
