#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/upstream/client_bed.h"

// What the client sends again, what it does not, and how a call is ended early.
namespace ipp::upstream {
namespace {

using namespace fixtures;  // NOLINT: the words of these tests
using absl::Milliseconds;
using absl::Seconds;
using absl::StatusCode;
using http::FakeTransport;
using http::RequestFate;
using ::testing::AllOf;
using ::testing::Ge;
using ::testing::IsEmpty;
using ::testing::Le;
using ::testing::SizeIs;

class UpstreamRetryTest : public ClientBed {};

// ---- Reads are tried again. ----

TEST_F(UpstreamRetryTest, TriesAReadAgainUntilItSucceeds) {
  Restart(
      {.retry = {.attempts = 3, .first_pause = Milliseconds(100), .longest_pause = Seconds(2)}});
  transport_.Answer(503);
  transport_.Fail(absl::UnavailableError("reset"), RequestFate::kUnknown);
  transport_.Answer(200, kSession);
  GetSession(Context());
  transport_.RunAll();
  EXPECT_THAT(PassPause(), AllOf(Ge(absl::ZeroDuration()), Le(Milliseconds(100))));
  transport_.RunAll();
  EXPECT_THAT(PassPause(), AllOf(Ge(absl::ZeroDuration()), Le(Milliseconds(200))));
  EXPECT_FALSE(result_.has_value());
  transport_.RunAll();
  ASSERT_TRUE(result_.has_value());
  EXPECT_EQ(result_->status, absl::OkStatus());
  EXPECT_EQ(get_.session().session_id(), kId);
  EXPECT_EQ(Count("GetSession", "failed"), 1);
  EXPECT_EQ(Count("GetSession", "no_answer"), 1);
  EXPECT_EQ(Count("GetSession", "ok"), 1);
  EXPECT_EQ(Retries("GetSession"), 2);
}

TEST_F(UpstreamRetryTest, WaitsExactlyAsLongAsTheUpstreamAsks) {
  transport_.Answer(429, "", {{"retry-after", "4"}});
  transport_.Answer(503, "", {{"retry-after", "6"}});
  transport_.Answer(200, kSession);
  GetSession(Context());
  transport_.RunAll();
  EXPECT_EQ(PassPause(), Seconds(4));
  transport_.RunAll();
  EXPECT_EQ(PassPause(), Seconds(6));
  transport_.RunAll();
  EXPECT_EQ(result_->status, absl::OkStatus());
  EXPECT_EQ(Count("GetSession", "rate_limited"), 1);
}

TEST_F(UpstreamRetryTest, GivesUpAReadAfterItsAttempts) {
  transport_.HandleWith([](const auto&) { return FakeTransport::Answered(502); });
  GetSession(Context());
  for (int i = 0; i < 2; ++i) {
    transport_.RunAll();
    ASSERT_FALSE(result_.has_value()) << i;
    PassPause();
  }
  transport_.RunAll();
  EXPECT_THAT(transport_.requests(), SizeIs(3));
  EXPECT_EQ(result_->status.code(), StatusCode::kUnavailable);
  EXPECT_EQ(Detail().metadata.at("http_status"), "502");
  EXPECT_EQ(scheduler_.NextDelay(), absl::InfiniteDuration());
}

TEST_F(UpstreamRetryTest, DoesNotPauseBeyondTheCallersDeadline) {
  transport_.Answer(503, "", {{"retry-after", "5"}});
  GetSession(Context(Seconds(5)));
  transport_.RunAll();
  ASSERT_TRUE(result_.has_value());
  EXPECT_EQ(result_->status.code(), StatusCode::kUnavailable);
  EXPECT_EQ(Detail().retry_after, Seconds(5));
  EXPECT_THAT(transport_.requests(), SizeIs(1));
}

TEST_F(UpstreamRetryTest, GivesTheLastAttemptOnlyWhatIsLeftOfTheDeadline) {
  transport_.Answer(503, "", {{"retry-after", "4"}});
  const CallContext context = Context(Seconds(5));
  GetSession(context);
  transport_.RunAll();
  PassPause();
  transport_.RunAll();
  ASSERT_THAT(transport_.requests(), SizeIs(2));
  EXPECT_EQ(transport_.requests()[1].deadline, context.deadline);
  clock_.Advance(Seconds(1));
  transport_.RunAll();
  EXPECT_EQ(result_->status.code(), StatusCode::kDeadlineExceeded);
  EXPECT_EQ(Detail().reason, "DEADLINE_EXCEEDED");
  EXPECT_EQ(Retries("GetSession"), 1);
}

TEST_F(UpstreamRetryTest, TriesAReadAgainWhoseOwnTimeRanOut) {
  Restart({.timeout = Seconds(2), .retry = {}});
  GetSession(Context(Seconds(30)));
  transport_.RunAll();
  EXPECT_EQ(transport_.requests().at(0).deadline, clock_.Now() + Seconds(2));
  clock_.Advance(Seconds(2));
  transport_.RunAll();
  ASSERT_FALSE(result_.has_value());
  transport_.Answer(200, kSession);
  PassPause();
  transport_.RunAll();
  EXPECT_EQ(result_->status, absl::OkStatus());
}

TEST_F(UpstreamRetryTest, LeavesNothingOfAnEarlierTryInTheAnswer) {
  get_.mutable_session()->set_order_id("left over");
  transport_.Answer(503);
  transport_.Answer(200, kSession);
  GetSession(Context());
  transport_.RunAll();
  PassPause();
  transport_.RunAll();
  EXPECT_EQ(get_.session().order_id(), "");
}

TEST_F(UpstreamRetryTest, StopsRetryingWhenTheBudgetIsSpent) {
  transport_.HandleWith([](const auto&) { return FakeTransport::Answered(503); });
  // 100 tokens; retries end with half of them gone, two retries a call.
  for (int call = 0; call < 40; ++call) {
    result_.reset();
    GetSession(Context());
    transport_.RunAll();
    while (!result_.has_value()) {
      PassPause();
      transport_.RunAll();
    }
  }
  EXPECT_EQ(Retries("GetSession"), 50);
}

class LastingAnswer : public UpstreamRetryTest, public testing::WithParamInterface<int> {};

TEST_P(LastingAnswer, IsNotAskedForAgain) {
  transport_.Answer(GetParam());
  GetSession(Context());
  transport_.RunAll();
  ASSERT_TRUE(result_.has_value());
  EXPECT_EQ(Detail().metadata.at("http_status"), absl::StrCat(GetParam()));
  EXPECT_THAT(transport_.requests(), SizeIs(1));
  EXPECT_EQ(scheduler_.NextDelay(), absl::InfiniteDuration());
}

INSTANTIATE_TEST_SUITE_P(Table, LastingAnswer,
                         testing::Values(202, 302, 400, 401, 403, 404, 405, 409, 410, 413, 422),
                         [](const auto& info) { return absl::StrCat(info.param); });

// ---- Changes are not. ----

struct ChangeRow {
  std::string name;
  bool create;  // or a cancel
  std::optional<int> answer;
  RequestFate fate = RequestFate::kNotSent;  // without an answer
  StatusCode code;
  Outcome outcome;
};

void PrintTo(const ChangeRow& row, std::ostream* out) { *out << row.name; }

class Change : public UpstreamRetryTest, public testing::WithParamInterface<ChangeRow> {};

TEST_P(Change, IsNeverSentTwice) {
  const ChangeRow& row = GetParam();
  if (row.answer) {
    transport_.Answer(*row.answer, "", {{"retry-after", "0"}});
  } else {
    transport_.Fail(absl::UnavailableError("broke"), row.fate);
  }
  row.create ? CreateSession(Context()) : CancelSession(Context());
  transport_.RunAll();
  ASSERT_TRUE(result_.has_value());
  EXPECT_EQ(result_->status.code(), row.code) << result_->status;
  EXPECT_EQ(result_->outcome, row.outcome);
  EXPECT_EQ(Detail().metadata.at("outcome"), OutcomeName(row.outcome));
  EXPECT_EQ(scheduler_.NextDelay(), absl::InfiniteDuration());
  EXPECT_EQ(transport_.in_flight(), 0u);
}

INSTANTIATE_TEST_SUITE_P(
    Table, Change,
    testing::ValuesIn(std::vector<ChangeRow>{
        {"CreateDown", true, 503, {}, StatusCode::kUnknown, Outcome::kUnknown},
        {"CreateRateLimited", true, 429, {}, StatusCode::kResourceExhausted, Outcome::kRejected},
        {"CreateTimedOut", true, 408, {}, StatusCode::kUnknown, Outcome::kUnknown},
        {"CreateRefused", true, 400, {}, StatusCode::kInvalidArgument, Outcome::kRejected},
        {"CreateBroken", true, std::nullopt, RequestFate::kUnknown, StatusCode::kUnknown,
         Outcome::kUnknown},
        {"CreateCut", true, std::nullopt, RequestFate::kSent, StatusCode::kUnknown,
         Outcome::kUnknown},
        {"CreateNotSent", true, std::nullopt, RequestFate::kNotSent, StatusCode::kUnavailable,
         Outcome::kNotSent},
        {"CancelDown", false, 503, {}, StatusCode::kUnknown, Outcome::kUnknown},
        {"CancelRateLimited", false, 429, {}, StatusCode::kResourceExhausted, Outcome::kRejected},
        {"CancelConflict", false, 409, {}, StatusCode::kFailedPrecondition, Outcome::kRejected},
        {"CancelBroken", false, std::nullopt, RequestFate::kUnknown, StatusCode::kUnknown,
         Outcome::kUnknown},
        {"CancelNotSent", false, std::nullopt, RequestFate::kNotSent, StatusCode::kUnavailable,
         Outcome::kNotSent},
    }),
    [](const auto& info) { return info.param.name; });

// ---- Cancelling. ----

TEST_F(UpstreamRetryTest, CancelsBeforeAnythingIsSent) {
  const auto call = CreateSession(Context());
  call->Cancel();
  EXPECT_FALSE(result_.has_value());
  transport_.RunAll();
  ASSERT_TRUE(result_.has_value());
  EXPECT_EQ(result_->status.code(), StatusCode::kCancelled);
  EXPECT_EQ(result_->outcome, Outcome::kNotSent);
  EXPECT_THAT(transport_.requests(), IsEmpty());
}

TEST_F(UpstreamRetryTest, CancelsAReadThatIsUnderWayWithoutTryingAgain) {
  const auto call = GetSession(Context());
  transport_.RunAll();
  call->Cancel();
  transport_.RunAll();
  ASSERT_TRUE(result_.has_value());
  EXPECT_EQ(result_->status.code(), StatusCode::kCancelled);
  EXPECT_THAT(transport_.requests(), SizeIs(1));
}

TEST_F(UpstreamRetryTest, LetsACreateThatHasLeftGoOn) {
  const auto call = CreateSession(Context());
  transport_.RunAll();
  call->Cancel();
  transport_.RunAll();
  EXPECT_FALSE(result_.has_value());
  ASSERT_TRUE(transport_.Release(FakeTransport::Answered(201, kSession)));
  transport_.RunAll();
  EXPECT_EQ(result_->status, absl::OkStatus());
  EXPECT_EQ(created_.session().session_id(), kId);
}

TEST_F(UpstreamRetryTest, CancelsInThePauseAtOnce) {
  transport_.Answer(503, "", {{"retry-after", "20"}});
  const auto call = GetSession(Context());
  transport_.RunAll();
  EXPECT_EQ(scheduler_.NextDelay(), Seconds(20));
  call->Cancel();
  EXPECT_FALSE(result_.has_value());
  scheduler_.Advance(absl::ZeroDuration());
  transport_.RunAll();
  ASSERT_TRUE(result_.has_value());
  EXPECT_EQ(result_->status.code(), StatusCode::kCancelled);
  EXPECT_THAT(transport_.requests(), SizeIs(1));
  EXPECT_EQ(scheduler_.NextDelay(), absl::InfiniteDuration());
}

TEST_F(UpstreamRetryTest, DoesNotTryAgainWhatWasCancelledAsTheAnswerCame) {
  const auto call = GetSession(Context());
  transport_.RunAll();
  ASSERT_TRUE(transport_.Release(FakeTransport::Answered(503)));
  call->Cancel();
  transport_.RunAll();
  EXPECT_EQ(result_->status.code(), StatusCode::kUnavailable);
  EXPECT_EQ(scheduler_.NextDelay(), absl::InfiniteDuration());
}

TEST_F(UpstreamRetryTest, TakesACancelAfterTheEndForNothing) {
  transport_.Answer(200, kSession);
  const auto call = GetSession(Context());
  transport_.RunAll();
  call->Cancel();
  call->Cancel();
  transport_.RunAll();
  EXPECT_EQ(result_->status, absl::OkStatus());
}

}  // namespace
}  // namespace ipp::upstream
