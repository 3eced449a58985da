#include "server/sessions/cancel_flow.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "server/base/error.h"
#include "tests/sessions/session_news.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_served_call.h"
#include "tests/support/fake_store.h"

// A cancel over a fake transport, store and clock.
namespace ipp::sessions {
namespace {

namespace v1 = kustom::ipp::v1;
using ::testing::ElementsAre;

constexpr char kSession[] = "33333333-3333-4333-8333-333333333333";

class CancelFlowTest : public testing::Test {
 protected:
  static upstream::CallResult Result(Outcome outcome, absl::Status status = absl::OkStatus()) {
    return {.status = std::move(status), .outcome = outcome, .page = {}};
  }
  static absl::Status Error(absl::StatusCode code, const std::string& reason) {
    return MakeError(code, "the upstream said so", {.reason = reason});
  }
  void CancelAnswers(v1::SessionStatus status, const std::string& order_id = "") {
    v1::CancelSessionResponse response;
    Fill(status, order_id, response.mutable_session());
    call_.Answer(Result(Outcome::kExecuted), &response);
  }
  void ReadAnswers(v1::SessionStatus status, const std::string& order_id = "") {
    v1::GetSessionResponse response;
    Fill(status, order_id, response.mutable_session());
    call_.Answer(Result(Outcome::kExecuted), &response);
  }
  static void Fill(v1::SessionStatus status, const std::string& order_id, v1::Session* session) {
    session->set_session_id(kSession);
    session->set_status(status);
    session->set_order_id(order_id);
  }
  // Another source was first: what the log says.
  void Known(v1::SessionStatus status, const std::string& order_id = "") {
    SessionUpdate update;
    update.source = v1::SESSION_EVENT_SOURCE_WEBHOOK;
    update.merchant_id = "PM1";
    update.session_id = kSession;
    update.event_id = "kevt_1";
    update.heard_at = update.occurred_at = clock_.Now();
    update.type = EventFor(status);
    update.order_id = order_id;
    recorder_.Record(update, [](const absl::StatusOr<Recorded>& r) { ASSERT_TRUE(r.ok()); });
    store_.RunAll();
  }
  void Run() {
    request_.set_session_id(kSession);
    CancelAndConfirm({.cancel = routes_->Find("kustom.ipp.v1.SessionService/CancelSession"),
                      .get = routes_->Find("kustom.ipp.v1.SessionService/GetSession"),
                      .recorder = &recorder_,
                      .clock = &clock_,
                      .scheduler = &scheduler_},
                     &call_, {.merchant_id = "PM1", .trace = {}, .deadline = clock_.Now() + kLimit},
                     request_, &response_);
    store_.RunAll();
    for (absl::Duration passed; passed < kLimit && !call_.end(); passed += kTick) {
      scheduler_.Advance(kTick);
      store_.RunAll();
    }
    ASSERT_TRUE(call_.end().has_value());
  }
  std::vector<std::string> Rpcs() const {
    std::vector<std::string> rpcs;
    for (const auto& sent : call_.sent()) rpcs.push_back(sent.rpc);
    return rpcs;
  }
  std::string Reason() const { return GetErrorDetail(*call_.end()).reason; }

  static constexpr absl::Duration kLimit = absl::Seconds(10);
  static constexpr absl::Duration kTick = absl::Milliseconds(50);
  FakeClock clock_;
  FakeScheduler scheduler_{&clock_};
  Metrics metrics_;
  store::FakeStore store_{&clock_, store::FakeStore::Mode::kManual};
  SessionRecorder recorder_{&store_, &metrics_};
  std::unique_ptr<routes::RouteTable> routes_ = routes::RouteTable::CompileContract().value();
  FakeServedCall call_;
  v1::CancelSessionRequest request_;
  v1::CancelSessionResponse response_;
};

TEST_F(CancelFlowTest, AnswersWithTheSessionThatItEnded) {
  CancelAnswers(v1::SESSION_STATUS_CANCELLED);
  Run();
  EXPECT_EQ(*call_.end(), absl::OkStatus());
  EXPECT_EQ(response_.session().status(), v1::SESSION_STATUS_CANCELLED);
  EXPECT_THAT(Rpcs(), ElementsAre("CancelSession"));
}

TEST_F(CancelFlowTest, SaysWhatWasPaidBefore) {
  CancelAnswers(v1::SESSION_STATUS_FINALIZED, "o1");
  Run();
  EXPECT_EQ(Reason(), "SESSION_ALREADY_FINALIZED");
  EXPECT_EQ(GetErrorDetail(*call_.end()).metadata.at("order_id"), "o1");
}

// Once something may have left, no later failure makes it NOT_SENT.
TEST_F(CancelFlowTest, NeverImprovesAVerdict) {
  call_.Answer(Result(Outcome::kUnknown, Error(absl::StatusCode::kUnknown, "OUTCOME_UNKNOWN")));
  ReadAnswers(v1::SESSION_STATUS_ACTIVE);
  for (int i = 0; i < 2; ++i) {
    call_.Answer(
        Result(Outcome::kNotSent, Error(absl::StatusCode::kUnavailable, "UPSTREAM_UNAVAILABLE")));
  }
  Run();
  EXPECT_EQ(Reason(), "OUTCOME_UNKNOWN");
  EXPECT_THAT(Rpcs(), ElementsAre("CancelSession", "GetSession", "CancelSession", "CancelSession"));
}

TEST_F(CancelFlowTest, LooksAfterAnAnswerThatWasLost) {
  call_.Answer(Result(Outcome::kUnknown, Error(absl::StatusCode::kUnknown, "OUTCOME_UNKNOWN")));
  ReadAnswers(v1::SESSION_STATUS_CANCELLED);
  Run();
  EXPECT_EQ(*call_.end(), absl::OkStatus());
  EXPECT_EQ(response_.session().status(), v1::SESSION_STATUS_CANCELLED);
}

TEST_F(CancelFlowTest, ReadsOnceMoreWhereTheLogSaysOtherwise) {
  Known(v1::SESSION_STATUS_FINALIZED, "o1");
  CancelAnswers(v1::SESSION_STATUS_CANCELLED);
  ReadAnswers(v1::SESSION_STATUS_FINALIZED, "o1");
  Run();
  EXPECT_EQ(Reason(), "SESSION_ALREADY_FINALIZED");
  EXPECT_THAT(Rpcs(), ElementsAre("CancelSession", "GetSession"));
}

TEST_F(CancelFlowTest, DoesNotLookAfterARefusalThatALookDoesNotExplain) {
  call_.Answer(Result(Outcome::kRejected, Error(absl::StatusCode::kNotFound, "SESSION_NOT_FOUND")));
  Run();
  EXPECT_EQ(Reason(), "SESSION_NOT_FOUND");
  EXPECT_THAT(Rpcs(), ElementsAre("CancelSession"));
}

TEST_F(CancelFlowTest, StopsForACallerThatHasGone) {
  call_.Answer(
      Result(Outcome::kNotSent, Error(absl::StatusCode::kUnavailable, "UPSTREAM_UNAVAILABLE")));
  call_.Go();
  Run();
  EXPECT_EQ(Reason(), "UPSTREAM_UNAVAILABLE");
  EXPECT_THAT(Rpcs(), ElementsAre("CancelSession"));
}

TEST_F(CancelFlowTest, AnswersAlsoWhenTheStoreIsDown) {
  CancelAnswers(v1::SESSION_STATUS_CANCELLED);
  store_.FailCommits(absl::UnavailableError("no disk"), 100);
  Run();
  EXPECT_EQ(*call_.end(), absl::OkStatus());
}

}  // namespace
}  // namespace ipp::sessions
