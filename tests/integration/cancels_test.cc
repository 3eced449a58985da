// CancelSession answers with what became true.

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "kustom/ipp/v1/session.grpc.pb.h"
#include "kustom/ipp/v1/session_event.grpc.pb.h"
#include "tests/support/gateway_streams.h"
#include "tests/support/gateway_under_test.h"

namespace ipp {
namespace {

namespace v1 = kustom::ipp::v1;
using Sessions = v1::SessionService::Stub;
using grpc::StatusCode;
using testing::ElementsAre;

// No webhook reaches the gateway: what it tells, the cancel has found out.
class Cancels : public testing::Test {
 protected:
  Cancels() : bed_({.webhooks = false}), session_(bed_.NewSession()) {
    bed_.simulator.ForgetRequests();
  }

  auto Cancel() {
    v1::CancelSessionRequest request;
    request.set_session_id(session_);
    return bed_.Call(&Sessions::CancelSession, request);
  }
  void Break(const std::string& rules) {
    bed_.simulator.Control("PUT", "/_sim/faults", absl::StrCat(R"({"faults": [)", rules, "]}"));
  }
  std::vector<std::string> Methods() {
    std::vector<std::string> methods;
    for (const SeenRequest& request : bed_.simulator.Requests()) methods.push_back(request.method);
    return methods;
  }
  std::vector<std::string> Log() {
    v1::ListSessionEventsRequest request;
    request.mutable_filter()->add_session_ids(session_);
    const auto reply = bed_.Call(&v1::SessionEventService::Stub::ListSessionEvents, request);
    EXPECT_TRUE(Ok(reply));
    std::vector<std::string> types;
    for (const auto& event : reply.response.events()) types.push_back(ShortName(event.type()));
    return types;
  }

  GatewayBed bed_;
  const std::string session_;
};

TEST_F(Cancels, OfAPaidSessionSayWhatItBecame) {
  bed_.Tap(session_);
  bed_.simulator.ForgetRequests();
  const auto reply = Cancel();
  EXPECT_TRUE(Refused(reply, StatusCode::FAILED_PRECONDITION, "SESSION_ALREADY_FINALIZED"));
  EXPECT_EQ(reply.info("outcome"), "REJECTED");
  EXPECT_EQ(reply.info("status"), "FINALIZED");
  EXPECT_NE(reply.info("order_id"), "-");
  EXPECT_NE(reply.info("order_id"), "");
  EXPECT_THAT(Methods(), ElementsAre("PUT", "GET"));
  EXPECT_THAT(Log(), ElementsAre("CREATED", "FINALIZED")) << "the events agree with the answer";
}

TEST_F(Cancels, OfASessionThatHasEndedOtherwiseAreOk) {
  bed_.simulator.Step(session_, "expire");
  for (int i = 0; i < 2; ++i) {
    const auto reply = Cancel();
    ASSERT_TRUE(Ok(reply));
    EXPECT_EQ(reply.response.session().status(), v1::SESSION_STATUS_EXPIRED);
  }
  EXPECT_THAT(Log(), ElementsAre("CREATED", "EXPIRED"));
}

TEST_F(Cancels, WhoseAnswerIsLostLook) {
  Break(R"({"on": "cancel_session", "do": "reset_after_read"})");
  const auto reply = Cancel();
  ASSERT_TRUE(Ok(reply));
  EXPECT_EQ(reply.response.session().status(), v1::SESSION_STATUS_CANCELLED);
  EXPECT_EQ(reply.response.session().session_id(), session_);
  EXPECT_THAT(Methods(), ElementsAre("PUT", "GET"));
  EXPECT_THAT(Log(), ElementsAre("CREATED", "CANCELLED"));
}

TEST_F(Cancels, ThatWereNotDoneAreSentAgain) {
  Break(R"({"on": "cancel_session", "do": "reset_after_read", "commit": false})");
  const auto reply = Cancel();
  ASSERT_TRUE(Ok(reply));
  EXPECT_EQ(reply.response.session().status(), v1::SESSION_STATUS_CANCELLED);
  EXPECT_THAT(Methods(), ElementsAre("PUT", "GET", "PUT"));
  EXPECT_THAT(Log(), ElementsAre("CREATED", "CANCELLED"));
}

// The customer was faster, between our cancel and its answer.
TEST_F(Cancels, WhoseAnswerIsLostAndThatCameTooLateSaySo) {
  bed_.Tap(session_);
  Break(R"({"on": "cancel_session", "do": "close_after_read"})");
  EXPECT_TRUE(Refused(Cancel(), StatusCode::FAILED_PRECONDITION, "SESSION_ALREADY_FINALIZED"));
  EXPECT_THAT(Log(), ElementsAre("CREATED", "FINALIZED"));
}

TEST_F(Cancels, ThatStayUnclearMayBeAskedForAgain) {
  Break(R"({"on": "cancel_session", "do": "error_before", "count": 0},
           {"on": "get_session", "do": "error_before", "status": 404, "count": 0})");
  const auto reply = Cancel();
  EXPECT_TRUE(Refused(reply, StatusCode::UNKNOWN, "OUTCOME_UNKNOWN"));
  EXPECT_EQ(reply.info("outcome"), "UNKNOWN");
  EXPECT_EQ(reply.info("retry_safe"), "true");
  EXPECT_THAT(Log(), ElementsAre("CREATED"));
  Break("");
  ASSERT_TRUE(Ok(Cancel()));
  EXPECT_THAT(Log(), ElementsAre("CREATED", "CANCELLED"));
}

TEST_F(Cancels, OfAnOpenSessionAreSentAFewTimes) {
  Break(R"({"on": "cancel_session", "do": "error_before", "count": 0})");
  EXPECT_TRUE(Refused(Cancel(), StatusCode::UNKNOWN, "OUTCOME_UNKNOWN"));
  EXPECT_THAT(Methods(), ElementsAre("PUT", "GET", "PUT", "GET", "PUT", "GET"));
}

TEST_F(Cancels, OfWhatIsNotThereAreRefused) {
  v1::CancelSessionRequest request;
  request.set_session_id(kNobody);
  EXPECT_TRUE(
      Refused(bed_.Call(&Sessions::CancelSession, request), StatusCode::NOT_FOUND, "NOT_FOUND"));
  EXPECT_THAT(Methods(), ElementsAre("PUT"));
}

}  // namespace
}  // namespace ipp
