#include "ippclient/connection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "tests/client/fake_gateway.h"

namespace ipp::client {
namespace {

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

// How often a method is tried when it answers UNAVAILABLE every time.
template <typename Call>
int Attempts(Call call) {
  FakeGateway gateway;
  std::atomic<int> attempts = 0;
  const auto unavailable = [&](grpc::ServerContext*, const auto&, auto*) {
    ++attempts;
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "try again");
  };
  gateway.sessions.get = unavailable;
  gateway.sessions.create = unavailable;
  gateway.simulation.tap = unavailable;
  ConnectionOptions options;
  options.address = gateway.address();
  const auto connection = Connect(options);
  grpc::ClientContext context;
  const grpc::Status status = call(connection->channel(), &context);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  return attempts;
}

grpc::Status Get(const std::shared_ptr<grpc::Channel>& channel, grpc::ClientContext* context) {
  v1::GetSessionResponse response;
  return v1::SessionService::NewStub(channel)->GetSession(context, {}, &response);
}

grpc::Status Create(const std::shared_ptr<grpc::Channel>& channel, grpc::ClientContext* context) {
  v1::CreateSessionResponse response;
  return v1::SessionService::NewStub(channel)->CreateSession(context, {}, &response);
}

grpc::Status Tap(const std::shared_ptr<grpc::Channel>& channel, grpc::ClientContext* context) {
  v1::SimulateCardTapResponse response;
  return v1::SimulationService::NewStub(channel)->SimulateCardTap(context, {}, &response);
}

TEST(ConnectionRetry, RepeatsReads) { EXPECT_EQ(Attempts(Get), 4); }
TEST(ConnectionRetry, NeverRepeatsACreate) { EXPECT_EQ(Attempts(Create), 1); }
TEST(ConnectionRetry, NeverRepeatsATap) { EXPECT_EQ(Attempts(Tap), 1); }

TEST(ConnectionRetry, LeavesTheSubscriptionToItsOwnReconnect) {
  const std::string config = RetryServiceConfig();
  EXPECT_THAT(config, HasSubstr("\"method\":\"WatchSession\""));
  EXPECT_THAT(config, HasSubstr("\"method\":\"ListSessionEvents\""));
  EXPECT_THAT(config, HasSubstr("\"method\":\"CreateSharedSubscription\""));
  for (const char* own :
       {"SubscribeSessionEvents", "ReceiveSessionEvents", "SettleSessionEvents"}) {
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
