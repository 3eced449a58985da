#include "server/base/error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "server/base/error_details.pb.h"
#include "server/base/status_macros.h"

namespace ipp {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

TEST(Error, GivesBackWhatWasPutIn) {
  const ErrorDetail in = {.reason = "CURSOR_EXPIRED",
                          .metadata = {{"oldest", "a"}, {"latest", "b"}},
                          .violations = {{"after_cursor", "too old"}, {"filter", ""}},
                          .retry_after = absl::Milliseconds(1500)};
  const absl::Status status = MakeError(absl::StatusCode::kOutOfRange, "gone", in);
  EXPECT_EQ(status.code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(status.message(), "gone");
  const ErrorDetail out = GetErrorDetail(status);
  EXPECT_EQ(out.reason, in.reason);
  EXPECT_EQ(out.metadata, in.metadata);
  EXPECT_EQ(out.violations, in.violations);
  EXPECT_EQ(out.retry_after, in.retry_after);
}

TEST(Error, CarriesTheGoogleRpcMessagesAsPayloads) {
  const absl::Status status = MakeError(absl::StatusCode::kUnavailable, "later",
                                        {.reason = "BUSY",
                                         .metadata = {},
                                         .violations = {},
                                         .retry_after = absl::Seconds(2) + absl::Nanoseconds(1)});
  google::rpc::ErrorInfo info;
  ASSERT_TRUE(info.ParseFromString(
      std::string(*status.GetPayload("type.googleapis.com/google.rpc.ErrorInfo"))));
  EXPECT_EQ(info.reason(), "BUSY");
  EXPECT_EQ(info.domain(), "ipp.kustom.co");
  google::rpc::RetryInfo retry;
  ASSERT_TRUE(retry.ParseFromString(
      std::string(*status.GetPayload("type.googleapis.com/google.rpc.RetryInfo"))));
  EXPECT_EQ(retry.retry_delay().seconds(), 2);
  EXPECT_EQ(retry.retry_delay().nanos(), 1);
  EXPECT_FALSE(status.GetPayload("type.googleapis.com/google.rpc.BadRequest").has_value());
}

TEST(Error, OfSomebodyElseHasNoDetail) {
  absl::Status broken = absl::InternalError("x");
  broken.SetPayload("type.googleapis.com/google.rpc.ErrorInfo", absl::Cord("\xff"));
  for (const absl::Status& status : {absl::OkStatus(), absl::NotFoundError("x"), broken}) {
    const ErrorDetail detail = GetErrorDetail(status);
    EXPECT_EQ(detail.reason, "");
    EXPECT_THAT(detail.metadata, IsEmpty());
    EXPECT_THAT(detail.violations, IsEmpty());
    EXPECT_FALSE(detail.retry_after.has_value());
  }
}

TEST(Error, TakesMoreMetadataAndKeepsWhatItHas) {
  const absl::Status before = MakeError(absl::StatusCode::kAborted, "m",
                                        {.reason = "R",
                                         .metadata = {{"outcome", "UNKNOWN"}},
                                         .violations = {{"f", "d"}},
                                         .retry_after = absl::Seconds(1)});
  const absl::Status after = WithMetadata(before, {{"outcome", "EXECUTED"}, {"request_id", "r"}});
  EXPECT_EQ(after.code(), absl::StatusCode::kAborted);
  EXPECT_EQ(after.message(), "m");
  const ErrorDetail detail = GetErrorDetail(after);
  EXPECT_EQ(detail.reason, "R");
  EXPECT_THAT(detail.metadata, ElementsAre(Pair("outcome", "UNKNOWN"), Pair("request_id", "r")));
  EXPECT_THAT(detail.violations, ElementsAre(FieldViolation{"f", "d"}));
  EXPECT_EQ(detail.retry_after, absl::Seconds(1));
}

TEST(InvalidRequest, SaysThatNothingWasSent) {
  const absl::Status status = InvalidRequest({{"name", "is required"}});
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), "name: is required");
  const ErrorDetail detail = GetErrorDetail(status);
  EXPECT_EQ(detail.reason, "INVALID_REQUEST");
  EXPECT_THAT(detail.metadata,
              ElementsAre(Pair("outcome", "NOT_SENT"), Pair("retry_safe", "true")));
  EXPECT_THAT(detail.violations, ElementsAre(FieldViolation{"name", "is required"}));
}

TEST(InvalidRequest, CountsSeveralViolations) {
  const absl::Status status = InvalidRequest({{"a", "x"}, {"b", "y"}});
  EXPECT_EQ(status.message(), "2 fields are invalid, first a: x");
  EXPECT_EQ(GetErrorDetail(status).violations.size(), 2);
}

TEST(Outcomes, HaveTheNamesOfTheContract) {
  const std::map<Outcome, absl::string_view> names = {{Outcome::kNotSent, "NOT_SENT"},
                                                      {Outcome::kRejected, "REJECTED"},
                                                      {Outcome::kExecuted, "EXECUTED"},
                                                      {Outcome::kUnknown, "UNKNOWN"}};
  for (const auto& [outcome, name] : names) EXPECT_EQ(OutcomeName(outcome), name);
}

absl::StatusOr<int> Twice(absl::StatusOr<int> number, const absl::Status& first) {
  IPP_RETURN_IF_ERROR(first);
  IPP_ASSIGN_OR_RETURN(const int value, std::move(number));
  IPP_ASSIGN_OR_RETURN(const int again, absl::StatusOr<int>(value));
  return value + again;
}

TEST(StatusMacros, ReturnTheFirstErrorOrGoOn) {
  EXPECT_EQ(*Twice(2, absl::OkStatus()), 4);
  EXPECT_EQ(Twice(2, absl::AbortedError("a")).status(), absl::AbortedError("a"));
  EXPECT_EQ(Twice(absl::NotFoundError("b"), absl::OkStatus()).status(), absl::NotFoundError("b"));
}

}  // namespace
}  // namespace ipp
