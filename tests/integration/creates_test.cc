// Creates: at most once for a request_id, and honest about it.

#include <algorithm>
#include <regex>
#include <thread>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "kustom/ipp/v1/enrollment.grpc.pb.h"
#include "kustom/ipp/v1/outcome.grpc.pb.h"
#include "kustom/ipp/v1/session.grpc.pb.h"
#include "kustom/ipp/v1/session_event.grpc.pb.h"
#include "kustom/ipp/v1/simulation.grpc.pb.h"
#include "tests/support/gateway_streams.h"
#include "tests/support/gateway_under_test.h"

namespace ipp {
namespace {

namespace v1 = kustom::ipp::v1;
using Enrollments = v1::EnrollmentService::Stub;
using Outcomes = v1::OutcomeService::Stub;
using Sessions = v1::SessionService::Stub;
using Simulation = v1::SimulationService::Stub;
using grpc::StatusCode;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

constexpr char kId[] = "0a0b0c0d-0000-4000-8000-00000000000a";

class Creates : public testing::Test {
 protected:
  explicit Creates(GatewayBed::Options options = {}) : bed_(std::move(options)) {}

  v1::CreateSessionRequest Order() {
    auto request = Text<v1::CreateSessionRequest>(OrderText(device_));
    request.set_request_id(kId);
    return request;
  }
  auto Create(const v1::CreateSessionRequest& request, const CallOptions& options = {}) {
    return bed_.Call(&Sessions::CreateSession, request, options);
  }
  // One fault, as in the simulator's README.
  void Break(const std::string& rule) {
    bed_.simulator.Control("PUT", "/_sim/faults", absl::StrCat(R"({"faults": [)", rule, "]}"));
  }
  int Posts(const std::string& target = "/ipp/v1/sessions") {
    const auto requests = bed_.simulator.Requests();
    return static_cast<int>(std::count_if(requests.begin(), requests.end(), [&](const auto& r) {
      return r.call() == "POST " + target;
    }));
  }
  v1::CreateOutcome Outcome(const std::string& request_id = kId) {
    v1::GetCreateOutcomeRequest request;
    request.set_request_id(request_id);
    const auto reply = bed_.Call(&Outcomes::GetCreateOutcome, request);
    EXPECT_TRUE(Ok(reply));
    return reply.response.outcome();
  }
  // Asks until the outcome is so.
  v1::CreateOutcome OutcomeOnce(v1::CreateState state) {
    const absl::Time end = absl::Now() + absl::Seconds(30);
    for (;;) {
      v1::CreateOutcome outcome = Outcome();
      if (outcome.state() == state) return outcome;
      if (absl::Now() > end) {
        ADD_FAILURE() << outcome.ShortDebugString();
        return outcome;
      }
    }
  }
  std::vector<v1::SessionEvent> Log(const std::string& session) {
    v1::ListSessionEventsRequest request;
    request.mutable_filter()->add_session_ids(session);
    const auto reply = bed_.Call(&v1::SessionEventService::Stub::ListSessionEvents, request);
    EXPECT_TRUE(Ok(reply));
    return {reply.response.events().begin(), reply.response.events().end()};
  }

  GatewayBed bed_;
  const std::string device_ = bed_.NewDevice();
};

TEST_F(Creates, AreAnsweredAgainUnderTheSameId) {
  const auto first = Create(Order());
  const auto second = Create(Order());
  ASSERT_TRUE(Ok(first));
  ASSERT_TRUE(Ok(second));
  EXPECT_FALSE(first.response.replayed());
  EXPECT_TRUE(second.response.replayed());
  EXPECT_EQ(second.response.session().ShortDebugString(),
            first.response.session().ShortDebugString());
  EXPECT_EQ(second.trailers.at("x-request-id"), kId);
  EXPECT_EQ(Posts(), 1);
  bed_.RestartGateway();
  const auto later = Create(Order());
  ASSERT_TRUE(Ok(later));
  EXPECT_EQ(later.response.session().session_id(), first.response.session().session_id());
  EXPECT_EQ(Posts(), 1);
}

TEST_F(Creates, OfEveryKindAreAnsweredAgain) {
  auto enrollment = Text<v1::CreateEnrollmentRequest>(
      absl::StrCat("ttl: ENROLLMENT_TTL_TWO_HOURS location_id: '", kLocation1, "'"));
  enrollment.set_request_id(kId);
  const auto code = bed_.Call(&Enrollments::CreateEnrollment, enrollment);
  const auto code_again = bed_.Call(&Enrollments::CreateEnrollment, enrollment);
  ASSERT_TRUE(Ok(code));
  ASSERT_TRUE(Ok(code_again));
  EXPECT_TRUE(code_again.response.replayed());
  EXPECT_EQ(code_again.response.enrollment().ShortDebugString(),
            code.response.enrollment().ShortDebugString());
  EXPECT_EQ(Posts("/ipp/v1/enrollments"), 1);

  auto device = Text<v1::CreateSimulatedDeviceRequest>("name: 'Till 2'");
  device.set_request_id("0a0b0c0d-0000-4000-8000-00000000000b");
  const auto till = bed_.Call(&Simulation::CreateSimulatedDevice, device);
  const auto till_again = bed_.Call(&Simulation::CreateSimulatedDevice, device);
  ASSERT_TRUE(Ok(till));
  ASSERT_TRUE(Ok(till_again));
  EXPECT_TRUE(till_again.response.replayed());
  EXPECT_EQ(till_again.response.device().id(), till.response.device().id());
  EXPECT_EQ(Posts("/ipp/v1/dev/devices"), 2) << "the bed's own, and this one";
}

TEST_F(Creates, AreRefusedWhenAnotherHasTheId) {
  ASSERT_TRUE(Ok(Create(Order())));
  auto other = Order();
  other.mutable_order_items(0)->set_name("Tea");
  other.set_merchant_reference1("SHOP-1002");
  const auto reply = Create(other);
  EXPECT_TRUE(Refused(reply, StatusCode::INVALID_ARGUMENT, "REQUEST_ID_REUSED"));
  EXPECT_THAT(reply.fields(),
              testing::UnorderedElementsAre("merchant_reference1", "order_items[0].name"));
  EXPECT_THAT(reply.message, Not(HasSubstr("SHOP-1001"))) << "it may be somebody else's";

  auto enrollment = Text<v1::CreateEnrollmentRequest>(
      absl::StrCat("ttl: ENROLLMENT_TTL_TWO_HOURS location_id: '", kLocation1, "'"));
  enrollment.set_request_id(kId);
  const auto another_kind = bed_.Call(&Enrollments::CreateEnrollment, enrollment);
  EXPECT_TRUE(Refused(another_kind, StatusCode::INVALID_ARGUMENT, "REQUEST_ID_REUSED"));
  EXPECT_THAT(another_kind.fields(), ElementsAre("request_id"));
  EXPECT_EQ(Posts(), 1);
  EXPECT_EQ(Posts("/ipp/v1/enrollments"), 0);
}

TEST_F(Creates, JoinTheOneThatIsUnderWay) {
  Break(R"({"on": "create_session", "do": "delay", "delay_ms": 300})");
  std::vector<Reply<v1::CreateSessionResponse>> replies(4);
  std::vector<std::thread> callers;
  for (auto& reply : replies) callers.emplace_back([&] { reply = Create(Order()); });
  for (std::thread& caller : callers) caller.join();
  int replayed = 0;
  for (const auto& reply : replies) {
    ASSERT_TRUE(Ok(reply));
    EXPECT_EQ(reply.response.session().session_id(), replies[0].response.session().session_id());
    replayed += reply.response.replayed() ? 1 : 0;
  }
  EXPECT_EQ(replayed, 3);
  EXPECT_EQ(Posts(), 1);
}

TEST_F(Creates, KeepTheUpstreamsRefusal) {
  Break(R"({"on": "create_session", "do": "error_before", "status": 422, "count": 0})");
  const auto first = Create(Order());
  const auto second = Create(Order());
  for (const RpcEnd* end :
       {static_cast<const RpcEnd*>(&first), static_cast<const RpcEnd*>(&second)}) {
    EXPECT_TRUE(Refused(*end, StatusCode::INVALID_ARGUMENT, "UPSTREAM_REFUSED"));
    EXPECT_EQ(end->info("outcome"), "REJECTED");
  }
  EXPECT_EQ(second.info("replayed"), "true");
  EXPECT_EQ(Posts(), 1);
  EXPECT_EQ(Outcome().state(), v1::CREATE_STATE_REJECTED);
  EXPECT_EQ(Outcome().reason(), "UPSTREAM_REFUSED");
}

TEST_F(Creates, MayBeTriedAgainAfterALimit) {
  Break(R"({"on": "create_session", "do": "too_many", "retry_after": 7})");
  const auto first = Create(Order());
  EXPECT_TRUE(Refused(first, StatusCode::RESOURCE_EXHAUSTED, "UPSTREAM_RATE_LIMIT"));
  EXPECT_EQ(first.detail.retry_after, absl::Seconds(7));
  EXPECT_EQ(first.info("retry_safe"), "true");
  const auto second = Create(Order());
  ASSERT_TRUE(Ok(second));
  EXPECT_FALSE(second.response.replayed());
  EXPECT_EQ(Posts(), 2);
}

TEST_F(Creates, NameTheIdThatTheGatewayMade) {
  Break(R"({"on": "create_session", "do": "error_before", "status": 503})");
  auto request = Order();
  request.clear_request_id();
  const auto reply = Create(request, {.timeout = absl::Seconds(2)});
  EXPECT_TRUE(Refused(reply, StatusCode::UNKNOWN, "OUTCOME_UNKNOWN"));
  const std::string id = reply.info("request_id");
  EXPECT_EQ(reply.trailers.at("x-request-id"), id);
  EXPECT_EQ(Outcome(id).state(), v1::CREATE_STATE_UNKNOWN);
}

// The webhook is the first to know, then one read; the caller gets the session.
TEST_F(Creates, WhoseAnswerIsLostAreSettledByTheirWebhook) {
  Break(R"({"on": "create_session", "do": "reset_after_read"})");
  const auto reply = Create(Order());
  ASSERT_TRUE(Ok(reply));
  EXPECT_FALSE(reply.response.replayed());
  EXPECT_EQ(Posts(), 1);
  const std::string session = reply.response.session().session_id();
  const v1::CreateOutcome outcome = Outcome();
  EXPECT_EQ(outcome.state(), v1::CREATE_STATE_EXECUTED);
  EXPECT_EQ(outcome.session_id(), session);
  EXPECT_EQ(outcome.rpc(), "CreateSession");
  EXPECT_EQ(bed_.gateway.Metric("ipp_creates_settled_total"), 1);
  EXPECT_EQ(bed_.gateway.Metric("ipp_creates_doubled_total"), 0);
  const auto log = Log(session);
  ASSERT_EQ(log.size(), 1u);
  EXPECT_EQ(log[0].type(), v1::SESSION_EVENT_TYPE_CREATED);
  EXPECT_EQ(log[0].request_id(), kId);
  EXPECT_EQ(log[0].session().device_id(), device_);
}

// What it made cannot be discovered, so no caller waits for it.
TEST_F(Creates, OfACodeWhoseAnswerIsLostStayUnknownAtOnce) {
  Break(R"({"on": "create_enrollment", "do": "reset_after_read"})");
  auto request = Text<v1::CreateEnrollmentRequest>(
      absl::StrCat("ttl: ENROLLMENT_TTL_TWO_HOURS location_id: '", kLocation1, "'"));
  request.set_request_id(kId);
  for (int i = 0; i < 2; ++i) {
    const absl::Time begin = absl::Now();
    const auto reply = bed_.Call(&Enrollments::CreateEnrollment, request);
    EXPECT_TRUE(Refused(reply, StatusCode::UNKNOWN, "OUTCOME_UNKNOWN"));
    EXPECT_LT(absl::Now() - begin, absl::Seconds(20)) << "the deadline is 30 s";
  }
  EXPECT_EQ(Posts("/ipp/v1/enrollments"), 1);
}

TEST_F(Creates, GoOnWhenTheirCallerHasGone) {
  Break(R"({"on": "create_session", "do": "delay", "delay_ms": 400})");
  const auto reply = Create(Order(), {.timeout = absl::Milliseconds(150)});
  EXPECT_EQ(reply.code, StatusCode::DEADLINE_EXCEEDED);
  const v1::CreateOutcome outcome = OutcomeOnce(v1::CREATE_STATE_EXECUTED);
  const auto again = Create(Order());
  ASSERT_TRUE(Ok(again));
  EXPECT_EQ(again.response.session().session_id(), outcome.session_id());
  EXPECT_EQ(Posts(), 1);
}

TEST_F(Creates, CarryAWordThatNobodySees) {
  EventFeed feed(bed_.gateway.channel(), "position: START_POSITION_FROM_NOW");
  const auto reply = Create(Order());
  ASSERT_TRUE(Ok(reply));
  EXPECT_THAT(bed_.simulator.Requests().back().body,
              HasSubstr(absl::StrCat(R"("merchant_data":"ipp-gateway:)", kId)));
  EXPECT_EQ(reply.response.session().merchant_data(), "");
  v1::GetSessionRequest get;
  get.set_session_id(reply.response.session().session_id());
  EXPECT_EQ(bed_.Call(&Sessions::GetSession, get).response.session().merchant_data(), "");
  EXPECT_EQ(feed.NextEvent().session().merchant_data(), "");
  bed_.Tap(get.session_id());
  EXPECT_EQ(feed.NextEvent().session().merchant_data(), "");

  auto with_data = Order();
  with_data.set_request_id("0a0b0c0d-0000-4000-8000-00000000000b");
  with_data.set_merchant_data("mine");
  const auto second = Create(with_data);
  ASSERT_TRUE(Ok(second));
  EXPECT_THAT(bed_.simulator.Requests().back().body,
              HasSubstr(R"("merchant_reference2":"ipp-gateway:)"));
  EXPECT_EQ(second.response.session().merchant_data(), "mine");
  EXPECT_EQ(second.response.session().merchant_reference2(), "");
}

// Nothing reaches the gateway by itself.
class SilentCreates : public Creates {
 protected:
  SilentCreates() : Creates({.webhooks = false}) {
    Break(R"({"on": "create_session", "do": "reset_after_read"})");
  }
  v1::ListCreateOutcomesResponse Unknown() {
    const auto reply =
        bed_.Call(&Outcomes::ListCreateOutcomes,
                  Text<v1::ListCreateOutcomesRequest>("states: CREATE_STATE_UNKNOWN"));
    EXPECT_TRUE(Ok(reply));
    return reply.response;
  }
  static v1::WatchSessionRequest ByRequest() {
    v1::WatchSessionRequest request;
    request.set_request_id(kId);
    return request;
  }
  // The id of the session that the simulator made.
  std::string Made() {
    const std::string page = bed_.simulator.Control("GET", "/_sim/sessions");
    std::smatch match;
    EXPECT_TRUE(std::regex_search(page, match, std::regex(R"re("session_id":"([^"]+)")re")));
    return match[1];
  }
  // At the phone, without the gateway.
  void Pay(const std::string& session) {
    const RawResponse paid =
        CallHttp(bed_.simulator.port(), "POST",
                 absl::StrCat("/ipp/v1/dev/sessions/", session, "/simulate-tap"),
                 absl::StrCat("Authorization: Basic ", kApiKey, "\r\n"));
    EXPECT_EQ(paid.code, 200) << paid.body;
  }

  const CallOptions shortly_{.timeout = absl::Milliseconds(500)};
};

TEST_F(SilentCreates, StayUnknownUntilTheirSessionTurnsUp) {
  const auto reply = Create(Order(), shortly_);
  EXPECT_TRUE(Refused(reply, StatusCode::UNKNOWN, "OUTCOME_UNKNOWN"));
  EXPECT_EQ(reply.info("outcome"), "UNKNOWN");
  EXPECT_EQ(reply.info("retry_safe"), "false");
  EXPECT_EQ(reply.info("request_id"), kId);
  EXPECT_EQ(Unknown().outcomes_size(), 1);
  EXPECT_TRUE(Refused(Create(Order(), shortly_), StatusCode::UNKNOWN, "OUTCOME_UNKNOWN"));
  EXPECT_EQ(Posts(), 1) << "asking again sends nothing";

  SessionWatch watch(bed_.gateway.channel(), ByRequest());
  bed_.simulator.SetWebhookUrl(bed_.gateway.webhook_url());
  const std::string session = Made();
  Pay(session);
  EXPECT_EQ(watch.NextStep(), "FINALIZED");
  EXPECT_EQ(watch.NextStep(), "end");
  EXPECT_EQ(watch.session().session_id(), session);
  const auto settled = Create(Order());
  ASSERT_TRUE(Ok(settled));
  EXPECT_TRUE(settled.response.replayed());
  EXPECT_EQ(settled.response.session().session_id(), session);
  EXPECT_EQ(Posts(), 1);
  EXPECT_EQ(Unknown().outcomes_size(), 0);
}

// Both fields are the caller's: there is no word, and only the caller can find out.
TEST_F(SilentCreates, WithoutAWordStayUnknownAndAreNotSentAgain) {
  auto request = Order();
  request.set_merchant_data("mine");
  request.set_merchant_reference2("mine too");
  EXPECT_TRUE(Refused(Create(request, shortly_), StatusCode::UNKNOWN, "OUTCOME_UNKNOWN"));
  bed_.simulator.SetWebhookUrl(bed_.gateway.webhook_url());
  EventFeed feed(bed_.gateway.channel(), "position: START_POSITION_FROM_OLDEST");
  Pay(Made());
  const v1::SessionEvent told = feed.NextEvent();
  EXPECT_EQ(told.request_id(), "") << "nothing says which create made it";
  EXPECT_TRUE(Refused(Create(request, shortly_), StatusCode::UNKNOWN, "OUTCOME_UNKNOWN"));
  EXPECT_EQ(Posts(), 1);
  EXPECT_EQ(Unknown().outcomes(0).request_id(), kId);
}

TEST_F(SilentCreates, StayUnknownOverARestart) {
  EXPECT_TRUE(Refused(Create(Order(), shortly_), StatusCode::UNKNOWN, "OUTCOME_UNKNOWN"));
  bed_.RestartGateway();
  EXPECT_TRUE(Refused(Create(Order(), shortly_), StatusCode::UNKNOWN, "OUTCOME_UNKNOWN"));
  EXPECT_EQ(Posts(), 1);
}

// The phone's shop is there, the way to it is not yet.
TEST(CreatesUnsent, AreSentOnceTheUpstreamIsThere) {
  GatewayBed bed;
  const RawResponse device = CallHttp(
      bed.simulator.port(), "POST", "/ipp/v1/dev/devices",
      absl::StrCat("Authorization: Basic ", kApiKey, "\r\nContent-Type: application/json\r\n"),
      absl::StrCat(R"({"name": "Till", "location_id": ")", kLocation1, R"("})"));
  std::smatch id;
  ASSERT_TRUE(std::regex_search(device.body, id, std::regex(R"re("id":"([^"]+)")re")))
      << device.body;
  bed.simulator.Control("PUT", "/_sim/faults", R"({"faults": [
      {"on": "*", "do": "refuse_connection", "delay_ms": 400}]})");
  // The first connection is reset, and closes the port behind it.
  CallHttp(bed.simulator.port(), "GET", "/ipp/v1/locations");
  const auto reply =
      bed.Call(&Sessions::CreateSession, Text<v1::CreateSessionRequest>(OrderText(id[1])));
  ASSERT_TRUE(Ok(reply));
  EXPECT_FALSE(reply.response.replayed());
  EXPECT_GE(bed.gateway.Metric("ipp_upstream_requests_total",
                               {R"(operation="CreateSession")", R"(result="not_sent")"}),
            1);
}

// ---- Whose outcomes. ----

class OutcomesOf : public testing::Test {
 protected:
  CallOptions As(const std::string& caller) { return AsCaller(caller, ""); }

  GatewayBed bed_{{.two_merchants = true,
                   .configure = [](const TestDirectory& directory, config::Config& config) {
                     AddCaller(directory, "first", {kMerchant}, {"*"}, &config);
                     AddCaller(directory, "second", {kMerchant2}, {"*"}, &config);
                     AddCaller(directory, "till", {kMerchant}, {"sessions.write"}, &config);
                   }}};
};

TEST_F(OutcomesOf, ACallerAreNobodyElses) {
  const std::string device = bed_.NewDevice("Till 1", As("first"));
  std::vector<std::string> ids;
  for (int i = 0; i < 3; ++i) {
    const auto reply = bed_.Call(&Sessions::CreateSession,
                                 Text<v1::CreateSessionRequest>(OrderText(device)), As("first"));
    ASSERT_TRUE(Ok(reply));
    ids.push_back(reply.trailers.at("x-request-id"));
  }
  v1::GetCreateOutcomeRequest get;
  get.set_request_id(ids[0]);
  EXPECT_TRUE(Ok(bed_.Call(&Outcomes::GetCreateOutcome, get, As("first"))));
  EXPECT_TRUE(Refused(bed_.Call(&Outcomes::GetCreateOutcome, get, As("second")),
                      StatusCode::NOT_FOUND, "CREATE_NOT_FOUND"));
  EXPECT_TRUE(Refused(bed_.Call(&Outcomes::GetCreateOutcome, get, As("till")),
                      StatusCode::PERMISSION_DENIED, "PERMISSION_MISSING"));

  v1::ListCreateOutcomesRequest list;
  list.set_page_size(2);
  const auto page = bed_.Call(&Outcomes::ListCreateOutcomes, list, As("first"));
  ASSERT_TRUE(Ok(page));
  ASSERT_EQ(page.response.outcomes_size(), 2);
  EXPECT_EQ(page.response.outcomes(0).request_id(), ids[2]) << "the newest first";
  EXPECT_EQ(page.response.outcomes(0).caller(), "first");
  list.set_page_token(page.response.next_page_token());
  const auto rest = bed_.Call(&Outcomes::ListCreateOutcomes, list, As("first"));
  ASSERT_TRUE(Ok(rest));
  EXPECT_EQ(rest.response.outcomes_size(), 2) << "the last session and the device";
  EXPECT_EQ(rest.response.outcomes(1).rpc(), "CreateSimulatedDevice");
  EXPECT_EQ(rest.response.next_page_token(), "");
  EXPECT_TRUE(Refused(bed_.Call(&Outcomes::ListCreateOutcomes, list, As("second")),
                      StatusCode::INVALID_ARGUMENT, "INVALID_REQUEST"));
  EXPECT_EQ(bed_.Call(&Outcomes::ListCreateOutcomes, v1::ListCreateOutcomesRequest(), As("second"))
                .response.outcomes_size(),
            0);
}

}  // namespace
}  // namespace ipp
