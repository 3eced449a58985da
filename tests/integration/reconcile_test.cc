// What no webhook tells of: the gateway reads it.

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "google/protobuf/util/time_util.h"
#include "kustom/ipp/v1/location.grpc.pb.h"
#include "kustom/ipp/v1/session.grpc.pb.h"
#include "tests/support/gateway_streams.h"
#include "tests/support/gateway_under_test.h"
#include "tests/support/http_gate.h"

namespace ipp {
namespace {

namespace v1 = kustom::ipp::v1;
using google::protobuf::util::TimeUtil;
using testing::ElementsAre;

void Hasten(config::Config& config) {
  config::Reconcile& reconcile = *config.mutable_reconcile();
  *reconcile.mutable_first() = TimeUtil::MillisecondsToDuration(100);
  *reconcile.mutable_max() = TimeUtil::MillisecondsToDuration(400);
  *reconcile.mutable_watched() = TimeUtil::MillisecondsToDuration(100);
  reconcile.set_reads_per_second(1000);
}

// "EXPIRED RECONCILIATION"
std::string Line(const v1::SessionEvent& event) {
  return absl::StrCat(ShortName(event.type()), " ",
                      v1::SessionEventSource_Name(event.source())
                          .substr(std::string("SESSION_EVENT_SOURCE_").size()));
}

// A webhook, true or not.
void TellOf(const RunningGateway& gateway, const std::string& session,
            const std::string& type = "activated", int number = 1) {
  const std::string body =
      absl::StrCat(R"({"id": "kevt_)", number, R"(", "merchant_id": ")", kMerchant,
                   R"(", "timestamp": "2026-01-02T03:04:05Z", "type": "ipp.session.)", type,
                   R"(", "data": {"session_id": ")", session, R"(", "order_id": null}})");
  const std::string headers = SignedHeaders(body, simulator::Simulator::kDefaultSecret, absl::Now(),
                                            absl::StrCat("msg_", number));
  EXPECT_EQ(gateway.Webhook(headers, body).code, 200);
}

double Reads(const RunningGateway& gateway, const std::string& result) {
  return gateway.Metric("ipp_reconcile_reads_total", {absl::StrCat("result=\"", result, "\"")});
}

// Asks until there were so many or more.
void WaitForReads(const RunningGateway& gateway, const std::string& result, double count) {
  const absl::Time end = absl::Now() + absl::Seconds(30);
  while (Reads(gateway, result) < count) {
    ASSERT_LT(absl::Now(), end) << Reads(gateway, result) << " " << result;
  }
}

// A simulator that tells the gateway nothing, and a gateway that asks soon.
class Silence : public testing::Test {
 protected:
  explicit Silence(std::function<void(config::Config&)> configure = Hasten)
      : bed_({.webhooks = false,
              .configure = [configure](const TestDirectory&, config::Config& config) {
                configure(config);
              }}) {}

  // The customer pays, without the gateway's knowledge.
  void Pay(const std::string& session) {
    const RawResponse paid =
        CallHttp(bed_.simulator.port(), "POST",
                 absl::StrCat("/ipp/v1/dev/sessions/", session, "/simulate-tap"),
                 absl::StrCat("Authorization: Basic ", kApiKey, "\r\n"));
    EXPECT_EQ(paid.code, 200) << paid.body;
  }
  void Tell(const std::string& session, const std::string& type) {
    TellOf(bed_.gateway, session, type, ++told_);
  }
  std::vector<std::string> Log(const std::string& session) {
    v1::ListSessionEventsRequest request;
    request.mutable_filter()->add_session_ids(session);
    const auto reply = bed_.Call(&v1::SessionEventService::Stub::ListSessionEvents, request);
    EXPECT_TRUE(Ok(reply));
    std::vector<std::string> log;
    for (const v1::SessionEvent& event : reply.response.events()) log.push_back(Line(event));
    return log;
  }
  double Events(const std::string& type) {
    return bed_.gateway.Metric("ipp_session_events_total",
                               {R"(source="reconciliation")", absl::StrCat("type=\"", type, "\"")});
  }

  GatewayBed bed_;

 private:
  int told_ = 0;
};

TEST_F(Silence, DoesNotHideAnyEndFromASubscriber) {
  EventFeed feed(bed_.gateway.channel(), "position: START_POSITION_FROM_NOW");
  const std::string device = bed_.NewDevice();
  const std::vector<std::pair<std::string, std::function<void(const std::string&)>>> ends = {
      {"FINALIZED", [this](const std::string& id) { Pay(id); }},
      {"CANCELLED", [this](const std::string& id) { bed_.simulator.Step(id, "clerk-cancel"); }},
      {"EXPIRED", [this](const std::string& id) { bed_.simulator.Step(id, "expire"); }},
      {"FAILED", [this](const std::string& id) { bed_.simulator.Step(id, "fail"); }},
  };
  std::vector<std::string> sessions;
  for (const auto& [name, end] : ends) {
    const std::string session = sessions.emplace_back(bed_.NewSession(device));
    EXPECT_EQ(Line(feed.NextEvent()), "CREATED API");
    end(session);
    const v1::SessionEvent event = feed.NextEvent();
    EXPECT_EQ(Line(event), name + " RECONCILIATION");
    EXPECT_EQ(event.session_id(), session);
    EXPECT_EQ(event.session().order_amount(), 25000);
    EXPECT_EQ(event.order_id() != "", name == "FINALIZED");
  }
  // Counted once it is durable: that may be a moment after its event.
  WaitForReads(bed_.gateway, "advanced", 4);
  for (size_t i = 0; i < ends.size(); ++i) {
    EXPECT_EQ(Events(absl::AsciiStrToLower(ends[i].first)), 1);
    EXPECT_THAT(Log(sessions[i]),
                ElementsAre("CREATED API", absl::StrCat(ends[i].first, " RECONCILIATION")));
  }
  EXPECT_EQ(Reads(bed_.gateway, "advanced"), 4);
  EXPECT_EQ(bed_.gateway.Metric("ipp_webhooks_total"), 0);
}

TEST_F(Silence, DoesNotHideAStepOnTheWay) {
  EventFeed feed(bed_.gateway.channel(), "position: START_POSITION_FROM_NOW");
  const std::string session = bed_.NewSession();
  bed_.simulator.Step(session, "activate");
  EXPECT_THAT(feed.NextTypes(2), ElementsAre("CREATED", "ACTIVATED"));
  bed_.simulator.Step(session, "fail");
  EXPECT_THAT(feed.NextTypes(1), ElementsAre("FAILED"));
  EXPECT_THAT(Log(session),
              ElementsAre("CREATED API", "ACTIVATED RECONCILIATION", "FAILED RECONCILIATION"));
}

TEST_F(Silence, MakesNoEventWhileTheUpstreamIsDown) {
  const std::string session = bed_.NewSession();
  bed_.simulator.Stop();
  WaitForReads(bed_.gateway, "error", 3);
  EXPECT_THAT(Log(session), ElementsAre("CREATED API"));
}

TEST_F(Silence, LastsNoLongerThanARestart) {
  const std::string session = bed_.NewSession();
  const std::string open = bed_.NewSession(bed_.NewDevice());
  bed_.gateway.Stop();
  bed_.simulator.Step(session, "expire");
  bed_.gateway.Restart();
  bed_.gateway.WaitForMetric("ipp_session_events_total", 1,
                             {R"(source="reconciliation")", R"(type="expired")"});
  bed_.gateway.Restart();
  bed_.gateway.WaitForMetric("ipp_sessions_open", 1);
  EXPECT_GT(bed_.gateway.Metric("ipp_sessions_oldest_open_seconds"), 0);
  EXPECT_EQ(bed_.gateway.Metric("ipp_sessions_overdue"), 0);
  bed_.simulator.Step(open, "fail");
  bed_.gateway.WaitForMetric("ipp_session_events_total", 1,
                             {R"(source="reconciliation")", R"(type="failed")"});
  EXPECT_EQ(Events("expired"), 0) << "told before the restart";
  EXPECT_THAT(Log(session), ElementsAre("CREATED API", "EXPIRED RECONCILIATION"));
  EXPECT_THAT(Log(open), ElementsAre("CREATED API", "FAILED RECONCILIATION"));
}

TEST_F(Silence, IsBrokenOnceForASessionThatOnlyAWebhookToldOf) {
  EventFeed feed(bed_.gateway.channel(), "position: START_POSITION_FROM_NOW");
  const std::string session = bed_.NewSession();
  feed.NextEvent();
  // The same upstream; a gateway that has never heard of the session.
  TestDirectory directory;
  config::Config config = TestConfig(directory, bed_.simulator.base_url());
  Hasten(config);
  RunningGateway other(config);
  bed_.simulator.SetWebhookUrl(other.webhook_url());
  EventFeed heard(other.channel(), "position: START_POSITION_FROM_OLDEST");
  bed_.simulator.Step(session, "activate");
  v1::SessionEvent event = heard.NextEvent();
  EXPECT_EQ(Line(event), "ACTIVATED WEBHOOK");
  EXPECT_EQ(event.session().order_amount(), 0) << "all that the webhook says";
  WaitForReads(other, "completed", 1);
  event = heard.NextEvent();
  EXPECT_EQ(Line(event), "DETAILS RECONCILIATION");
  EXPECT_EQ(event.session().order_amount(), 25000);
  bed_.simulator.Step(session, "expire");
  event = heard.NextEvent();
  EXPECT_EQ(Line(event), "EXPIRED RECONCILIATION");
  EXPECT_EQ(event.session().order_amount(), 25000);
  EXPECT_EQ(Reads(other, "completed"), 1);
}

// ---- Webhooks that disagree. ----

TEST_F(Silence, IsFollowedByAReadWhenAWebhookContradictsWhatIsKnown) {
  const std::string session = bed_.NewSession();
  Pay(session);
  WaitForReads(bed_.gateway, "advanced", 1);
  const double repeated = Reads(bed_.gateway, "repeated");
  Tell(session, "cancelled");
  WaitForReads(bed_.gateway, "repeated", repeated + 1);
  EXPECT_THAT(Log(session), ElementsAre("CREATED API", "FINALIZED RECONCILIATION"));
  EXPECT_EQ(bed_.gateway.Metric("ipp_session_news_total",
                                {R"(source="webhook")", R"(verdict="disagrees")"}),
            1);
}

TEST_F(Silence, IsFollowedByACorrectionWhenAReadProvesWhatIsKnownWrong) {
  const std::string session = bed_.NewSession();
  Tell(session, "cancelled");  // which is not so
  Pay(session);
  Tell(session, "finalized");
  WaitForReads(bed_.gateway, "corrected", 1);
  EXPECT_THAT(Log(session),
              ElementsAre("CREATED API", "CANCELLED WEBHOOK", "CORRECTED RECONCILIATION"));
  v1::GetSessionRequest request;
  request.set_session_id(session);
  EXPECT_EQ(bed_.Call(&v1::SessionService::Stub::GetSession, request).response.session().status(),
            v1::SESSION_STATUS_FINALIZED);
}

// ---- Somebody watches. ----

class WatchedSilence : public Silence {
 protected:
  // Only who watches hears soon.
  WatchedSilence()
      : Silence([](config::Config& config) {
          Hasten(config);
          config.mutable_reconcile()->mutable_first()->set_seconds(3600);
          config.mutable_reconcile()->mutable_max()->set_seconds(3600);
        }) {}
};

TEST_F(WatchedSilence, EndsForWhoWatchesASessionThatExpires) {
  const std::string session = bed_.NewSession();
  v1::WatchSessionRequest request;
  request.set_session_id(session);
  SessionWatch watch(bed_.gateway.channel(), request);
  EXPECT_EQ(watch.NextStep(), "CREATED");
  bed_.simulator.Step(session, "activate");
  EXPECT_EQ(watch.NextStep(), "ACTIVE");
  bed_.simulator.Step(session, "expire");
  EXPECT_EQ(watch.NextStep(), "EXPIRED");
  EXPECT_EQ(watch.NextStep(), "end");
  EXPECT_TRUE(Ok(watch.End()));
  EXPECT_THAT(Log(session),
              ElementsAre("CREATED API", "ACTIVATED RECONCILIATION", "EXPIRED RECONCILIATION"));
}

TEST_F(WatchedSilence, IsLeftAloneAfterTheWatch) {
  const std::string session = bed_.NewSession();
  v1::WatchSessionRequest request;
  request.set_session_id(session);
  {
    SessionWatch watch(bed_.gateway.channel(), request);
    EXPECT_EQ(watch.NextStep(), "CREATED");
    WaitForReads(bed_.gateway, "repeated", 3);
    watch.Cancel();
    EXPECT_EQ(watch.End().code, grpc::StatusCode::CANCELLED);
  }
  bed_.gateway.WaitForMetric("grpc_server_handled_total", 1,
                             {R"(grpc_method="WatchSession")", R"(grpc_code="Canceled")"});
  bed_.simulator.ForgetRequests();
  const std::string other = bed_.NewSession();
  request.set_session_id(other);
  SessionWatch watch(bed_.gateway.channel(), request);
  WaitForReads(bed_.gateway, "repeated", Reads(bed_.gateway, "repeated") + 5);
  int reads = 0;
  for (const SeenRequest& seen : bed_.simulator.Requests()) {
    if (seen.call() == "GET /ipp/v1/sessions/" + session) ++reads;
  }
  EXPECT_LE(reads, 2) << "at most what had begun";
}

// ---- Callers come first. ----

TEST(SlowSessionReads, LeaveAConnectionToCallers) {
  http::Event let_go;
  http::HttpGate gate([&](const http::GateRequest& request, http::GatePeer& peer) {
    if (request.target.find("/sessions/") != std::string::npos) {
      let_go.Wait();
      peer.Respond(404, "{}");
    } else {
      peer.Respond(200, R"({"content": [], "last": true})");
    }
  });
  TestDirectory directory;
  config::Config config = TestConfig(directory, absl::StrCat("http://127.0.0.1:", gate.port()));
  Hasten(config);
  config.mutable_upstream()->mutable_timeout()->set_seconds(60);
  RunningGateway gateway(config);
  // Sessions that it wants to read, more than there are connections.
  for (int i = 0; i < 10; ++i) {
    TellOf(gateway, absl::StrCat("99999999-9999-4999-8999-99999999999", i), "activated", i);
  }
  gate.WaitForRequests(1);
  for (int i = 0; i < 50; ++i) {
    EXPECT_TRUE(
        Ok(gateway.Call(&v1::LocationService::Stub::ListLocations, v1::ListLocationsRequest())));
  }
  size_t reads = 0;
  for (const http::GateRequest& request : gate.requests()) {
    reads += request.target.find("/sessions/") != std::string::npos;
  }
  EXPECT_EQ(reads, 1u) << "of two connections";
  let_go.Set();
  // Every one is read, and a 404 is no event.
  WaitForReads(gateway, "not_found", 10);
  EXPECT_EQ(gateway.Metric("ipp_session_events_total"), 10);
  EXPECT_EQ(gateway.Metric("ipp_session_events_total", {R"(source="reconciliation")"}), 0);
}

TEST(SlowSessionReads, DoNotHoldUpTheEnd) {
  http::Event let_go;
  http::HttpGate gate([&](const http::GateRequest&, http::GatePeer& peer) {
    let_go.Wait();
    peer.Close();
  });
  TestDirectory directory;
  config::Config config = TestConfig(directory, absl::StrCat("http://127.0.0.1:", gate.port()));
  Hasten(config);
  RunningGateway gateway(config);
  TellOf(gateway, kNobody);
  gate.WaitForRequests(1);
  const absl::Time before = absl::Now();
  gateway.Stop();
  EXPECT_LT(absl::Now() - before, absl::Seconds(8)) << "well before upstream.timeout";
  let_go.Set();
}

TEST(SlowSessionReads, ThatWaitToBeTriedAgainEndWithTheGateway) {
  http::HttpGate gate([](const http::GateRequest&, http::GatePeer& peer) {
    peer.Respond(503, "{}", "Retry-After: 5\r\n");
  });
  TestDirectory directory;
  config::Config config = TestConfig(directory, absl::StrCat("http://127.0.0.1:", gate.port()));
  Hasten(config);
  RunningGateway gateway(config);
  TellOf(gateway, kNobody);
  gateway.WaitForMetric("ipp_upstream_retries_total", 1, {R"(operation="GetSession")"});
  const absl::Time before = absl::Now();
  gateway.Stop();
  EXPECT_LT(absl::Now() - before, absl::Seconds(4)) << "well before the next try";
}

}  // namespace
}  // namespace ipp
