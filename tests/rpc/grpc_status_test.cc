#include "server/rpc/grpc_status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/base/error.h"
#include "server/base/error_details.pb.h"

namespace ipp::rpc {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

google::rpc::Status Unpack(const grpc::Status& status) {
  google::rpc::Status packed;
  EXPECT_TRUE(packed.ParseFromString(status.error_details()));
  return packed;
}

// The detail of that type; fails without one.
template <typename Message>
Message Find(const google::rpc::Status& status) {
  Message message;
  for (const auto& any : status.details()) {
    if (any.UnpackTo(&message)) return message;
  }
  ADD_FAILURE() << "no " << message.GetTypeName() << " in " << status.ShortDebugString();
  return message;
}

grpc::Status Convert(const absl::Status& status) {
  return ToGrpcStatus(status.code(), status.message(), GetErrorDetail(status));
}

TEST(GrpcStatus, PacksAllDetails) {
  const grpc::Status status =
      Convert(MakeError(absl::StatusCode::kInvalidArgument, "three are wrong",
                        {.reason = "UPSTREAM_REFUSED",
                         .metadata = {{"outcome", "REJECTED"}, {"http_status", "400"}},
                         .violations = {{"settings.name", "too long"}, {"device_id", "odd"}},
                         .retry_after = absl::Milliseconds(2500)}));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(status.error_message(), "three are wrong");

  const google::rpc::Status packed = Unpack(status);
  EXPECT_EQ(packed.code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(packed.message(), "three are wrong");
  EXPECT_EQ(packed.details_size(), 3);
  const auto info = Find<google::rpc::ErrorInfo>(packed);
  EXPECT_EQ(info.reason(), "UPSTREAM_REFUSED");
  EXPECT_EQ(info.domain(), "ipp.kustom.co");
  EXPECT_EQ(info.metadata().at("outcome"), "REJECTED");
  EXPECT_EQ(info.metadata().at("http_status"), "400");
  const auto bad = Find<google::rpc::BadRequest>(packed);
  ASSERT_EQ(bad.field_violations_size(), 2);
  EXPECT_EQ(bad.field_violations(0).field(), "settings.name");
  EXPECT_EQ(bad.field_violations(0).description(), "too long");
  EXPECT_EQ(bad.field_violations(1).field(), "device_id");
  const auto retry = Find<google::rpc::RetryInfo>(packed);
  EXPECT_EQ(retry.retry_delay().seconds(), 2);
  EXPECT_EQ(retry.retry_delay().nanos(), 500'000'000);
}

class GrpcCode : public testing::TestWithParam<int> {};

TEST_P(GrpcCode, IsTheSameNumber) {
  const grpc::Status status =
      Convert(MakeError(static_cast<absl::StatusCode>(GetParam()), "m",
                        {.reason = "R", .metadata = {}, .violations = {}, .retry_after = {}}));
  EXPECT_EQ(static_cast<int>(status.error_code()), GetParam());
  EXPECT_EQ(Unpack(status).code(), GetParam());
}

INSTANTIATE_TEST_SUITE_P(All, GrpcCode, testing::Range(1, 17));

TEST(GrpcStatus, HidesAnErrorThatNobodyMadeRich) {
  const grpc::Status status =
      Convert(absl::UnavailableError("cannot open /run/secrets/kustom-api-key"));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INTERNAL);
  EXPECT_EQ(status.error_message(), "internal error");
  EXPECT_EQ(Find<google::rpc::ErrorInfo>(Unpack(status)).reason(), "INTERNAL");
  EXPECT_THAT(status.error_details(), Not(HasSubstr("secrets")));
}

// gRPC takes 8 KiB of metadata by default: what is larger would reach the caller as
// RESOURCE_EXHAUSTED, with nothing of the error in it.
TEST(GrpcStatus, FitsIntoTheMetadataThatACallerTakes) {
  std::vector<FieldViolation> violations;
  for (int i = 0; i < 1000; ++i) {
    violations.push_back({absl::StrCat("order_items[", i, "].total_amount"), "is out of range"});
  }
  const grpc::Status status = Convert(InvalidRequest(std::move(violations)));
  EXPECT_LE(status.error_details().size(), 4096u);
  const google::rpc::Status packed = Unpack(status);
  EXPECT_EQ(Find<google::rpc::ErrorInfo>(packed).reason(), "INVALID_REQUEST");
  const auto bad = Find<google::rpc::BadRequest>(packed);
  ASSERT_GT(bad.field_violations_size(), 10);
  EXPECT_EQ(bad.field_violations(0).field(), "order_items[0].total_amount");
  // The caller can tell that there were more.
  EXPECT_THAT(status.error_message(), HasSubstr("1000 fields"));
}

TEST(GrpcStatus, FitsAlsoWithLongViolations) {
  std::vector<FieldViolation> violations;
  for (int i = 0; i < 20; ++i) {
    violations.push_back({absl::StrCat("field", i), std::string(500, 'x')});
  }
  const grpc::Status status =
      Convert(MakeError(absl::StatusCode::kInvalidArgument, "the upstream answered 400",
                        {.reason = "UPSTREAM_REFUSED",
                         .metadata = {{"http_status", "400"}},
                         .violations = std::move(violations),
                         .retry_after = std::nullopt}));
  EXPECT_LE(status.error_details().size(), 4096u);
  EXPECT_GE(Find<google::rpc::BadRequest>(Unpack(status)).field_violations_size(), 5);
}

TEST(GrpcStatus, FitsAlsoWithAFieldAsLongAsTheRequest) {
  std::string key;
  for (int i = 0; i < 100'000; ++i) key += "\u00e5";
  const grpc::Status status = Convert(
      InvalidRequest({{absl::StrCat("metadata[", key, "]"), "a key must not hold a colon"}}));
  EXPECT_LE(status.error_message().size(), 603u);
  EXPECT_THAT(status.error_message(), EndsWith("\u00e5..."));
  EXPECT_LE(status.error_details().size(), 4096u);
  EXPECT_EQ(Find<google::rpc::ErrorInfo>(Unpack(status)).reason(), "INVALID_REQUEST");
}

TEST(GrpcStatus, KeepsEveryViolationThatFits) {
  std::vector<FieldViolation> violations;
  for (int i = 0; i < 50; ++i) violations.push_back({absl::StrCat("field", i), "is odd"});
  const grpc::Status status = Convert(InvalidRequest(std::move(violations)));
  EXPECT_EQ(Find<google::rpc::BadRequest>(Unpack(status)).field_violations_size(), 50);
}

}  // namespace
}  // namespace ipp::rpc
