#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "tests/client/ippctl_fixture.h"

namespace ipp::ippctl {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

v1::CreateOutcome Outcome(const std::string& request_id, v1::CreateState state,
                          absl::Duration age) {
  v1::CreateOutcome outcome;
  outcome.set_request_id(request_id);
  outcome.set_merchant_id("m-1");
  outcome.set_rpc("CreateSession");
  outcome.set_caller("order-service");
  outcome.set_state(state);
  outcome.mutable_created_at()->set_seconds(absl::ToUnixSeconds(absl::Now() - age));
  return outcome;
}

class IppctlOutcomes : public IppctlTest {
 protected:
  // Three creates on two pages.
  void SetUp() override {
    gateway_.outcomes.list = [this](auto*, const auto& request, auto* response) {
      requests_.push_back(request);
      if (request.page_token().empty()) {
        *response->add_outcomes() =
            Outcome("r-3", v1::CREATE_STATE_UNKNOWN, absl::Hours(3) + absl::Minutes(30));
        v1::CreateOutcome& refused = *response->add_outcomes();
        refused = Outcome("r-2", v1::CREATE_STATE_REJECTED, absl::Hours(36));
        refused.set_rpc("CreateEnrollment");
        refused.set_reason("UPSTREAM_REFUSED\x1b[31m");
        response->set_next_page_token("p2");
      } else {
        v1::CreateOutcome& done = *response->add_outcomes();
        done = Outcome("r-1", v1::CREATE_STATE_EXECUTED, absl::Hours(60));
        done.set_session_id("s-1");
      }
      return grpc::Status::OK;
    };
  }

  std::vector<v1::ListCreateOutcomesRequest> requests_;
};

TEST_F(IppctlOutcomes, AreListedOverPages) {
  EXPECT_EQ(Out({"sessions", "outcomes"}),
            "REQUEST ID  AGE  RPC               STATE     SESSION  CALLER         REASON\n"
            "r-3         3h   CreateSession     UNKNOWN            order-service\n"
            "r-2         1d   CreateEnrollment  REJECTED           order-service  "
            "UPSTREAM_REFUSED\uFFFD[31m\n"
            "r-1         2d   CreateSession     EXECUTED  s-1      order-service\n");
  EXPECT_EQ(err_, "");
  ASSERT_EQ(requests_.size(), 2u);
  EXPECT_EQ(requests_[0].page_size(), 100);
  EXPECT_THAT(requests_[0].states(), IsEmpty());
  EXPECT_THAT(requests_[0].merchant_ids(), IsEmpty());
  EXPECT_EQ(requests_[1].page_token(), "p2");
  EXPECT_EQ(requests_[1].page_size(), 98);
}

TEST_F(IppctlOutcomes, AreNarrowedByStateAndMerchantOnEveryPage) {
  Out({"sessions", "outcomes", "--state", "unknown", "--state", "UNDER_WAY", "--only-merchant",
       "m-1"});
  ASSERT_EQ(requests_.size(), 2u);
  for (const v1::ListCreateOutcomesRequest& request : requests_) {
    EXPECT_THAT(request.states(),
                ElementsAre(v1::CREATE_STATE_UNKNOWN, v1::CREATE_STATE_UNDER_WAY));
    EXPECT_THAT(request.merchant_ids(), ElementsAre("m-1"));
  }
}

TEST_F(IppctlOutcomes, AreCutAtTheLimitWithAWord) {
  const std::string out = Out({"sessions", "outcomes", "--limit", "2"});
  EXPECT_EQ(std::count(out.begin(), out.end(), '\n'), 3);
  EXPECT_EQ(err_, "ippctl: more follows: raise --limit\n");
  ASSERT_EQ(requests_.size(), 1u);
  EXPECT_EQ(requests_[0].page_size(), 2);
}

TEST_F(IppctlOutcomes, ArePrintedAsOneJsonObjectALine) {
  const std::string json = Out({"sessions", "outcomes", "-o", "ndjson"});
  EXPECT_EQ(std::count(json.begin(), json.end(), '\n'), 3);
  EXPECT_EQ(json.rfind("{\"request_id\":\"r-3\",\"merchant_id\":\"m-1\",", 0), 0u) << json;
  EXPECT_THAT(json, HasSubstr("\n{\"request_id\":\"r-2\","));
  EXPECT_THAT(json, HasSubstr("\"state\":\"CREATE_STATE_EXECUTED\",\"session_id\":\"s-1\""));
}

TEST_F(IppctlOutcomes, OfNoCreatesAreAHeaderAlone) {
  gateway_.outcomes.list = [](auto*, const auto&, auto*) { return grpc::Status::OK; };
  EXPECT_EQ(Out({"sessions", "outcomes"}),
            "REQUEST ID  AGE  RPC  STATE  SESSION  CALLER  REASON\n");
  EXPECT_EQ(Out({"sessions", "outcomes", "-o", "json"}), "{\"outcomes\":[]}\n");
  EXPECT_EQ(Out({"sessions", "outcomes", "-o", "yaml"}), "outcomes: []\n");
  EXPECT_EQ(Out({"sessions", "outcomes", "-o", "ndjson"}), "");
}

TEST_F(IppctlOutcomes, OfOneCreateAreShownInFull) {
  gateway_.outcomes.get = [](auto*, const auto& request, auto* response) {
    v1::CreateOutcome& outcome = *response->mutable_outcome();
    outcome = Outcome(request.request_id(), v1::CREATE_STATE_REJECTED, absl::ZeroDuration());
    outcome.set_reason("UPSTREAM_REFUSED");
    outcome.set_message("the upstream answered 422");
    outcome.mutable_created_at()->set_seconds(1'769'846'400);
    outcome.mutable_updated_at()->set_seconds(1'769'846'401);
    return grpc::Status::OK;
  };
  EXPECT_EQ(Out({"sessions", "outcomes", "--request-id", "r-1"}),
            "Request id    r-1\n"
            "State         REJECTED\n"
            "RPC           CreateSession\n"
            "Reason        UPSTREAM_REFUSED\n"
            "Message       the upstream answered 422\n"
            "Merchant      m-1\n"
            "Caller        order-service\n"
            "Written down  2026-01-31T08:00:00Z\n"
            "State since   2026-01-31T08:00:01Z\n");
  const std::string json = Out({"sessions", "outcomes", "--request-id", "r-1", "-o", "ndjson"});
  EXPECT_EQ(std::count(json.begin(), json.end(), '\n'), 1);
  EXPECT_EQ(json.rfind("{\"request_id\":\"r-1\",", 0), 0u) << json;
  EXPECT_THAT(requests_, IsEmpty());
}

TEST_F(IppctlOutcomes, OfAnUnknownCreateIsNotAnUnknownOutcomeOfTheLook) {
  gateway_.outcomes.get = [](auto*, const auto& request, auto* response) {
    v1::CreateOutcome& outcome = *response->mutable_outcome();
    outcome = Outcome(request.request_id(), v1::CREATE_STATE_UNKNOWN, absl::ZeroDuration());
    outcome.mutable_settle_by()->set_seconds(1'769'846'400);
    return grpc::Status::OK;
  };
  EXPECT_THAT(Out({"sessions", "outcomes", "--request-id", "r-1"}),
              HasSubstr("May settle until  2026-01-31T08:00:00Z\n"));
}

TEST_F(IppctlOutcomes, ReportAnIdThatNobodyKnows) {
  gateway_.outcomes.get = [](auto*, const auto&, auto*) {
    return client::GatewayError(MakeError(absl::StatusCode::kNotFound, "no such create",
                                          {.reason = "CREATE_NOT_FOUND",
                                           .metadata = {},
                                           .violations = {},
                                           .retry_after = std::nullopt}));
  };
  const RunResult run = RunAt(gateway_.address(), {"sessions", "outcomes", "--request-id", "r-1"});
  EXPECT_EQ(run.exit_code, 4);
  EXPECT_EQ(run.out, "");
  EXPECT_EQ(run.err,
            "ippctl: NOT_FOUND (CREATE_NOT_FOUND): no such create\nretry: correct it first\n"
            "what to do: no create with this id was sent in the last year: look at the id, and at "
            "--merchant\n");
}

TEST_F(IppctlOutcomes, ReportAListThatBreaksOffAndPrintNoPartOfIt) {
  gateway_.outcomes.list = [](auto*, const auto& request, auto* response) {
    if (!request.page_token().empty()) return grpc::Status(grpc::StatusCode::INTERNAL, "broken");
    *response->add_outcomes() = Outcome("r-3", v1::CREATE_STATE_UNKNOWN, absl::Hours(1));
    response->set_next_page_token("p2");
    return grpc::Status::OK;
  };
  const RunResult run = RunAt(gateway_.address(), {"sessions", "outcomes"});
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_EQ(run.out, "");
  EXPECT_EQ(run.err, "ippctl: INTERNAL: broken\n");
}

}  // namespace
}  // namespace ipp::ippctl
