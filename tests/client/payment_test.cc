// A payment that is not stopped: created once, followed to its end, whatever breaks.

#include "ippclient/payment.h"

#include <semaphore>
#include <thread>

#include "absl/strings/str_cat.h"
#include "tests/client/payment_bed.h"
#include "tests/support/http_relay.h"

namespace ipp::client {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;

const grpc::Status kReset = {grpc::StatusCode::INTERNAL, "RST_STREAM"};  // gRPC's own, not repeated
const grpc::Status kSocketClosed = {grpc::StatusCode::UNAVAILABLE, "Socket closed"};

TEST_F(PaymentBed, TellsEveryStepAndThatItIsPaid) {
  gateway_.creates.left = {Created()};
  auto declined = StepTo(kActive);
  declined.set_failure_reason("card_declined");
  gateway_.watches.left = {
      {.messages = {StepTo(kCreated), StepTo(kActive), declined, declined, StepTo(kFinalized)}}};
  const PaymentResult result = Collect();
  EXPECT_EQ(result.end, PaymentEnd::kPaid);
  EXPECT_EQ(result.money, Money::kPaid);
  EXPECT_EQ(result.session.order_id(), "o-1");
  EXPECT_EQ(result.request_id, "r-1");
  EXPECT_TRUE(result.status.ok());
  EXPECT_THAT(steps_, ElementsAre("CREATED", "ACTIVE", "ACTIVE card_declined",
                                  "ACTIVE card_declined", "FINALIZED"));
  EXPECT_THAT(gateway_.calls(), ElementsAre("create r-1", "watch s-1"));
}

TEST_F(PaymentBed, MakesAnIdBeforeTheFirstTry) {
  request_.clear_request_id();
  Payment payment(ChannelTo(port_), request_, options_);
  EXPECT_THAT(payment.request_id(), MatchesRegex("[0-9a-f-]{36}"));
  gateway_.creates.left = {{.status = NotSent()}, Created()};
  gateway_.watches.left = {{.messages = {StepTo(kFinalized)}}};
  const std::string create = absl::StrCat("create ", payment.request_id());
  EXPECT_EQ(payment.Collect().request_id, payment.request_id());
  EXPECT_THAT(gateway_.calls(), ElementsAre(create, create, "watch s-1"));
}

TEST_F(PaymentBed, SendsNoTextThatIsNotUtf8) {
  request_.set_merchant_reference1("Caf\xe9");
  const PaymentResult result = Collect();
  EXPECT_EQ(result.end, PaymentEnd::kNotCreated);
  EXPECT_EQ(result.money, Money::kNotPaid);
  EXPECT_EQ(result.status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(result.status.error_message(), ::testing::StartsWith("merchant_reference1: "));
  EXPECT_THAT(gateway_.calls(), IsEmpty());
}

TEST_F(PaymentBed, LooksUpAnEarlierCreateWhenItsTextIsNotUtf8Now) {
  request_.set_merchant_reference1("Caf\xe9");
  options_.resumed = true;
  gateway_.outcomes.left = {OutcomeIs(v1::CREATE_STATE_EXECUTED)};
  gateway_.watches.left = {{.messages = {StepTo(kFinalized)}}};
  EXPECT_EQ(Collect().end, PaymentEnd::kPaid);
  EXPECT_THAT(gateway_.calls(), ElementsAre("outcome r-1", "watch s-1"));
}

struct LastStep {
  const char* name;
  v1::SessionStatus status;
  PaymentEnd end;
  Money money;
};
class PaymentEndsAs : public PaymentBed, public ::testing::WithParamInterface<LastStep> {};

TEST_P(PaymentEndsAs, ItsSessionDid) {
  gateway_.creates.left = {Created()};
  gateway_.watches.left = {{.messages = {StepTo(kCreated), StepTo(GetParam().status)}}};
  const PaymentResult result = Collect();
  EXPECT_EQ(result.end, GetParam().end);
  EXPECT_EQ(result.money, GetParam().money);
  EXPECT_EQ(result.session.status(), GetParam().status);
}

INSTANTIATE_TEST_SUITE_P(
    All, PaymentEndsAs,
    ::testing::ValuesIn(std::vector<LastStep>{
        {"Finalized", v1::SESSION_STATUS_FINALIZED, PaymentEnd::kPaid, Money::kPaid},
        {"Cancelled", v1::SESSION_STATUS_CANCELLED, PaymentEnd::kCancelled, Money::kNotPaid},
        {"Expired", v1::SESSION_STATUS_EXPIRED, PaymentEnd::kExpired, Money::kNotPaid},
        {"Failed", v1::SESSION_STATUS_FAILED, PaymentEnd::kFailed, Money::kNotPaid}}),
    [](const auto& info) { return info.param.name; });

TEST_F(PaymentBed, AsksForABrokenWatchAgainAndTellsNoStepTwice) {
  gateway_.creates.left = {Created()};
  gateway_.watches.left = {{.messages = {StepTo(kCreated)}, .end = kSocketClosed},
                           {.messages = {StepTo(kCreated), StepTo(kActive)}, .end = kReset},
                           {.messages = {StepTo(kActive)}},  // ends as if it were over
                           {.messages = {}, .end = kReset},
                           {.messages = {StepTo(kActive), StepTo(kFinalized)}}};
  EXPECT_EQ(Collect().end, PaymentEnd::kPaid);
  EXPECT_THAT(steps_, ElementsAre("CREATED", "ACTIVE", "FINALIZED"));
  EXPECT_THAT(gateway_.calls(), ElementsAre("create r-1", "watch s-1", "watch s-1", "watch s-1",
                                            "watch s-1", "watch s-1"));
  // 100, then from the beginning after the stream that went on: 100, 200, 400; a quarter less each.
  EXPECT_GE(clock_.Now(), absl::Milliseconds(600));
}

// Also when it never had a heartbeat: a silent connection is not assumed to live.
TEST_F(PaymentBed, AsksAnewWhenAStreamIsSilentForThreeHeartbeats) {
  options_.heartbeat = absl::Seconds(20);
  gateway_.creates.left = {Created()};
  gateway_.watches.left = {{.messages = {StepTo(kActive)}, .silent = true},
                           {.messages = {StepTo(kActive), StepTo(kFinalized)}}};
  std::counting_semaphore<2> active{0};
  on_step_ = [&](v1::SessionStatus status) {
    if (status == kActive) active.release();
  };
  std::thread time([&] {
    active.acquire();  // before, the silence would be that of the network
    clock_.PassNextWait(absl::Seconds(60));
  });
  EXPECT_EQ(Collect().end, PaymentEnd::kPaid);
  active.release();
  clock_.Release();
  time.join();
  EXPECT_THAT(gateway_.calls(), ElementsAre("create r-1", "watch s-1", "watch s-1"));
}

TEST_F(PaymentBed, AsksAnewWhenAStreamWithHeartbeatsFallsSilent) {
  v1::WatchSessionResponse beat = StepTo(kActive);
  beat.set_heartbeat(true);
  gateway_.creates.left = {Created()};
  gateway_.watches.left = {{.messages = {StepTo(kActive), beat, beat}, .silent = true},
                           {.messages = {StepTo(kActive), StepTo(kFinalized)}}};
  std::counting_semaphore<2> active{0};
  on_step_ = [&](v1::SessionStatus status) {
    if (status == kActive) active.release();
  };
  std::thread time([&] {
    active.acquire();  // before, the silence would be that of the network
    clock_.PassNextWait(absl::Seconds(45));
  });
  EXPECT_EQ(Collect().end, PaymentEnd::kPaid);
  active.release();
  clock_.Release();
  time.join();
  EXPECT_THAT(steps_, ElementsAre("CREATED", "ACTIVE", "FINALIZED")) << "a heartbeat is no step";
  EXPECT_THAT(gateway_.calls(), ElementsAre("create r-1", "watch s-1", "watch s-1"));
}

TEST_F(PaymentBed, TakesAHeartbeatBeforeThereIsASession) {
  v1::WatchSessionResponse beat;
  beat.set_heartbeat(true);
  gateway_.creates.left = {{.status = OutcomeUnknown()}};
  gateway_.outcomes.left = {OutcomeIs(v1::CREATE_STATE_UNKNOWN)};
  gateway_.watches.left = {{.messages = {beat, StepTo(kActive), StepTo(kFinalized)}}};
  EXPECT_EQ(Collect().end, PaymentEnd::kPaid);
  EXPECT_THAT(steps_, ElementsAre("ACTIVE", "FINALIZED"));
}

TEST_F(PaymentBed, WaitsAsLongAsTheGatewayAsks) {
  gateway_.creates.left = {Created()};
  gateway_.watches.left = {{.messages = {StepTo(kCreated)},
                            .end = Refusal(absl::StatusCode::kResourceExhausted,
                                           "TOO_MANY_SUBSCRIBERS", {}, absl::Seconds(7))},
                           {.messages = {StepTo(kFinalized)}}};
  EXPECT_EQ(Collect().end, PaymentEnd::kPaid);
  EXPECT_GE(clock_.Now(), absl::Seconds(7));
}

TEST_F(PaymentBed, GivesUpOnWhatAskingAgainDoesNotHeal) {
  gateway_.creates.left = {Created()};
  gateway_.watches.left = {{.messages = {StepTo(kCreated), StepTo(kActive)},
                            .end = {grpc::StatusCode::PERMISSION_DENIED, "no"}}};
  const PaymentResult result = Collect();
  EXPECT_EQ(result.end, PaymentEnd::kGaveUp);
  EXPECT_EQ(result.money, Money::kNotKnown);
  EXPECT_EQ(result.session.status(), kActive);
  EXPECT_EQ(result.status.error_code(), grpc::StatusCode::PERMISSION_DENIED);
}

// What the first create ends with, and what is then true.
struct CreateEnd {
  const char* name;
  grpc::Status status;
  PaymentEnd end;
  Money money;
};
class PaymentWhoseCreate : public PaymentBed, public ::testing::WithParamInterface<CreateEnd> {};

TEST_P(PaymentWhoseCreate, Failed) {
  gateway_.creates.left = {{.status = GetParam().status}};
  gateway_.outcomes.left = {OutcomeIs(v1::CREATE_STATE_UNKNOWN)};
  const PaymentResult result = Collect();  // a watch finds no script
  EXPECT_EQ(result.end, GetParam().end);
  EXPECT_EQ(result.money, GetParam().money);
  EXPECT_FALSE(result.status.ok());
  if (GetParam().end == PaymentEnd::kNotCreated) {
    EXPECT_EQ(result.status.error_details(), GetParam().status.error_details());
    EXPECT_THAT(gateway_.calls(), ElementsAre("create r-1"));
  }
}

const std::map<std::string, std::string> kWasRejected = {{"outcome", "REJECTED"},
                                                         {"retry_safe", "true"}};
const std::map<std::string, std::string> kWasNotSent = {{"outcome", "NOT_SENT"},
                                                        {"retry_safe", "true"}};

INSTANTIATE_TEST_SUITE_P(
    All, PaymentWhoseCreate,
    ::testing::ValuesIn(std::vector<CreateEnd>{
        {"WasRefused",
         Refusal(absl::StatusCode::kInvalidArgument, "UPSTREAM_REFUSED", kWasRejected),
         PaymentEnd::kNotCreated, Money::kNotPaid},
        {"WasInvalid", Refusal(absl::StatusCode::kInvalidArgument, "INVALID_REQUEST", kWasNotSent),
         PaymentEnd::kNotCreated, Money::kNotPaid},
        {"WasNotAllowed",
         Refusal(absl::StatusCode::kPermissionDenied, "PERMISSION_MISSING", kWasNotSent),
         PaymentEnd::kNotCreated, Money::kNotPaid},
        {"HasAnIdOfAnother",
         Refusal(absl::StatusCode::kInvalidArgument, "REQUEST_ID_REUSED",
                 {{"outcome", "NOT_SENT"}, {"retry_safe", "false"}}),
         PaymentEnd::kGaveUp, Money::kNotKnown},
        {"FoundNoStore",
         Refusal(absl::StatusCode::kDataLoss, "STORE_UNAVAILABLE", {{"retry_safe", "true"}}),
         PaymentEnd::kGaveUp, Money::kNotKnown},
        {"IsUnknown", OutcomeUnknown(), PaymentEnd::kGaveUp, Money::kNotKnown},
        {"WasReset", kReset, PaymentEnd::kGaveUp, Money::kNotKnown}}),
    [](const auto& info) { return info.param.name; });

TEST_F(PaymentBed, FollowsACreateOfUnknownOutcomeByItsRequestId) {
  gateway_.creates.left = {{.status = OutcomeUnknown()}};
  gateway_.outcomes.left = {OutcomeIs(v1::CREATE_STATE_UNKNOWN)};
  gateway_.watches.left = {{.messages = {StepTo(kCreated), StepTo(kActive)}, .end = kReset},
                           {.messages = {StepTo(kFinalized)}}};
  EXPECT_EQ(Collect().end, PaymentEnd::kPaid);
  EXPECT_THAT(steps_, ElementsAre("CREATED", "ACTIVE", "FINALIZED"));
  EXPECT_THAT(gateway_.calls(), ElementsAre("create r-1", "outcome r-1", "watch r-1", "watch s-1"));
}

TEST_F(PaymentBed, LooksAgainForASessionThatIsNotThereYet) {
  gateway_.creates.left = {{.status = OutcomeUnknown()}};
  gateway_.outcomes.left = {OutcomeIs(v1::CREATE_STATE_UNKNOWN),
                            OutcomeIs(v1::CREATE_STATE_EXECUTED)};
  gateway_.watches.left = {{.silent = true}, {.messages = {StepTo(kFinalized)}}};
  // The look is over once the gateway has got it, not while it is on its way.
  std::thread time([this] {
    while (gateway_.calls().size() < 3) std::this_thread::yield();
    clock_.PassNextWait(kLook);
  });
  EXPECT_EQ(Collect().end, PaymentEnd::kPaid);
  time.join();
  EXPECT_THAT(gateway_.calls(),
              ElementsAre("create r-1", "outcome r-1", "watch r-1", "outcome r-1", "watch s-1"));
}

TEST_F(PaymentBed, LearnsOfARefusalWhoseAnswerWasLost) {
  gateway_.creates.left = {{.status = kReset}};
  auto refused = OutcomeIs(v1::CREATE_STATE_REJECTED);
  refused.response.mutable_outcome()->set_reason("UPSTREAM_REFUSED");
  refused.response.mutable_outcome()->set_message("no such phone");
  gateway_.outcomes.left = {refused};
  const PaymentResult result = Collect();
  EXPECT_EQ(result.end, PaymentEnd::kNotCreated);
  EXPECT_EQ(result.money, Money::kNotPaid);
  EXPECT_EQ(result.status.error_message(), "no such phone");
  EXPECT_EQ(DecodeError(result.status).reason, "UPSTREAM_REFUSED");
  EXPECT_EQ(DecodeError(result.status).outcome, Outcome::kRejected);
}

// That the gateway knows nothing of a create is proof only when none can be on its way any more.
TEST_F(PaymentBed, BelievesThatNothingWasSentOnceNoTryCanBeOnItsWay) {
  const PassingLooks time(&clock_);
  for (const bool heard : {true, false}) {
    gateway_.creates.left = {{.status = kReset}};
    gateway_.outcomes.left = {OutcomeIs(v1::CREATE_STATE_NOT_SENT)};
    if (!heard) {
      gateway_.outcomes.left = {
          {.status = Refusal(absl::StatusCode::kNotFound, "CREATE_NOT_FOUND", {})}};
    }
    gateway_.outcomes.for_ever = true;
    gateway_.watches.left = {{.silent = true}};
    gateway_.watches.for_ever = true;
    const absl::Duration began = clock_.Now();
    const PaymentResult result = Collect();
    EXPECT_EQ(result.end, PaymentEnd::kNotCreated);
    EXPECT_EQ(result.money, Money::kNotPaid);
    EXPECT_EQ(DecodeError(result.status).outcome, Outcome::kNotSent);
    EXPECT_EQ(clock_.Now() - began, 4 * kLook);  // three are 30 s, the time of a create
  }
}

TEST_F(PaymentBed, AsksForOutcomesOnlyOnceWhenItMayNot) {
  gateway_.creates.left = {{.status = kReset}};
  gateway_.outcomes.left = {{.status = {grpc::StatusCode::PERMISSION_DENIED, "no"}}};
  gateway_.watches.left = {{.messages = {}, .end = kReset}, {.messages = {StepTo(kFinalized)}}};
  EXPECT_EQ(Collect().end, PaymentEnd::kPaid);
  EXPECT_THAT(gateway_.calls(), ElementsAre("create r-1", "outcome r-1", "watch r-1", "watch r-1"));
}

TEST_F(PaymentBed, BelievesNoRefusalOfACallWhenItResumes) {
  // The token has run out: the gateway has not looked for the id.
  gateway_.creates.left = {
      {.status = Refusal(absl::StatusCode::kUnauthenticated, "TOKEN_UNKNOWN", kWasNotSent)}};
  gateway_.outcomes.left = {OutcomeIs(v1::CREATE_STATE_EXECUTED)};
  gateway_.watches.left = {{.messages = {StepTo(kFinalized)}}};
  options_.resumed = true;
  EXPECT_EQ(Collect().money, Money::kPaid);
  EXPECT_THAT(gateway_.calls(), ElementsAre("create r-1", "outcome r-1", "watch s-1"));
}

TEST_F(PaymentBed, PreparesEveryCall) {
  gateway_.creates.left = {{.status = OutcomeUnknown()}};
  gateway_.outcomes.left = {OutcomeIs(v1::CREATE_STATE_UNKNOWN)};
  gateway_.watches.left = {{.messages = {StepTo(kFinalized)}}};
  int prepared = 0;
  options_.prepare = [&](grpc::ClientContext*) { ++prepared; };
  EXPECT_EQ(Collect().end, PaymentEnd::kPaid);
  EXPECT_EQ(prepared, 3);
}

// The connection itself breaks, on a real socket, at each stage.
class PaymentOverARelay : public PaymentBed {
 protected:
  void Cut() { relay_.CutAll(http::HttpRelay::Cut::kReset); }
  PaymentResult Collect() {
    return Payment(ChannelTo(relay_.port()), request_, options_).Collect();
  }
  http::HttpRelay relay_{port_};
};

TEST_F(PaymentOverARelay, SurvivesACutDuringTheCreate) {
  auto cut = Created();
  cut.first = [this] { Cut(); };
  gateway_.creates.left = {cut, Created()};
  gateway_.watches.left = {{.messages = {StepTo(kFinalized)}}};
  EXPECT_EQ(Collect().end, PaymentEnd::kPaid);
  EXPECT_THAT(gateway_.calls(), ElementsAre("create r-1", "create r-1", "watch s-1"));
}

TEST_F(PaymentOverARelay, SurvivesACutBetweenCreateAndWatch) {
  on_step_ = [this](v1::SessionStatus status) {
    if (status == kCreated) Cut();
  };
  gateway_.creates.left = {Created()};
  gateway_.watches.left = {{.messages = {StepTo(kFinalized)}}, {.messages = {StepTo(kFinalized)}}};
  EXPECT_EQ(Collect().end, PaymentEnd::kPaid);
  EXPECT_EQ(relay_.accepted(), 2u);
}

TEST_F(PaymentOverARelay, SurvivesACutInMidWatch) {
  on_step_ = [this](v1::SessionStatus status) {
    if (status == kActive) Cut();
  };
  gateway_.creates.left = {Created()};
  gateway_.watches.left = {{.messages = {StepTo(kCreated), StepTo(kActive)}, .silent = true},
                           {.messages = {StepTo(kActive), StepTo(kFinalized)}}};
  EXPECT_EQ(Collect().end, PaymentEnd::kPaid);
  EXPECT_THAT(steps_, ElementsAre("CREATED", "ACTIVE", "FINALIZED"));
  EXPECT_THAT(gateway_.calls(), ElementsAre("create r-1", "watch s-1", "watch s-1"));
}

TEST(PaymentWithoutAGateway, IsNotKnownInTheEnd) {
  PaymentOptions options;
  ManualClock clock{/*short_wait=*/absl::Seconds(8)};
  options.clock = &clock;
  options.timeout = absl::Seconds(40);
  options.stop_timeout = absl::Seconds(1);
  const PaymentResult result =
      Payment(grpc::CreateChannel("127.0.0.1:1", grpc::InsecureChannelCredentials()), {}, options)
          .Collect();
  EXPECT_EQ(result.end, PaymentEnd::kStopped);
  EXPECT_EQ(result.money, Money::kNotKnown);
  EXPECT_EQ(result.status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(result.session.session_id(), IsEmpty());
}

}  // namespace
}  // namespace ipp::client
