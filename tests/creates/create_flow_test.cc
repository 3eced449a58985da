#include "server/creates/create_flow.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "kustom/ipp/v1/enrollment.pb.h"
#include "server/base/error.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_served_call.h"
#include "tests/support/fake_store.h"
#include "tests/support/fake_tracer.h"

// The life of a create over a fake transport, store and clock.
namespace ipp::creates {
namespace {

namespace v1 = kustom::ipp::v1;
using ::testing::HasSubstr;
using ::testing::SizeIs;

upstream::CallResult Result(Outcome outcome, absl::Status status = absl::OkStatus()) {
  return {.status = std::move(status), .outcome = outcome, .page = {}};
}
absl::Status Error(absl::StatusCode code, const std::string& reason) {
  return MakeError(code, "the upstream said so", {.reason = reason});
}
std::string ReasonOf(const FakeServedCall& call) { return GetErrorDetail(*call.end()).reason; }
std::string InfoOf(const FakeServedCall& call, const std::string& key) {
  const auto metadata = GetErrorDetail(*call.end()).metadata;
  const auto found = metadata.find(key);
  return found == metadata.end() ? "-" : found->second;
}

class CreateFlowTest : public testing::Test {
 protected:
  // One caller's try under the id, with all that it waits for.
  struct Try {
    FakeServedCall call;
    v1::CreateEnrollmentRequest request;
    v1::CreateEnrollmentResponse response;
  };

  std::unique_ptr<Try> NewTry(const std::string& ttl = "TWO_HOURS") {
    auto one = std::make_unique<Try>();
    one->request.set_request_id("r1");
    one->request.set_ttl(ttl == "TWO_HOURS" ? v1::ENROLLMENT_TTL_TWO_HOURS
                                            : v1::ENROLLMENT_TTL_UNSPECIFIED);
    return one;
  }
  void Run(Try& one, CreateShape shape = {}, bool is_callers = true) {
    CreateOnce(tools_,
               {.call = &one.call,
                .route = routes_->Find("kustom.ipp.v1.EnrollmentService/CreateEnrollment"),
                .context = {.merchant_id = "PM1",
                            .trace = {},
                            .deadline = clock_.Now() + absl::Seconds(10)},
                .id = {"PM1", "r1", is_callers},
                .caller = "till",
                .request = &one.request,
                .response = &one.response},
               std::move(shape));
    store_.RunAll();
  }
  void Pass(absl::Duration time) {
    for (absl::Duration passed; passed < time; passed += absl::Milliseconds(50)) {
      scheduler_.Advance(absl::Milliseconds(50));
      store_.RunAll();
    }
  }
  // A first try that ends so.
  std::unique_ptr<Try> RunOne(upstream::CallResult result, const std::string& made = "") {
    auto one = NewTry();
    v1::CreateEnrollmentResponse response;
    response.mutable_enrollment()->set_enrollment_id(made);
    one->call.Answer(std::move(result), &response);
    Run(*one);
    return one;
  }

  FakeClock clock_;
  FakeScheduler scheduler_{&clock_};
  Metrics metrics_;
  store::FakeStore store_{&clock_, store::FakeStore::Mode::kManual};
  std::unique_ptr<routes::RouteTable> routes_ = routes::RouteTable::CompileContract().value();
  CreateLedger ledger_{&store_, &clock_, &scheduler_, &metrics_, {}};
  RestoreHold hold_{&store_, &metrics_};
  CreateTools tools_{.ledger = &ledger_,
                     .restore_hold = &hold_,
                     .store = &store_,
                     .clock = &clock_,
                     .scheduler = &scheduler_,
                     .send_for = absl::Seconds(5)};
};

TEST_F(CreateFlowTest, AnswersASecondCallFromTheLedger) {
  const auto first = RunOne(Result(Outcome::kExecuted), "e1");
  ASSERT_EQ(first->call.end(), absl::OkStatus());
  EXPECT_FALSE(first->response.replayed());
  const auto second = NewTry();
  Run(*second);
  ASSERT_EQ(second->call.end(), absl::OkStatus());
  EXPECT_THAT(second->call.sent(), SizeIs(0));
  EXPECT_TRUE(second->response.replayed());
  EXPECT_EQ(second->response.enrollment().enrollment_id(), "e1");
}

// The waits for the ledger have spans under the call's.
TEST_F(CreateFlowTest, RecordsWhatItWaitsForTheLedger) {
  FakeTracer tracer;
  tools_.tracer = &tracer;
  const std::string trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  for (const char* answer : {"send", "replay"}) {
    const auto one = NewTry();
    one->call.set_trace({.traceparent = trace});
    v1::CreateEnrollmentResponse response;
    response.mutable_enrollment()->set_enrollment_id("e1");
    one->call.Answer(Result(Outcome::kExecuted), &response);
    Run(*one);
    ASSERT_EQ(one->call.end(), absl::OkStatus());
    const auto first = tracer.ended().at(answer == std::string("send") ? 0 : 2);
    EXPECT_EQ(first.name, "ledger.reserve");
    EXPECT_EQ(first.attributes,
              (std::map<std::string, std::string>{{"ipp.ledger.answer", answer}}));
  }
  ASSERT_THAT(tracer.ended(), SizeIs(3)) << "what is replayed is not completed again";
  EXPECT_EQ(tracer.ended()[1].name, "ledger.complete");
  EXPECT_EQ(tracer.open(), 0);
  for (const auto& span : tracer.ended()) {
    EXPECT_EQ(span.parent, trace);
    EXPECT_EQ(span.failed, "");
  }
}

TEST_F(CreateFlowTest, RecordsAWaitThatFails) {
  FakeTracer tracer;
  tools_.tracer = &tracer;
  store_.FailCommits(absl::UnavailableError("no disk"), 100);
  const auto one = NewTry();
  one->call.set_trace({.traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"});
  Run(*one);
  Pass(absl::Seconds(11));
  ASSERT_THAT(tracer.ended(), SizeIs(1));
  EXPECT_EQ(tracer.ended()[0].failed, "UNAVAILABLE");
}

// It is durable before a byte of it leaves.
TEST_F(CreateFlowTest, SendsNothingThatIsNotWrittenDown) {
  store_.FailCommits(absl::UnavailableError("no disk"), 100);
  const auto one = NewTry();
  Run(*one);
  Pass(absl::Seconds(11));
  ASSERT_TRUE(one->call.end().has_value());
  EXPECT_EQ(ReasonOf(*&one->call), "STORE_UNAVAILABLE");
  EXPECT_THAT(one->call.sent(), SizeIs(0));
}

TEST_F(CreateFlowTest, SendsAgainWhatWasNotSent) {
  const auto one = NewTry();
  const absl::Status down = Error(absl::StatusCode::kUnavailable, "UPSTREAM_UNAVAILABLE");
  one->call.Answer(Result(Outcome::kNotSent, down));
  one->call.Answer(Result(Outcome::kNotSent, down));
  one->call.Answer(Result(Outcome::kExecuted));
  Run(*one);
  EXPECT_FALSE(one->call.end().has_value());
  Pass(absl::Seconds(1));
  EXPECT_EQ(one->call.end(), absl::OkStatus());
  EXPECT_THAT(one->call.sent(), SizeIs(3));
}

TEST_F(CreateFlowTest, GivesTheIdBackWhenItCannotBeSent) {
  const auto one = NewTry();
  const absl::Status down = Error(absl::StatusCode::kUnavailable, "UPSTREAM_UNAVAILABLE");
  for (int i = 0; i < 100; ++i) one->call.Answer(Result(Outcome::kNotSent, down));
  Run(*one);
  Pass(absl::Seconds(6));
  ASSERT_TRUE(one->call.end().has_value());
  EXPECT_EQ(ReasonOf(one->call), "UPSTREAM_UNAVAILABLE");
  const auto second = RunOne(Result(Outcome::kExecuted), "e1");
  EXPECT_EQ(second->call.end(), absl::OkStatus());
  EXPECT_FALSE(second->response.replayed());
}

TEST_F(CreateFlowTest, NeverSendsAgainWhatMayHaveBeenDone) {
  const auto one =
      RunOne(Result(Outcome::kUnknown, Error(absl::StatusCode::kUnknown, "OUTCOME_UNKNOWN")));
  EXPECT_EQ(ReasonOf(one->call), "OUTCOME_UNKNOWN");
  const auto second = NewTry();
  Run(*second);
  Pass(absl::Seconds(11));
  ASSERT_TRUE(second->call.end().has_value());
  EXPECT_EQ(ReasonOf(second->call), "OUTCOME_UNKNOWN");
  EXPECT_EQ(InfoOf(second->call, "outcome"), "UNKNOWN");
  EXPECT_THAT(second->call.sent(), SizeIs(0));
}

TEST_F(CreateFlowTest, TakesAnAnswerThatDoesNotSayWhatWasMadeForUnknown) {
  const auto one = NewTry();
  one->call.Answer(Result(Outcome::kExecuted));
  Run(*one, {.has_resource_id = [](const google::protobuf::Message&) { return false; }});
  ASSERT_TRUE(one->call.end().has_value());
  EXPECT_EQ(ReasonOf(one->call), "UPSTREAM_MALFORMED");
  EXPECT_EQ(InfoOf(one->call, "outcome"), "UNKNOWN");
  const auto second = NewTry();
  Run(*second);
  Pass(absl::Seconds(11));
  EXPECT_THAT(second->call.sent(), SizeIs(0));
}

TEST_F(CreateFlowTest, KeepsARefusalOfTheRequestButNotOfTheMoment) {
  const auto busy = RunOne(Result(
      Outcome::kRejected, Error(absl::StatusCode::kResourceExhausted, "UPSTREAM_RATE_LIMITED")));
  EXPECT_EQ(ReasonOf(busy->call), "UPSTREAM_RATE_LIMITED");
  const auto refused = RunOne(
      Result(Outcome::kRejected, Error(absl::StatusCode::kInvalidArgument, "INVALID_REQUEST")));
  EXPECT_THAT(refused->call.sent(), SizeIs(1));
  const auto second = NewTry();
  Run(*second);
  EXPECT_THAT(second->call.sent(), SizeIs(0));
  EXPECT_EQ(ReasonOf(second->call), "INVALID_REQUEST");
  EXPECT_EQ(InfoOf(second->call, "replayed"), "true");
}

TEST_F(CreateFlowTest, SaysWhatDiffersAndWhatBecameOfTheOther) {
  RunOne(Result(Outcome::kExecuted), "e1");
  const auto other = NewTry("ANOTHER");
  Run(*other);
  EXPECT_EQ(ReasonOf(other->call), "REQUEST_ID_REUSED");
  EXPECT_EQ(InfoOf(other->call, "earlier_outcome"), "EXECUTED");
  EXPECT_THAT(std::string(other->call.end()->message()), HasSubstr("ttl"));
  EXPECT_FALSE(other->call.ledger_asked());
  // Of a tombstone only a digest is left.
  store_.TrimIntents();
  const auto late = NewTry("ANOTHER");
  Run(*late);
  EXPECT_EQ(ReasonOf(late->call), "REQUEST_ID_REUSED");
  EXPECT_THAT(std::string(late->call.end()->message()), HasSubstr("differs in request_id"));
}

TEST_F(CreateFlowTest, SendsNothingForACallerThatHasGone) {
  const auto one = NewTry();
  one->call.Go();
  Run(*one);
  ASSERT_TRUE(one->call.end().has_value());
  EXPECT_TRUE(absl::IsCancelled(*one->call.end()));
  EXPECT_THAT(one->call.sent(), SizeIs(0));
  EXPECT_EQ(RunOne(Result(Outcome::kExecuted), "e1")->call.end(), absl::OkStatus());
}

TEST_F(CreateFlowTest, KeepsTheEndOfACreateWhoseCallerHasGoneMeanwhile) {
  store_.Hold();
  const auto one = NewTry();
  one->call.Answer(Result(Outcome::kExecuted));
  Run(*one);
  store_.Release();
  store_.RunAll();
  ASSERT_EQ(one->call.end(), absl::OkStatus());
  const auto second = NewTry();
  Run(*second);
  EXPECT_TRUE(second->response.replayed());
}

TEST_F(CreateFlowTest, HoldsWhatARestoredLedgerMayHaveForgotten) {
  store_.BeginEpoch({.hold_creates_until = clock_.Now() + absl::Minutes(10)},
                    [](const absl::StatusOr<store::LogBounds>& b) { ASSERT_TRUE(b.ok()); });
  store_.RunAll();
  const auto held = NewTry();
  Run(*held);
  ASSERT_TRUE(held->call.end().has_value());
  EXPECT_EQ(ReasonOf(held->call), "RESTORED_HOLDING");
  EXPECT_THAT(held->call.sent(), SizeIs(0));
  EXPECT_FALSE(held->call.ledger_asked());
  // An id that was made just now is new by itself.
  const auto fresh = NewTry();
  fresh->call.Answer(Result(Outcome::kExecuted));
  Run(*fresh, {}, /*is_callers=*/false);
  EXPECT_EQ(fresh->call.end(), absl::OkStatus());
}

TEST_F(CreateFlowTest, ARefusedRequestSaysWhatIsKnownOfItsId) {
  const auto refuse = [&](bool is_callers) {
    auto one = NewTry();
    RefuseCreation(tools_, &one->call, {"PM1", "r1", is_callers},
                   Error(absl::StatusCode::kInvalidArgument, "INVALID_REQUEST"));
    store_.RunAll();
    return one;
  };
  EXPECT_TRUE(refuse(true)->call.ledger_asked());  // nothing was ever sent
  RunOne(Result(Outcome::kExecuted), "e1");
  const auto known = refuse(true);
  EXPECT_EQ(InfoOf(known->call, "earlier_outcome"), "EXECUTED");
  EXPECT_FALSE(known->call.ledger_asked());
  EXPECT_EQ(InfoOf(refuse(false)->call, "earlier_outcome"), "-");
}

// Callers on many threads with one id: one request, one answer for all.
TEST(CreateFlow, IsDoneOnceForManyThreads) {
  FakeClock clock;
  ThreadScheduler scheduler;
  Metrics metrics;
  store::FakeStore store(&clock);
  const auto routes = routes::RouteTable::CompileContract().value();
  CreateLedger ledger(&store, &clock, &scheduler, &metrics, {.look = absl::Milliseconds(1)});
  const CreateTools tools{.ledger = &ledger,
                          .restore_hold = nullptr,
                          .store = &store,
                          .clock = &clock,
                          .scheduler = &scheduler};
  struct Caller final : CreateCall {
    const TraceContext& trace() const override { return context; }
    bool cancelled() const override { return false; }
    void set_ledger_asked() override {}
    void Start(const routes::Route&, const google::protobuf::Message&,
               google::protobuf::Message* answer, const upstream::CallContext&,
               absl::AnyInvocable<void(upstream::CallResult) &&> then) override {
      ++*requests;
      static_cast<v1::CreateEnrollmentResponse*>(answer)->mutable_enrollment()->set_enrollment_id(
          "e1");
      std::move(then)(Result(Outcome::kExecuted));
    }
    void Finish(const absl::Status& status) override {
      MutexLock lock(&mutex);
      end = status;
      ended.SignalAll();
    }
    void Wait() {
      MutexLock lock(&mutex);
      while (!end) ended.Wait(&mutex);
    }
    std::atomic<int>* requests = nullptr;
    TraceContext context;
    v1::CreateEnrollmentRequest request;
    v1::CreateEnrollmentResponse response;
    Mutex mutex;
    CondVar ended;
    std::optional<absl::Status> end ABSL_GUARDED_BY(mutex);
  };
  std::atomic<int> requests = 0;
  std::vector<std::unique_ptr<Caller>> callers;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    callers.push_back(std::make_unique<Caller>());
    callers.back()->requests = &requests;
    threads.emplace_back([&tools, &routes, &clock, caller = callers.back().get()] {
      CreateOnce(tools,
                 {.call = caller,
                  .route = routes->Find("kustom.ipp.v1.EnrollmentService/CreateEnrollment"),
                  .context = {.merchant_id = "PM1",
                              .trace = {},
                              .deadline = clock.Now() + absl::Seconds(10)},
                  .id = {"PM1", "r1", true},
                  .caller = "till",
                  .request = &caller->request,
                  .response = &caller->response},
                 {});
    });
  }
  for (std::thread& thread : threads) thread.join();
  int replayed = 0;
  for (const auto& caller : callers) {
    caller->Wait();
    EXPECT_EQ(caller->response.enrollment().enrollment_id(), "e1");
    replayed += caller->response.replayed() ? 1 : 0;
  }
  EXPECT_EQ(requests, 1);
  EXPECT_EQ(replayed, 7);
}

}  // namespace
}  // namespace ipp::creates
