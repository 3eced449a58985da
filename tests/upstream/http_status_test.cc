#include "server/upstream/http_status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace ipp::upstream {
namespace {

using absl::StatusCode;
using ::testing::IsEmpty;
using ::testing::TestParamInfo;
namespace v1 = kustom::ipp::v1;

http::HttpResponse Response(int code, std::string body = "", std::string retry_after = "") {
  http::HttpResponse response{code, {}, std::move(body)};
  if (!retry_after.empty()) response.headers.emplace_back("retry-after", std::move(retry_after));
  return response;
}

Failure FromResponse(const http::HttpResponse& response, kustom::ipp::v1::Repeat repeat,
                     absl::string_view body_field, const std::vector<std::string>& secrets) {
  return upstream::FromResponse(response, repeat, body_field, secrets,
                                absl::FromUnixSeconds(1'790'000'000));
}

std::string Message(const Failure& failure) { return std::string(failure.status.message()); }

// ---- The table from HTTP to Status. ----

struct Seen {
  StatusCode code;
  std::string reason;
};

struct AnswerRow {
  int http;
  Seen read;    // by the caller of a read
  Seen change;  // by the caller of a change
  Outcome outcome;
  bool retriable;
};

void PrintTo(const AnswerRow& row, std::ostream* out) { *out << row.http; }

const Seen kRefused{StatusCode::kInvalidArgument, "UPSTREAM_REFUSED"};
const Seen kCredentials{StatusCode::kInternal, "UPSTREAM_CREDENTIALS"};
const Seen kMissing{StatusCode::kNotFound, "NOT_FOUND"};
const Seen kConflict{StatusCode::kFailedPrecondition, "UPSTREAM_CONFLICT"};
const Seen kForbids{StatusCode::kFailedPrecondition, "UPSTREAM_REFUSED"};
const Seen kTooMany{StatusCode::kResourceExhausted, "UPSTREAM_RATE_LIMIT"};
const Seen kDown{StatusCode::kUnavailable, "UPSTREAM_UNAVAILABLE"};
const Seen kOdd{StatusCode::kInternal, "UPSTREAM_UNEXPECTED"};
const Seen kWhoKnows{StatusCode::kUnknown, "OUTCOME_UNKNOWN"};

const AnswerRow kAnswers[] = {
    {202, kOdd, kWhoKnows, Outcome::kUnknown, false},
    {301, kOdd, kWhoKnows, Outcome::kUnknown, false},
    {400, kRefused, kRefused, Outcome::kRejected, false},
    {401, kCredentials, kCredentials, Outcome::kRejected, false},
    {403, kCredentials, kCredentials, Outcome::kRejected, false},
    {404, kMissing, kMissing, Outcome::kRejected, false},
    {405, kForbids, kForbids, Outcome::kRejected, false},
    {408, kDown, kWhoKnows, Outcome::kUnknown, true},
    {409, kConflict, kConflict, Outcome::kRejected, false},
    {410, kMissing, kMissing, Outcome::kRejected, false},
    {413, kRefused, kRefused, Outcome::kRejected, false},
    {415, kForbids, kForbids, Outcome::kRejected, false},
    {422, kRefused, kRefused, Outcome::kRejected, false},
    {429, kTooMany, kTooMany, Outcome::kRejected, true},
    {500, kDown, kWhoKnows, Outcome::kUnknown, true},
    {501, kDown, kWhoKnows, Outcome::kUnknown, true},
    {502, kDown, kWhoKnows, Outcome::kUnknown, true},
    {503, kDown, kWhoKnows, Outcome::kUnknown, true},
    {504, kDown, kWhoKnows, Outcome::kUnknown, true},
};

using AnswerCase = std::tuple<AnswerRow, v1::Repeat>;
class HttpStatus : public testing::TestWithParam<AnswerCase> {};

TEST_P(HttpStatus, BecomesAStatus) {
  const auto& [row, repeat] = GetParam();
  const Seen& seen = repeat == v1::REPEAT_READ ? row.read : row.change;
  const bool safe = repeat != v1::REPEAT_NEVER || row.outcome == Outcome::kRejected;

  const Failure failure = FromResponse(Response(row.http), repeat, "", {});
  EXPECT_EQ(failure.status.code(), seen.code);
  EXPECT_EQ(failure.outcome, row.outcome);
  EXPECT_EQ(failure.retriable, row.retriable);
  const ErrorDetail detail = GetErrorDetail(failure.status);
  EXPECT_EQ(detail.reason, seen.reason);
  EXPECT_EQ(detail.metadata,
            (std::map<std::string, std::string>{{"outcome", std::string(OutcomeName(row.outcome))},
                                                {"retry_safe", safe ? "true" : "false"},
                                                {"http_status", absl::StrCat(row.http)}}));
  EXPECT_THAT(detail.violations, IsEmpty());
  EXPECT_EQ(detail.retry_after.has_value(), row.http == 429);
}

INSTANTIATE_TEST_SUITE_P(Table, HttpStatus,
                         testing::Combine(testing::ValuesIn(kAnswers),
                                          testing::Values(v1::REPEAT_READ, v1::REPEAT_HARMLESS,
                                                          v1::REPEAT_NEVER)),
                         [](const TestParamInfo<AnswerCase>& info) {
                           return absl::StrCat(std::get<0>(info.param).http, "_",
                                               v1::Repeat_Name(std::get<1>(info.param)));
                         });

// ---- No answer. ----

struct TransportRow {
  std::string name;
  StatusCode transport;
  http::RequestFate fate;
  v1::Repeat repeat;
  StatusCode code;
  std::string reason;
  Outcome outcome;
  bool retry_safe;
  bool retriable;
};

void PrintTo(const TransportRow& row, std::ostream* out) { *out << row.name; }

constexpr auto kNotSent = http::RequestFate::kNotSent;
constexpr auto kSent = http::RequestFate::kSent;
constexpr auto kMaybe = http::RequestFate::kUnknown;
constexpr auto kRead = v1::REPEAT_READ;
constexpr auto kHarmless = v1::REPEAT_HARMLESS;
constexpr auto kNever = v1::REPEAT_NEVER;

const TransportRow kTransportRows[] = {
    {"ReadNotConnected", StatusCode::kUnavailable, kNotSent, kRead, StatusCode::kUnavailable,
     "UPSTREAM_UNAVAILABLE", Outcome::kNotSent, true, true},
    {"ReadBroken", StatusCode::kUnavailable, kMaybe, kRead, StatusCode::kUnavailable,
     "UPSTREAM_UNAVAILABLE", Outcome::kUnknown, true, true},
    {"HarmlessNotConnected", StatusCode::kUnavailable, kNotSent, kHarmless,
     StatusCode::kUnavailable, "UPSTREAM_UNAVAILABLE", Outcome::kNotSent, true, true},
    {"HarmlessBroken", StatusCode::kUnavailable, kMaybe, kHarmless, StatusCode::kUnknown,
     "OUTCOME_UNKNOWN", Outcome::kUnknown, true, true},
    {"NeverNotConnected", StatusCode::kUnavailable, kNotSent, kNever, StatusCode::kUnavailable,
     "UPSTREAM_UNAVAILABLE", Outcome::kNotSent, true, true},
    {"NeverBroken", StatusCode::kUnavailable, kMaybe, kNever, StatusCode::kUnknown,
     "OUTCOME_UNKNOWN", Outcome::kUnknown, false, true},
    {"NeverAnswerCut", StatusCode::kUnavailable, kSent, kNever, StatusCode::kUnknown,
     "OUTCOME_UNKNOWN", Outcome::kUnknown, false, true},
    {"ReadLate", StatusCode::kDeadlineExceeded, kMaybe, kRead, StatusCode::kDeadlineExceeded,
     "DEADLINE_EXCEEDED", Outcome::kUnknown, true, false},
    {"NeverLateInQueue", StatusCode::kDeadlineExceeded, kNotSent, kNever,
     StatusCode::kDeadlineExceeded, "DEADLINE_EXCEEDED", Outcome::kNotSent, true, false},
    {"HarmlessLate", StatusCode::kDeadlineExceeded, kMaybe, kHarmless, StatusCode::kUnknown,
     "OUTCOME_UNKNOWN", Outcome::kUnknown, true, false},
    {"NeverLate", StatusCode::kDeadlineExceeded, kMaybe, kNever, StatusCode::kUnknown,
     "OUTCOME_UNKNOWN", Outcome::kUnknown, false, false},
    {"ReadCancelled", StatusCode::kCancelled, kMaybe, kRead, StatusCode::kCancelled, "CANCELLED",
     Outcome::kUnknown, true, false},
    {"NeverCancelledBefore", StatusCode::kCancelled, kNotSent, kNever, StatusCode::kCancelled,
     "CANCELLED", Outcome::kNotSent, true, false},
    {"NeverCancelledDuring", StatusCode::kCancelled, kMaybe, kNever, StatusCode::kUnknown,
     "OUTCOME_UNKNOWN", Outcome::kUnknown, false, false},
    {"ReadOverloaded", StatusCode::kResourceExhausted, kNotSent, kRead,
     StatusCode::kResourceExhausted, "GATEWAY_OVERLOADED", Outcome::kNotSent, true, false},
    {"NeverOverloaded", StatusCode::kResourceExhausted, kNotSent, kNever,
     StatusCode::kResourceExhausted, "GATEWAY_OVERLOADED", Outcome::kNotSent, true, false},
    {"ReadTooLarge", StatusCode::kOutOfRange, kSent, kRead, StatusCode::kInternal,
     "UPSTREAM_MALFORMED", Outcome::kUnknown, true, false},
    {"HarmlessTooLarge", StatusCode::kOutOfRange, kSent, kHarmless, StatusCode::kUnknown,
     "OUTCOME_UNKNOWN", Outcome::kUnknown, true, false},
    {"NeverTooLarge", StatusCode::kOutOfRange, kSent, kNever, StatusCode::kUnknown,
     "OUTCOME_UNKNOWN", Outcome::kUnknown, false, false},
    {"ReadUntrusted", StatusCode::kFailedPrecondition, kNotSent, kRead, StatusCode::kUnavailable,
     "UPSTREAM_UNTRUSTED", Outcome::kNotSent, true, false},
    {"NeverUntrusted", StatusCode::kFailedPrecondition, kNotSent, kNever, StatusCode::kUnavailable,
     "UPSTREAM_UNTRUSTED", Outcome::kNotSent, true, false},
    {"NeverNotSendable", StatusCode::kInvalidArgument, kNotSent, kNever, StatusCode::kInternal,
     "NOT_SENDABLE", Outcome::kNotSent, true, false},
};

class TransportFailure : public testing::TestWithParam<TransportRow> {};

TEST_P(TransportFailure, BecomesAStatus) {
  const TransportRow& row = GetParam();
  const http::HttpResult result{absl::Status(row.transport, "what broke"), row.fate, {}};
  const Failure failure = FromTransport(result, row.repeat);
  EXPECT_EQ(failure.status.code(), row.code);
  EXPECT_EQ(failure.status.message(), "what broke");
  EXPECT_EQ(failure.outcome, row.outcome);
  EXPECT_EQ(failure.retriable, row.retriable);
  EXPECT_EQ(failure.retry_after, std::nullopt);
  const ErrorDetail detail = GetErrorDetail(failure.status);
  EXPECT_EQ(detail.reason, row.reason);
  EXPECT_EQ(detail.metadata, (std::map<std::string, std::string>{
                                 {"outcome", std::string(OutcomeName(row.outcome))},
                                 {"retry_safe", row.retry_safe ? "true" : "false"}}));
  EXPECT_EQ(detail.retry_after.has_value(), row.reason == "GATEWAY_OVERLOADED");
}

INSTANTIATE_TEST_SUITE_P(Table, TransportFailure, testing::ValuesIn(kTransportRows),
                         [](const auto& info) { return info.param.name; });

// ---- How long to wait. ----

TEST(RetryInfo, TellsTheWaitThatARateLimitAsksFor) {
  const Failure failure = FromResponse(Response(429, "", "7"), kNever, "", {});
  EXPECT_EQ(failure.retry_after, absl::Seconds(7));
  EXPECT_EQ(GetErrorDetail(failure.status).retry_after, absl::Seconds(7));
}

TEST(RetryInfo, IsASecondForARateLimitThatAsksForNone) {
  const Failure failure = FromResponse(Response(429), kRead, "", {});
  EXPECT_EQ(failure.retry_after, std::nullopt);
  EXPECT_EQ(GetErrorDetail(failure.status).retry_after, absl::Seconds(1));
}

TEST(RetryInfo, PassesOnTheWaitOfAnUpstreamThatIsDown) {
  const Failure failure = FromResponse(Response(503, "", "3"), kRead, "", {});
  EXPECT_EQ(GetErrorDetail(failure.status).retry_after, absl::Seconds(3));
}

TEST(RetryInfo, IsNeverOnAnErrorThatIsNotSafeToRetry) {
  const Failure failure = FromResponse(Response(503, "", "3"), kNever, "", {});
  EXPECT_EQ(GetErrorDetail(failure.status).metadata.at("retry_safe"), "false");
  EXPECT_EQ(GetErrorDetail(failure.status).retry_after, std::nullopt);
}

TEST(RetryInfo, IsNotOnAnErrorThatWillNotPass) {
  const Failure failure = FromResponse(Response(400, "", "3"), kRead, "", {});
  EXPECT_EQ(GetErrorDetail(failure.status).retry_after, std::nullopt);
}

// ---- A success that cannot be read. ----

struct MalformedRow {
  std::string name;
  v1::Repeat repeat;
  Outcome outcome;
  bool retry_safe;
};

void PrintTo(const MalformedRow& row, std::ostream* out) { *out << row.name; }

class MalformedAnswer : public testing::TestWithParam<MalformedRow> {};

TEST_P(MalformedAnswer, IsInternalWithTheOutcomeItLeaves) {
  const MalformedRow& row = GetParam();
  const Failure failure = FromMalformedAnswer(201, row.repeat, "status: not a word");
  EXPECT_EQ(failure.status.code(), StatusCode::kInternal);
  EXPECT_EQ(Message(failure), "the upstream's answer cannot be read: status: not a word");
  EXPECT_EQ(failure.outcome, row.outcome);
  EXPECT_FALSE(failure.retriable);
  const ErrorDetail detail = GetErrorDetail(failure.status);
  EXPECT_EQ(detail.reason, "UPSTREAM_MALFORMED");
  EXPECT_EQ(detail.metadata,
            (std::map<std::string, std::string>{{"outcome", std::string(OutcomeName(row.outcome))},
                                                {"retry_safe", row.retry_safe ? "true" : "false"},
                                                {"http_status", "201"}}));
}

INSTANTIATE_TEST_SUITE_P(Table, MalformedAnswer,
                         testing::ValuesIn(std::vector<MalformedRow>{
                             {"Read", kRead, Outcome::kExecuted, true},
                             {"Harmless", kHarmless, Outcome::kExecuted, true},
                             {"Never", kNever, Outcome::kUnknown, false},
                         }),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace ipp::upstream
