#include "ippclient/create.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <optional>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "ippclient/error.h"
#include "server/base/mutex.h"
#include "tests/client/fake_gateway.h"
#include "tests/support/http_relay.h"

namespace ipp::client {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Ge;
using ::testing::IsEmpty;
using ::testing::Le;
using ::testing::MatchesRegex;
using ::testing::SizeIs;

constexpr char kUuid[] = "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}";

grpc::Status Refusal(absl::StatusCode code, std::string reason,
                     std::map<std::string, std::string> metadata,
                     std::optional<absl::Duration> retry_after = std::nullopt) {
  return GatewayError(MakeError(code, "it failed",
                                {.reason = std::move(reason),
                                 .metadata = std::move(metadata),
                                 .violations = {},
                                 .retry_after = retry_after}));
}

grpc::Status NotSent(std::optional<absl::Duration> retry_after = std::nullopt) {
  return Refusal(absl::StatusCode::kUnavailable, "UPSTREAM_UNAVAILABLE",
                 {{"outcome", "NOT_SENT"}, {"retry_safe", "true"}}, retry_after);
}

// Answers one create after the other with what the test says, then with success, and notes them.
// Time passes only in pauses.
class Create : public ::testing::Test {
 protected:
  template <typename Request, typename Response>
  void Script(Answer<Request, Response>* answer) {
    *answer = [this](grpc::ServerContext* context, const Request& request, Response*) {
      MutexLock lock(&mutex_);
      ids_.push_back(request.request_id());
      deadlines_.push_back(absl::FromChrono(context->deadline()));
      for (const auto& [key, value] : context->client_metadata()) {
        if (key == "x-merchant-id") merchants_.emplace_back(value.data(), value.size());
      }
      if (answers_.empty()) return grpc::Status::OK;
      grpc::Status next = answers_.front();
      if (answers_.size() > 1 || !for_ever_) answers_.erase(answers_.begin());
      return next;
    };
  }
  void SetUp() override {
    Script(&gateway_.sessions.create);
    Script(&gateway_.enrollments.create);
    Script(&gateway_.simulation.device);
    options_.now = [this] { return now_; };
    options_.sleep = [this](absl::Duration pause) {
      pauses_.push_back(pause);
      now_ += pause;
    };
  }

  std::shared_ptr<grpc::Channel> Channel() {
    return grpc::CreateChannel(gateway_.address(), grpc::InsecureChannelCredentials());
  }
  grpc::Status Session() {
    v1::CreateSessionResponse response;
    return CreateSession(Channel(), &request_, &response, options_);
  }

  FakeGateway gateway_;
  CreateOptions options_;
  absl::Time now_ = absl::Now();
  std::vector<absl::Duration> pauses_;
  v1::CreateSessionRequest request_;

  Mutex mutex_;
  std::vector<grpc::Status> answers_;  // set before the call
  bool for_ever_ = false;              // the last answer again and again
  std::vector<std::string> ids_;       // of the creates that came, read after the call
  std::vector<absl::Time> deadlines_;
  std::vector<std::string> merchants_;
};

// One row: what the gateway answers first, and whether the create is sent again.
struct FirstAnswer {
  const char* name;
  grpc::Status status;
  bool again;
};

class CreateAfter : public Create, public ::testing::WithParamInterface<FirstAnswer> {
 protected:
  // With any of the three.
  template <typename Request, typename Response>
  void Expect(grpc::Status (*create)(const std::shared_ptr<grpc::Channel>&, Request*, Response*,
                                     const CreateOptions&)) {
    ids_.clear();
    answers_ = {GetParam().status, GetParam().status};
    Request request;
    request.set_request_id("r-1");
    Response response;
    const grpc::Status status = create(Channel(), &request, &response, options_);
    EXPECT_EQ(status.ok(), GetParam().again) << status.error_message();
    if (!GetParam().again) {
      EXPECT_EQ(status.error_code(), GetParam().status.error_code());
      EXPECT_EQ(status.error_details(), GetParam().status.error_details());
    }
    EXPECT_THAT(ids_, SizeIs(GetParam().again ? 3 : 1));
    EXPECT_THAT(ids_, Each("r-1"));
    EXPECT_EQ(request.request_id(), "r-1");
  }
};

TEST_P(CreateAfter, IsRepeatedWithTheSameIdOnlyWhereThatIsSafeAndHelps) {
  Expect(&CreateSession);
  Expect(&CreateEnrollment);
  Expect(&CreateSimulatedDevice);
}

const std::map<std::string, std::string> kNotSent = {{"outcome", "NOT_SENT"},
                                                     {"retry_safe", "true"}};
const std::map<std::string, std::string> kRejected = {{"outcome", "REJECTED"},
                                                      {"retry_safe", "true"}};
const std::map<std::string, std::string> kUnknown = {{"outcome", "UNKNOWN"},
                                                     {"retry_safe", "false"}};

INSTANTIATE_TEST_SUITE_P(
    All, CreateAfter,
    ::testing::ValuesIn(std::vector<FirstAnswer>{
        {"NotSent", NotSent(), true},
        {"StoreUnavailable",
         Refusal(absl::StatusCode::kUnavailable, "STORE_UNAVAILABLE", {{"retry_safe", "true"}}),
         true},
        {"Overloaded",
         Refusal(absl::StatusCode::kResourceExhausted, "GATEWAY_OVERLOADED", kNotSent,
                 absl::Seconds(1)),
         true},
        {"RateLimit",
         Refusal(absl::StatusCode::kResourceExhausted, "UPSTREAM_RATE_LIMIT", kRejected), true},
        {"BrokenConnection", grpc::Status(grpc::StatusCode::UNAVAILABLE, "Socket closed"), true},
        {"OutcomeUnknown", Refusal(absl::StatusCode::kUnknown, "OUTCOME_UNKNOWN", kUnknown), false},
        {"Malformed", Refusal(absl::StatusCode::kInternal, "UPSTREAM_MALFORMED", kUnknown), false},
        {"NotRetrySafe",
         Refusal(absl::StatusCode::kUnavailable, "X",
                 {{"outcome", "NOT_SENT"}, {"retry_safe", "false"}}),
         false},
        {"NotRetrySafeThoughAWaitIsNamed",
         Refusal(absl::StatusCode::kResourceExhausted, "X", {{"retry_safe", "false"}},
                 absl::Seconds(1)),
         false},
        {"NoWordOnRetries", Refusal(absl::StatusCode::kUnavailable, "X", {{"outcome", "NOT_SENT"}}),
         false},
        {"UnknownThoughRetrySafe",
         Refusal(absl::StatusCode::kUnavailable, "X",
                 {{"outcome", "UNKNOWN"}, {"retry_safe", "true"}}),
         false},
        {"Refused", Refusal(absl::StatusCode::kInvalidArgument, "UPSTREAM_REFUSED", kRejected),
         false},
        {"Invalid", Refusal(absl::StatusCode::kInvalidArgument, "INVALID_REQUEST", kNotSent),
         false},
        {"Credentials", Refusal(absl::StatusCode::kInternal, "UPSTREAM_CREDENTIALS", kRejected),
         false},
        {"TooLateThoughNotSent",
         Refusal(absl::StatusCode::kDeadlineExceeded, "DEADLINE_EXCEEDED", kNotSent), false},
        {"GrpcsOwnLimit", grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "too large"), false},
        {"GrpcsOwnCancel", grpc::Status(grpc::StatusCode::CANCELLED, ""), false},
        {"GrpcsOwnUnknown", grpc::Status(grpc::StatusCode::UNKNOWN, "Stream removed"), false},
        {"GrpcsOwnInternal", grpc::Status(grpc::StatusCode::INTERNAL, "RST_STREAM"), false}}),
    [](const auto& info) { return info.param.name; });

TEST_F(Create, EndsWithUnknownAlsoAfterTriesThatWereSafe) {
  answers_ = {NotSent(), grpc::Status(grpc::StatusCode::UNAVAILABLE, "Socket closed"),
              Refusal(absl::StatusCode::kUnknown, "OUTCOME_UNKNOWN", kUnknown), NotSent()};
  EXPECT_EQ(DecodeError(Session()).reason, "OUTCOME_UNKNOWN");
  EXPECT_THAT(ids_, SizeIs(3));
}

TEST_F(Create, DoesNotSayNotSentWhenAnEarlierTryMayHaveGotThrough) {
  const auto refused = [](std::map<std::string, std::string> metadata) {
    return Refusal(absl::StatusCode::kUnauthenticated, "TOKEN_UNKNOWN", std::move(metadata));
  };
  answers_ = {refused(kNotSent)};
  EXPECT_EQ(DecodeError(Session()).outcome, Outcome::kNotSent);

  answers_ = {NotSent(), refused(kNotSent)};
  EXPECT_EQ(DecodeError(Session()).outcome, Outcome::kNotSent);

  const grpc::Status broken(grpc::StatusCode::UNAVAILABLE, "Socket closed");
  answers_ = {broken, NotSent(), refused(kNotSent)};
  const Error error = DecodeError(Session());
  EXPECT_EQ(error.outcome, Outcome::kUnknown);
  EXPECT_EQ(error.code, grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(error.reason, "TOKEN_UNKNOWN");
  EXPECT_EQ(error.message, "it failed");
  EXPECT_EQ(error.retry_safe, true);

  // The upstream refused it: the ledger would have kept it back, had the first got through.
  answers_ = {broken, Refusal(absl::StatusCode::kInvalidArgument, "UPSTREAM_REFUSED", kRejected)};
  EXPECT_EQ(DecodeError(Session()).outcome, Outcome::kRejected);
}

// The gateway cannot read such a request, and gRPC's own error would say nothing of the money.
TEST_F(Create, DoesNotSendTextThatIsNotUtf8) {
  request_.add_order_items()->set_name("Kaffee");
  request_.add_order_items()->set_name("Caf\xe9");  // Latin-1
  const grpc::Status status = Session();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), testing::HasSubstr("order_items[1].name"));
  EXPECT_EQ(DecodeError(status).reason, "INVALID_REQUEST");
  EXPECT_EQ(DecodeError(status).outcome, Outcome::kNotSent);
  EXPECT_THAT(ids_, IsEmpty());

  // An earlier create with the same id may have got through.
  request_.set_request_id(NewRequestId());
  EXPECT_EQ(DecodeError(Session()).outcome, Outcome::kUnknown);
  EXPECT_THAT(ids_, IsEmpty());
}

TEST_F(Create, MakesAnIdBeforeTheFirstTryAndKeepsIt) {
  answers_ = {NotSent(), NotSent()};
  EXPECT_TRUE(Session().ok());
  EXPECT_THAT(ids_, SizeIs(3));
  EXPECT_THAT(ids_, Each(request_.request_id()));
  EXPECT_EQ(request_.request_id().size(), 36u);
}

TEST_F(Create, LeavesTheIdInTheRequestWhenItFails) {
  answers_ = {Refusal(absl::StatusCode::kUnknown, "OUTCOME_UNKNOWN", kUnknown)};
  EXPECT_FALSE(Session().ok());
  EXPECT_THAT(ids_, ElementsAre(request_.request_id()));
}

TEST_F(Create, PausesDoubleUpToTheLongestHalfOfThemAtRandom) {
  answers_.assign(6, NotSent());
  options_.longest_pause = absl::Seconds(1);
  EXPECT_TRUE(Session().ok());
  ASSERT_THAT(pauses_, SizeIs(6));
  const int64_t most[] = {100, 200, 400, 800, 1000, 1000};  // ms
  for (size_t i = 0; i < pauses_.size(); ++i) {
    EXPECT_THAT(pauses_[i], Ge(absl::Milliseconds(most[i]) / 2)) << i;
    EXPECT_THAT(pauses_[i], Le(absl::Milliseconds(most[i]))) << i;
  }
}

TEST_F(Create, WaitsAsLongAsTheGatewayAsks) {
  answers_ = {NotSent(absl::Seconds(7)), NotSent(absl::Milliseconds(1))};
  EXPECT_TRUE(Session().ok());
  ASSERT_THAT(pauses_, SizeIs(2));
  EXPECT_EQ(pauses_[0], absl::Seconds(7));
  EXPECT_THAT(pauses_[1], Ge(absl::Milliseconds(100)));  // the second of its own
}

TEST_F(Create, DoesNotBeginAWaitThatEndsAfterTheDeadline) {
  answers_ = {NotSent(absl::Seconds(7))};
  options_.timeout = absl::Seconds(7);
  const Error error = DecodeError(Session());
  EXPECT_EQ(error.reason, "UPSTREAM_UNAVAILABLE");
  EXPECT_EQ(error.retry_delay, absl::Seconds(7));
  EXPECT_THAT(pauses_, IsEmpty());
  EXPECT_THAT(ids_, SizeIs(1));
}

TEST_F(Create, StopsAtTheDeadlineWithTheLastError) {
  answers_ = {NotSent()};
  for_ever_ = true;
  const absl::Time began = now_;
  EXPECT_EQ(DecodeError(Session()).outcome, Outcome::kNotSent);
  EXPECT_LT(now_, began + absl::Seconds(30));
  EXPECT_GE(now_, began + absl::Seconds(28));
  EXPECT_THAT(ids_, SizeIs(pauses_.size() + 1));
  EXPECT_THAT(ids_, SizeIs(Le(35u)));  // 30 s in pauses of 1 s and more, after the first five
}

TEST_F(Create, IsBoundedAlsoWithoutPauses) {
  answers_ = {NotSent()};
  for_ever_ = true;
  options_.first_pause = absl::ZeroDuration();
  options_.timeout = absl::Milliseconds(100);
  now_ = absl::Now() + absl::Minutes(1);  // the real deadline must not be what ends it
  EXPECT_EQ(DecodeError(Session()).outcome, Outcome::kNotSent);
  EXPECT_THAT(pauses_, Each(absl::Milliseconds(10)));
  EXPECT_THAT(ids_, SizeIs(10));
}

TEST_F(Create, GivesEveryTryOnlyWhatIsLeft) {
  options_.timeout = absl::Seconds(1000);
  answers_ = {NotSent(absl::Seconds(300)), NotSent(absl::Seconds(300))};
  const absl::Time end = now_ + options_.timeout;
  EXPECT_TRUE(Session().ok());
  ASSERT_THAT(deadlines_, SizeIs(3));
  for (const absl::Time deadline : deadlines_) {
    EXPECT_LT(absl::AbsDuration(deadline - end), absl::Seconds(30)) << deadline;
  }
}

TEST_F(Create, PreparesEveryTry) {
  answers_ = {NotSent()};
  int prepared = 0;
  options_.prepare = [&prepared](grpc::ClientContext* context) {
    context->AddMetadata("x-merchant-id", absl::StrCat("m-", ++prepared));
  };
  EXPECT_TRUE(Session().ok());
  EXPECT_THAT(merchants_, ElementsAre("m-1", "m-2"));
}

TEST_F(Create, AsksAgainWithTheSameIdWhenTheConnectionBreaksAfterTheGatewayGotIt) {
  http::HttpRelay relay(std::stoi(gateway_.address().substr(gateway_.address().rfind(':') + 1)));
  bool broken = false;
  gateway_.sessions.create = [&](auto*, const auto& request, auto* response) {
    MutexLock lock(&mutex_);
    ids_.push_back(request.request_id());
    if (!std::exchange(broken, true)) relay.CutAll(http::HttpRelay::Cut::kReset);
    response->mutable_session()->set_session_id("s-1");
    response->set_replayed(ids_.size() > 1);
    return grpc::Status::OK;
  };
  v1::CreateSessionResponse response;
  const grpc::Status status =
      CreateSession(grpc::CreateChannel(absl::StrCat("127.0.0.1:", relay.port()),
                                        grpc::InsecureChannelCredentials()),
                    &request_, &response, CreateOptions{.first_pause = absl::Milliseconds(20)});
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.session().session_id(), "s-1");
  EXPECT_TRUE(response.replayed());
  EXPECT_THAT(ids_, SizeIs(2));
  EXPECT_THAT(ids_, Each(request_.request_id()));
}

TEST_F(Create, GivesUpOnAGatewayThatIsNotThere) {
  v1::CreateSessionResponse response;
  const grpc::Status status =
      CreateSession(grpc::CreateChannel("127.0.0.1:1", grpc::InsecureChannelCredentials()),
                    &request_, &response, options_);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_TRUE(DecodeError(status).reason.empty());
  EXPECT_THAT(pauses_, SizeIs(Ge(10u)));
}

TEST_F(Create, DoesNotRepeatWhatTheDeadlineEnded) {
  std::promise<void> answer;
  gateway_.sessions.create = [&, ready = answer.get_future().share()](auto*, const auto& request,
                                                                      auto*) {
    {
      MutexLock lock(&mutex_);
      ids_.push_back(request.request_id());
    }
    ready.wait();
    return grpc::Status::OK;
  };
  v1::CreateSessionResponse response;
  const grpc::Status status = CreateSession(Channel(), &request_, &response,
                                            CreateOptions{.timeout = absl::Milliseconds(500)});
  answer.set_value();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  MutexLock lock(&mutex_);
  EXPECT_THAT(ids_, SizeIs(1));
}

TEST(NewRequestId, IsAUuidAndAnotherEachTime) {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const std::string id = NewRequestId();
    EXPECT_THAT(id, MatchesRegex(kUuid));
    EXPECT_TRUE(seen.insert(id).second);
  }
}

}  // namespace
}  // namespace ipp::client
