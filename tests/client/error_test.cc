#include "ippclient/error.h"

#include <gtest/gtest.h>

#include "tests/client/fake_gateway.h"

namespace ipp::client {
namespace {

TEST(ClientError, TakesEverythingOutOfARichStatus) {
  const Error error = DecodeError(GatewayError(MakeError(
      absl::StatusCode::kInvalidArgument, "refused",
      {.reason = "INVALID_REQUEST",
       .metadata = {{"outcome", "REJECTED"},
                    {"retry_safe", "false"},
                    {"http_status", "422"},
                    {"request_id", "r-1"},
                    {"extra", "kept"}},
       .violations = {{"order_items[0].name", "must not be empty"}, {"order_amount", "is wrong"}},
       .retry_after = absl::Milliseconds(1500)})));
  EXPECT_EQ(error.code, grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(error.message, "refused");
  EXPECT_EQ(error.reason, "INVALID_REQUEST");
  EXPECT_EQ(error.outcome, Outcome::kRejected);
  EXPECT_EQ(error.retry_safe, false);
  EXPECT_EQ(error.http_status, 422);
  EXPECT_EQ(error.request_id, "r-1");
  EXPECT_EQ(error.metadata.at("extra"), "kept");
  EXPECT_EQ(error.violations,
            (std::vector<FieldViolation>{{"order_items[0].name", "must not be empty"},
                                         {"order_amount", "is wrong"}}));
  EXPECT_EQ(error.retry_delay, absl::Milliseconds(1500));
}

TEST(ClientError, LeavesOutWhatAPlainStatusDoesNotSay) {
  const Error error = DecodeError({grpc::StatusCode::UNAVAILABLE, "no connection"});
  EXPECT_EQ(error.code, grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(error.message, "no connection");
  EXPECT_TRUE(error.reason.empty());
  EXPECT_FALSE(error.outcome);
  EXPECT_FALSE(error.retry_safe);
  EXPECT_FALSE(error.http_status);
  EXPECT_FALSE(error.retry_delay);
  EXPECT_TRUE(error.violations.empty());
}

TEST(ClientError, IgnoresDetailsThatDoNotParse) {
  EXPECT_TRUE(DecodeError({grpc::StatusCode::INTERNAL, "m", "\xff\xff\xff"}).reason.empty());
  google::rpc::Status details;
  details.add_details()->set_type_url("type.googleapis.com/google.rpc.ErrorInfo");
  details.mutable_details(0)->set_value("\xff\xff");
  details.add_details()->set_type_url("type.googleapis.com/google.rpc.Help");
  const Error error = DecodeError({grpc::StatusCode::INTERNAL, "m", details.SerializeAsString()});
  EXPECT_TRUE(error.reason.empty());
  EXPECT_EQ(error.message, "m");
}

TEST(ClientError, IgnoresAnOutcomeItDoesNotKnow) {
  const Error error = DecodeError(GatewayError(
      MakeError(absl::StatusCode::kInternal, "m",
                {.reason = "X",
                 .metadata = {{"outcome", "HALF"}, {"retry_safe", "maybe"}, {"http_status", "x"}},
                 .violations = {},
                 .retry_after = std::nullopt})));
  EXPECT_EQ(error.reason, "X");
  EXPECT_FALSE(error.outcome);
  EXPECT_FALSE(error.retry_safe);
  EXPECT_FALSE(error.http_status);
}

TEST(ClientError, NamesCodes) {
  EXPECT_EQ(CodeName(grpc::StatusCode::OK), "OK");
  EXPECT_EQ(CodeName(grpc::StatusCode::UNAUTHENTICATED), "UNAUTHENTICATED");
  EXPECT_EQ(CodeName(static_cast<grpc::StatusCode>(17)), "CODE_17");
  EXPECT_EQ(CodeName(static_cast<grpc::StatusCode>(-1)), "CODE_-1");
}

}  // namespace
}  // namespace ipp::client
