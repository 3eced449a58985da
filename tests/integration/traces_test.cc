// A distributed trace (W3C Trace Context) through the gateway: in with a call, out to the upstream,
// kept with what the call made, named in every line of the log.

#include <functional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "kustom/ipp/v1/outcome.grpc.pb.h"
#include "server/base/log.h"
#include "tests/support/gateway_streams.h"
#include "tests/support/gateway_under_test.h"

namespace ipp {
namespace {

namespace v1 = kustom::ipp::v1;
using Sessions = v1::SessionService::Stub;
using testing::Contains;
using testing::HasSubstr;
using testing::MatchesRegex;

constexpr char kTraceparent[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
constexpr char kTraceId[] = "4bf92f3577b34da6a3ce929d0e0e4736";
constexpr char kTracestate[] = "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE";
constexpr char kRequestId[] = "0a0b0c0d-0000-4000-8000-00000000000a";
constexpr char kFromOldest[] = "position: START_POSITION_FROM_OLDEST";

CallOptions Traced() {
  return {.metadata = {{"traceparent", kTraceparent}, {"tracestate", kTracestate}}};
}

v1::CreateSessionRequest Order(const std::string& device) {
  auto request = Text<v1::CreateSessionRequest>(OrderText(device));
  request.set_request_id(kRequestId);
  return request;
}

// Lines that the gateway writes during the story, from the level debug on.
std::vector<std::string> LogOf(const std::function<void()>& story) {
  testing::internal::CaptureStderr();
  EXPECT_TRUE(SetLogLevel("debug").ok());
  story();
  EXPECT_TRUE(SetLogLevel("info").ok());
  return absl::StrSplit(testing::internal::GetCapturedStderr(), '\n', absl::SkipEmpty());
}

TEST(Trace, GoesToTheUpstreamAsItCame) {
  GatewayBed bed;
  const std::string device = bed.NewDevice();
  bed.simulator.ForgetRequests();
  ASSERT_TRUE(Ok(bed.Call(&Sessions::CreateSession, Order(device), Traced())));
  const SeenRequest seen = bed.simulator.OnlyRequest();
  EXPECT_EQ(seen.header("traceparent"), kTraceparent);
  EXPECT_EQ(seen.header("tracestate"), kTracestate);
}

TEST(Trace, BeginsHereWhereNoneCame) {
  GatewayBed bed;
  const std::string device = bed.NewDevice();
  bed.simulator.ForgetRequests();
  CallOptions lost;
  lost.metadata["tracestate"] = kTracestate;
  ASSERT_TRUE(Ok(bed.Call(&Sessions::CreateSession, Order(device), lost)));
  const SeenRequest seen = bed.simulator.OnlyRequest();
  EXPECT_THAT(seen.header("traceparent"), MatchesRegex("00-[0-9a-f]{32}-[0-9a-f]{16}-00"));
  EXPECT_EQ(seen.header("tracestate"), "") << "of no trace";
}

TEST(Trace, StaysWithTheSessionOverARestart) {
  GatewayBed bed;
  const auto made = bed.Call(&Sessions::CreateSession, Order(bed.NewDevice()), Traced());
  const std::string session = made.response.session().session_id();
  bed.RestartGateway();
  bed.Tap(session, "LOST_CARD", {});

  EventFeed feed(bed.gateway.channel(), kFromOldest);
  for (const char* type : {"CREATED", "ACTIVATED", "PAYMENT_FAILED", "FINALIZED"}) {
    const v1::SessionEvent event = feed.NextEvent();
    EXPECT_EQ(ShortName(event.type()), type);
    EXPECT_EQ(event.traceparent(), kTraceparent) << type;
    EXPECT_EQ(event.tracestate(), kTracestate) << type;
    if (std::string(type) == "PAYMENT_FAILED") bed.Tap(session, "SUCCESS", {});
  }
  v1::GetCreateOutcomeRequest ask;
  ask.set_request_id(kRequestId);
  EXPECT_EQ(
      bed.Call(&v1::OutcomeService::Stub::GetCreateOutcome, ask).response.outcome().traceparent(),
      kTraceparent);
}

TEST(Trace, OfTheReadsOfASessionIsTheOneThatMadeIt) {
  GatewayBed bed({.webhooks = false, .configure = [](const TestDirectory&, config::Config& config) {
                    config.mutable_reconcile()->mutable_first()->set_seconds(0);
                    config.mutable_reconcile()->mutable_first()->set_nanos(100'000'000);
                  }});
  const auto made = bed.Call(&Sessions::CreateSession, Order(bed.NewDevice()), Traced());
  bed.simulator.ForgetRequests();
  bed.simulator.Step(made.response.session().session_id(), "expire");
  EventFeed feed(bed.gateway.channel(), kFromOldest);
  EXPECT_EQ(ShortName(feed.NextEvent().type()), "CREATED");
  const v1::SessionEvent expired = feed.NextEvent();
  EXPECT_EQ(ShortName(expired.type()), "EXPIRED");
  EXPECT_EQ(expired.traceparent(), kTraceparent);
  for (const SeenRequest& seen : bed.simulator.Requests()) {
    if (seen.method == "GET") {
      EXPECT_EQ(seen.header("traceparent"), kTraceparent) << seen.target;
    }
  }
}

TEST(Trace, IsNamedInEveryError) {
  GatewayBed bed;
  v1::GetSessionRequest nobody;
  nobody.set_session_id(kNobody);
  EXPECT_EQ(bed.Call(&Sessions::GetSession, nobody, Traced()).info("trace_id"), kTraceId);
  EXPECT_THAT(bed.Call(&Sessions::GetSession, nobody).info("trace_id"),
              MatchesRegex("[0-9a-f]{32}"));
  nobody.set_session_id("no id");
  EXPECT_EQ(bed.Call(&Sessions::GetSession, nobody, Traced()).info("trace_id"), kTraceId);
  EventFeed refused(bed.gateway.channel(), "after_cursor: 'none'", Traced());
  EXPECT_EQ(refused.End().info("trace_id"), kTraceId);
}

TEST(Trace, IsInEveryLineOfTheLogThatBelongsToACall) {
  GatewayBed bed({.webhooks = false});
  const std::string device = bed.NewDevice();
  EventFeed feed(bed.gateway.channel(), kFromOldest);
  const auto lines = LogOf([&] {
    const auto made = bed.Call(&Sessions::CreateSession, Order(device), Traced());
    // From here on: when a webhook overtakes the answer, it is not known yet what made its session.
    bed.simulator.SetWebhookUrl(bed.gateway.webhook_url());
    bed.Tap(made.response.session().session_id(), "SUCCESS", Traced());
    while (ShortName(feed.NextEvent().type()) != "FINALIZED") {
    }
    // The last webhook is answered, and its line written, after its event was seen.
    bed.gateway.WaitForMetric("ipp_webhooks_total", 2);
    bed.gateway.Drain();
  });
  const std::string name = absl::StrCat(" trace_id=", kTraceId);
  for (const char* what :
       {" audit caller=", " debug call ", " info webhook taken", " info session event"}) {
    EXPECT_THAT(lines, Contains(testing::AllOf(HasSubstr(what), HasSubstr(name)))) << what;
    for (const std::string& line : lines) {
      if (line.find(what) != std::string::npos) {
        EXPECT_THAT(line, HasSubstr(name));
      }
    }
  }
}

}  // namespace
}  // namespace ipp
