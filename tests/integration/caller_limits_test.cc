// What one caller may use, and what is written down of what callers change.

#include <algorithm>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "kustom/ipp/v1/enrollment.grpc.pb.h"
#include "kustom/ipp/v1/location.grpc.pb.h"
#include "kustom/ipp/v1/session.grpc.pb.h"
#include "server/base/log.h"
#include "tests/support/gateway_streams.h"
#include "tests/support/gateway_under_test.h"
#include "tests/support/http_gate.h"

namespace ipp {
namespace {

namespace v1 = kustom::ipp::v1;
using Enrollments = v1::EnrollmentService::Stub;
using Events = v1::SessionEventService::Stub;
using Locations = v1::LocationService::Stub;
using Sessions = v1::SessionService::Stub;
using grpc::StatusCode;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

constexpr char kFromNow[] = "position: START_POSITION_FROM_NOW";
constexpr char kRequestId[] = "0a0b0c0d-0000-4000-8000-0000000000cc";

// "shop" has `limits`; "till" has the merchant and every permission too, and no limits.
std::function<void(const TestDirectory&, config::Config&)> WithLimits(const std::string& limits) {
  return [limits](const TestDirectory& directory, config::Config& config) {
    AddCaller(directory, "shop", {kMerchant}, {"*"}, &config);
    *config.mutable_callers(0)->mutable_limits() = Text<config::Limits>(limits);
    AddCaller(directory, "till", {kMerchant}, {"*"}, &config);
  };
}

template <typename Bed>
RpcEnd List(const Bed& gateway, const std::string& caller) {
  return gateway.Call(&Locations::ListLocations, v1::ListLocationsRequest(), AsCaller(caller));
}

void ExpectLimit(const RpcEnd& end, const std::string& scope, const std::string& limit) {
  EXPECT_TRUE(Refused(end, StatusCode::RESOURCE_EXHAUSTED, "CALLER_LIMIT"));
  EXPECT_EQ(end.info("scope"), scope);
  EXPECT_EQ(end.info("limit"), limit);
  EXPECT_EQ(end.info("outcome"), "NOT_SENT");
  EXPECT_EQ(end.info("retry_safe"), "true");
  ASSERT_TRUE(end.detail.retry_after.has_value());
  EXPECT_GT(*end.detail.retry_after, absl::ZeroDuration());
  EXPECT_LE(*end.detail.retry_after, absl::Seconds(1));
}

TEST(CallerLimits, OfTheRateAreForOneCallerAlone) {
  GatewayBed bed({.configure = WithLimits("requests_per_second: 2")});
  RpcEnd refused;
  int taken = 0;
  // However slow the machine is: as long as calls take less than half a second, one is refused.
  for (refused = List(bed, "shop"); refused.ok() && taken < 1000; ++taken) {
    refused = List(bed, "shop");
  }
  ExpectLimit(refused, "requests_per_second", "2");
  EXPECT_GE(taken, 2);
  bed.simulator.ForgetRequests();
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(Ok(List(bed, "till")));
  EXPECT_EQ(bed.simulator.Requests().size(), 10u) << "and the refused one was not sent";
}

TEST(CallerLimits, OfTheRateAreForNewStreamsToo) {
  GatewayBed bed({.configure = WithLimits("requests_per_second: 1")});
  RpcEnd refused;
  for (int i = 0; i < 1000 && refused.ok(); ++i) {
    EventFeed feed(bed.gateway.channel(), kFromNow, AsCaller("shop"));
    if (feed.started().cursor().empty()) refused = feed.End();
  }
  ExpectLimit(refused, "requests_per_second", "1");
  EventFeed other(bed.gateway.channel(), kFromNow, AsCaller("till"));
  EXPECT_NE(other.started().cursor(), "");
}

TEST(CallerLimits, OfWhatIsUnderWayAreForOneCallerAlone) {
  http::Event let_go;
  http::HttpGate gate([&](const http::GateRequest&, http::GatePeer& peer) {
    let_go.Wait();
    peer.Respond(200, R"({"content": [], "last": true})");
  });
  TestDirectory directory;
  config::Config config = TestConfig(directory, absl::StrCat("http://127.0.0.1:", gate.port()));
  config.mutable_upstream()->set_connections(4);
  WithLimits("in_flight: 1")(directory, config);
  RunningGateway gateway(config);
  RpcEnd first, other;
  std::thread slow([&] { first = List(gateway, "shop"); });
  gate.WaitForRequests(1);
  ExpectLimit(List(gateway, "shop"), "in_flight", "1");
  std::thread beside([&] { other = List(gateway, "till"); });
  gate.WaitForRequests(2);
  let_go.Set();
  slow.join();
  beside.join();
  EXPECT_TRUE(Ok(first));
  EXPECT_TRUE(Ok(other));
  // gRPC tells of the end of a call a moment after its caller has seen it.
  RpcEnd again;
  const absl::Time end = absl::Now() + absl::Seconds(30);
  do {
    again = List(gateway, "shop");
  } while (!again.ok() && absl::Now() < end);
  EXPECT_TRUE(Ok(again));
}

TEST(CallerLimits, OfStreamsGoBeforeTheGeneralOne) {
  GatewayBed bed({.configure = [](const TestDirectory& directory, config::Config& config) {
    WithLimits("subscribers: 2")(directory, config);
    config.mutable_events()->set_max_subscribers_per_caller(1);
  }});
  EventFeed one(bed.gateway.channel(), kFromNow, AsCaller("shop"));
  EventFeed two(bed.gateway.channel(), kFromNow, AsCaller("shop"));
  EXPECT_NE(two.started().cursor(), "");
  EventFeed three(bed.gateway.channel(), kFromNow, AsCaller("shop"));
  const RpcEnd end = three.End();
  EXPECT_TRUE(Refused(end, StatusCode::RESOURCE_EXHAUSTED, "TOO_MANY_SUBSCRIBERS"));
  EXPECT_EQ(end.info("limit"), "2");
  EXPECT_TRUE(end.detail.retry_after.has_value());
  EventFeed till(bed.gateway.channel(), kFromNow, AsCaller("till"));
  EXPECT_NE(till.started().cursor(), "");
}

// The audit lines that `story` makes the gateway write, without their time, peer and trace.
std::vector<std::string> AuditOf(const std::function<void(GatewayBed&)>& story) {
  std::vector<std::string> lines;
  testing::internal::CaptureStderr();
  {
    GatewayBed bed({.configure = [](const TestDirectory& directory, config::Config& config) {
      AddCaller(directory, "shop", {kMerchant}, {"*"}, &config);
      AddCaller(directory, "reader", {kMerchant}, {"sessions.read"}, &config);
    }});
    story(bed);
  }
  const std::string log = testing::internal::GetCapturedStderr();
  for (const absl::string_view line : absl::StrSplit(log, '\n')) {
    const size_t at = line.find("Z audit ");
    if (at == absl::string_view::npos) continue;
    const size_t trace = line.rfind(" trace_id=");
    EXPECT_EQ(line.size() - trace, sizeof(" trace_id=") - 1 + 32) << line;
    const size_t peer = line.rfind(" peer=");
    EXPECT_THAT(std::string(line.substr(peer, trace - peer)),
                testing::MatchesRegex(R"( peer=127\.0\.0\.1:[0-9]+ certificate=-)"));
    lines.emplace_back(line.substr(at + 8, peer - at - 8));
  }
  return lines;
}

TEST(Audit, HasOneLineForEachChangeAndNoneForAReading) {
  std::string device, session;
  const auto lines = AuditOf([&](GatewayBed& bed) {
    const CallOptions shop = AsCaller("shop");
    device = bed.NewDevice("Till", shop);
    auto order = Text<v1::CreateSessionRequest>(OrderText(device));
    order.set_request_id(kRequestId);
    const auto made = bed.Call(&Sessions::CreateSession, order, shop);
    session = made.response.session().session_id();
    v1::GetSessionRequest get;
    get.set_session_id(session);
    EXPECT_TRUE(Ok(bed.Call(&Sessions::GetSession, get, shop)));
    EXPECT_TRUE(Ok(List(bed, "shop")));
    v1::CancelSessionRequest cancel;
    cancel.set_session_id(session);
    EXPECT_TRUE(Ok(bed.Call(&Sessions::CancelSession, cancel, shop)));
  });
  ASSERT_EQ(lines.size(), 3u) << testing::PrintToString(lines);
  EXPECT_THAT(lines[0], testing::MatchesRegex(
                            "caller=shop rpc=CreateSimulatedDevice merchant=PM00000001 "
                            "request_id=[0-9a-f-]+ subject=- created=[0-9a-f-]+ outcome=EXECUTED "
                            "code=OK reason=-"));
  EXPECT_THAT(lines[0], HasSubstr(absl::StrCat("created=", device)));
  EXPECT_EQ(lines[1], absl::StrCat("caller=shop rpc=CreateSession merchant=PM00000001 request_id=",
                                   kRequestId, " subject=", device, " created=", session,
                                   " outcome=EXECUTED code=OK reason=-"));
  EXPECT_EQ(lines[2],
            absl::StrCat("caller=shop rpc=CancelSession merchant=PM00000001 request_id=- subject=",
                         session, " created=- outcome=EXECUTED code=OK reason=-"));
}

TEST(Audit, HasWhatWasRefusedAndByWhom) {
  const auto lines = AuditOf([](GatewayBed& bed) {
    v1::CancelSessionRequest cancel;
    cancel.set_session_id(kNobody);
    bed.Call(&Sessions::CancelSession, cancel, AsCaller("shop"));
    bed.Call(&Sessions::CancelSession, cancel, AsCaller("reader"));
    bed.Call(&Sessions::CancelSession, cancel, AsCaller("stranger"));
    bed.Call(&Sessions::CancelSession, cancel, AsCaller("shop", "PM9"));
    cancel.set_session_id("token-of-shop caller=other\n");
    bed.Call(&Sessions::CancelSession, cancel, AsCaller("shop"));
  });
  const std::string subject = absl::StrCat(" request_id=- subject=", kNobody, " created=- ");
  EXPECT_THAT(
      lines,
      ElementsAre(
          absl::StrCat("caller=shop rpc=CancelSession merchant=PM00000001", subject,
                       "outcome=REJECTED code=NOT_FOUND reason=NOT_FOUND"),
          absl::StrCat("caller=reader rpc=CancelSession merchant=-", subject,
                       "outcome=NOT_SENT code=PERMISSION_DENIED reason=PERMISSION_MISSING"),
          absl::StrCat("caller=- rpc=CancelSession merchant=-", subject,
                       "outcome=NOT_SENT code=UNAUTHENTICATED reason=TOKEN_UNKNOWN"),
          absl::StrCat("caller=shop rpc=CancelSession merchant=-", subject,
                       "outcome=NOT_SENT code=PERMISSION_DENIED reason=MERCHANT_NOT_ALLOWED"),
          "caller=shop rpc=CancelSession merchant=- request_id=- subject=- created=- "
          "outcome=NOT_SENT "
          "code=INVALID_ARGUMENT reason=INVALID_REQUEST"));
}

TEST(Audit, HasReadsOfStrangersAndWhatACallerMayNotRead) {
  const auto lines = AuditOf([](GatewayBed& bed) {
    v1::GetSessionRequest get;
    get.set_session_id(kNobody);
    bed.Call(&Sessions::GetSession, get, AsCaller("stranger"));
    bed.Call(&Sessions::GetSession, get, AsCaller("shop"));
    EXPECT_EQ(List(bed, "reader").code, StatusCode::PERMISSION_DENIED);
    EventFeed feed(bed.gateway.channel(), kFromNow, AsCaller("stranger"));
    EXPECT_EQ(feed.End().code, StatusCode::UNAUTHENTICATED);
    bed.Call(&Sessions::GetSession, get, AsCaller("reader", "PM9"));
    EventFeed denied(bed.gateway.channel(), kFromNow, AsCaller("reader"));
    EXPECT_EQ(denied.End().code, StatusCode::PERMISSION_DENIED);
    EventFeed narrowed(bed.gateway.channel(),
                       absl::StrCat(kFromNow, " filter { merchant_ids: 'PM9' }"), AsCaller("shop"));
    EXPECT_EQ(narrowed.End().code, StatusCode::PERMISSION_DENIED);
  });
  EXPECT_THAT(
      lines,
      ElementsAre(
          absl::StrCat("caller=- rpc=GetSession merchant=- request_id=- subject=", kNobody,
                       " created=- outcome=NOT_SENT code=UNAUTHENTICATED "
                       "reason=TOKEN_UNKNOWN"),
          "caller=reader rpc=ListLocations merchant=- request_id=- subject=- "
          "created=- outcome=NOT_SENT code=PERMISSION_DENIED reason=PERMISSION_MISSING",
          "caller=- rpc=SubscribeSessionEvents merchant=- request_id=- subject=- "
          "created=- outcome=- code=UNAUTHENTICATED reason=TOKEN_UNKNOWN",
          absl::StrCat("caller=reader rpc=GetSession merchant=- request_id=- subject=", kNobody,
                       " created=- outcome=NOT_SENT code=PERMISSION_DENIED "
                       "reason=MERCHANT_NOT_ALLOWED"),
          "caller=reader rpc=SubscribeSessionEvents merchant=- request_id=- subject=- "
          "created=- outcome=- code=PERMISSION_DENIED reason=PERMISSION_MISSING",
          "caller=shop rpc=SubscribeSessionEvents merchant=- request_id=- subject=- "
          "created=- outcome=- code=PERMISSION_DENIED reason=MERCHANT_NOT_ALLOWED"));
}

// A flood of strangers must not fill the disk: fifty lines at once, then ten a second.
TEST(Audit, LimitsTheReadsOfStrangers) {
  constexpr int kCalls = 200;
  const auto lines = AuditOf([](GatewayBed& bed) {
    v1::GetSessionRequest get;
    get.set_session_id(kNobody);
    for (int i = 0; i < kCalls; ++i) bed.Call(&Sessions::GetSession, get, AsCaller("stranger"));
  });
  EXPECT_GE(lines.size(), 50u);
  EXPECT_LT(lines.size(), kCalls);
}

// The same for a caller; a flood of strangers before it hides nothing of what the caller tries, and
// changes have a line each.
TEST(Audit, LimitsTheReadsThatACallerMayNotDoForThemselves) {
  constexpr int kCalls = 200;
  const auto lines = AuditOf([](GatewayBed& bed) {
    v1::GetSessionRequest get;
    get.set_session_id(kNobody);
    for (int i = 0; i < kCalls; ++i) bed.Call(&Sessions::GetSession, get, AsCaller("stranger"));
    for (int i = 0; i < kCalls; ++i) List(bed, "reader");
    v1::CancelSessionRequest cancel;
    cancel.set_session_id(kNobody);
    for (int i = 0; i < kCalls; ++i) bed.Call(&Sessions::CancelSession, cancel, AsCaller("reader"));
  });
  const auto count = [&lines](const std::string& beginning) {
    return std::count_if(lines.begin(), lines.end(), [&](const std::string& line) {
      return absl::StartsWith(line, beginning);
    });
  };
  EXPECT_GE(count("caller=reader rpc=ListLocations"), 50);
  EXPECT_LT(count("caller=reader rpc=ListLocations"), kCalls);
  EXPECT_EQ(count("caller=reader rpc=CancelSession"), kCalls);
}

TEST(Audit, AndTheDebugLogHoldNoSecret) {
  ASSERT_TRUE(SetLogLevel("debug").ok());
  testing::internal::CaptureStderr();
  std::string code;
  {
    GatewayBed bed({.configure = [](const TestDirectory& directory, config::Config& config) {
      AddCaller(directory, "shop", {kMerchant}, {"*"}, &config);
    }});
    const auto made =
        bed.Call(&Enrollments::CreateEnrollment,
                 Text<v1::CreateEnrollmentRequest>(
                     absl::StrCat("ttl: ENROLLMENT_TTL_TWO_HOURS location_id: '", kLocation1, "'")),
                 AsCaller("shop"));
    code = made.response.enrollment().enrollment_code();
  }
  const std::string log = testing::internal::GetCapturedStderr();
  ASSERT_TRUE(SetLogLevel("info").ok());
  ASSERT_NE(code, "");
  EXPECT_THAT(log, HasSubstr("debug call caller=shop rpc=CreateEnrollment code=OK request="));
  EXPECT_THAT(log, HasSubstr(R"(enrollment_code: \"********\")"));
  EXPECT_THAT(log, Not(HasSubstr(code)));
}

}  // namespace
}  // namespace ipp
