// Several gateways on one database, as a session sees them: read by one of them at a time, watched
// on any of them.

#include <map>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/strip.h"
#include "gmock/gmock.h"
#include "tests/integration/replicas_bed.h"

namespace ipp {
namespace {

namespace v1 = kustom::ipp::v1;
using testing::ElementsAre;
using testing::Gt;
using testing::Le;

constexpr char kFromOldest[] = "position: START_POSITION_FROM_OLDEST";
constexpr char kRequestId[] = "0a0b0c0d-0000-4000-8000-00000000000a";

void Set(google::protobuf::Duration* duration, absl::Duration value) {
  duration->set_seconds(absl::ToInt64Seconds(value));
  duration->set_nanos(
      static_cast<int32_t>(absl::ToInt64Nanoseconds(value - absl::Seconds(duration->seconds()))));
}

// How often each session was read.
std::map<std::string, int> Reads(const RunningSimulator& simulator) {
  std::map<std::string, int> reads;
  for (const SeenRequest& request : simulator.Requests()) {
    absl::string_view session = request.target;
    if (request.method == "GET" && absl::ConsumePrefix(&session, "/ipp/v1/sessions/")) {
      ++reads[std::string(session)];
    }
  }
  return reads;
}

double ReadsBy(const RunningGateway& gateway) {
  return gateway.Metric("ipp_reconcile_reads_total");
}

v1::WatchSessionRequest Watching(const std::string& session_id) {
  v1::WatchSessionRequest request;
  request.set_session_id(session_id);
  return request;
}

// Nothing is announced by webhook. Pauses are all alike, but for the jitter of a tenth.
class ReplicasReconcile : public testing::Test {
 protected:
  static constexpr int kSessions = 16;
  static constexpr absl::Duration kPause = absl::Milliseconds(150);

  ReplicasReconcile() {
    const std::string device = bed_.NewDevice();
    for (int i = 0; i < kSessions; ++i) {
      sessions_.push_back(bed_.NewSession(i % 2 == 0 ? *bed_.a : *bed_.b, device));
    }
  }

  const absl::Time start_ = absl::Now();
  ReplicasBed bed_{[](const std::string&, config::Config& config) {
    Set(config.mutable_reconcile()->mutable_first(), kPause);
    Set(config.mutable_reconcile()->mutable_max(), kPause);
    config.mutable_reconcile()->set_max_in_flight(4);
    config.mutable_reconcile()->set_reads_per_second(1000);
    config.mutable_upstream()->set_connections(5);
  }};
  std::vector<std::string> sessions_;
};

TEST_F(ReplicasReconcile, ReadsASessionAsOftenAsOneReplicaWould) {
  std::map<std::string, int> reads;
  ASSERT_TRUE(Eventually([&] {
    reads = Reads(bed_.simulator);
    for (const std::string& session : sessions_) {
      if (reads[session] < 5) return false;
    }
    return ReadsBy(*bed_.a) > 0 && ReadsBy(*bed_.b) > 0;
  })) << "both take part";
  reads = Reads(bed_.simulator);
  const absl::Duration elapsed = absl::Now() - start_;
  // The first one comes a pause after the last news.
  const int most = 1 + static_cast<int>((elapsed - kPause) / (0.9 * kPause));
  for (const std::string& session : sessions_) {
    EXPECT_THAT(reads[session], Le(most)) << "within " << elapsed;
    // Looked at after the requests: each of them had a lease of its own.
    const std::string leases = bed_.database.Execute(
        "SELECT checks FROM ipp_gateway.sessions WHERE session_id = '" + session + "'");
    EXPECT_THAT(reads[session], Le(std::stoi(leases)));
  }
}

TEST_F(ReplicasReconcile, TellsEachEndOnce) {
  EventFeed on_a(bed_.a->channel(), kFromOldest);
  EventFeed on_b(bed_.b->channel(), kFromOldest);
  for (int i = 0; i < kSessions; ++i) {
    bed_.simulator.Step(sessions_[i], i % 2 == 0 ? "expire" : "fail");
  }
  const std::vector<v1::SessionEvent> events = Read(on_a, 2 * kSessions);
  std::map<std::string, std::vector<std::string>> steps;
  for (const auto& event : events) {
    steps[event.session_id()].push_back(ShortName(event.type()));
    if (event.type() == v1::SESSION_EVENT_TYPE_CREATED) continue;
    EXPECT_EQ(event.source(), v1::SESSION_EVENT_SOURCE_RECONCILIATION);
  }
  for (int i = 0; i < kSessions; ++i) {
    EXPECT_THAT(steps[sessions_[i]], ElementsAre("CREATED", i % 2 == 0 ? "EXPIRED" : "FAILED"));
  }
  EXPECT_THAT(Places(Read(on_b, 2 * kSessions)), testing::ElementsAreArray(Places(events)));
  // Whatever comes after it shows that nothing came twice, and that reading ends.
  EXPECT_EQ(bed_.database.Execute("SELECT count(*) FROM ipp_gateway.sessions WHERE open OR "
                                  "next_check_at IS NOT NULL"),
            "0");
  EXPECT_EQ(Deliver(*bed_.b, MakeWebhook(1, "session.created", 1)).code, 200);
  for (EventFeed* feed : {&on_a, &on_b}) EXPECT_EQ(feed->NextEvent().event_id(), "kevt_1");
}

TEST(ReplicasWatch, ShowsASessionOfAnotherReplica) {
  ReplicasBed bed;
  bed.simulator.SetWebhookUrl(bed.a->webhook_url());
  auto order = Text<v1::CreateSessionRequest>(OrderText(bed.NewDevice()));
  order.set_request_id(kRequestId);
  v1::WatchSessionRequest by_request;
  by_request.set_request_id(kRequestId);
  SessionWatch early(bed.b->channel(), by_request);
  bed.b->WaitForMetric("grpc_server_started_total", 1, {R"(grpc_method="WatchSession")"});
  const auto made = bed.a->Call(&v1::SessionService::Stub::CreateSession, order);
  ASSERT_TRUE(Ok(made));
  const std::string session = made.response.session().session_id();
  SessionWatch watch(bed.b->channel(), Watching(session));
  for (SessionWatch* one : {&watch, &early}) {
    EXPECT_EQ(one->NextStep(), "CREATED");
    EXPECT_EQ(one->session().order_amount(), 25000);
  }
  bed.simulator.Step(session, "activate");
  for (SessionWatch* one : {&watch, &early}) EXPECT_EQ(one->NextStep(), "ACTIVE");
  bed.simulator.Step(session, "clerk-cancel");
  for (SessionWatch* one : {&watch, &early}) {
    EXPECT_EQ(one->NextStep(), "CANCELLED");
    EXPECT_EQ(one->session().order_amount(), 25000);
    EXPECT_EQ(one->NextStep(), "end");
    EXPECT_TRUE(Ok(one->End()));
  }
}

// `a` is quick to lease what is due, does not know of the watch on `b`, and puts the session off by
// hours.
TEST(ReplicasWatch, HasTheSessionReadAlthoughAnotherReplicaPutsItOff) {
  ReplicasBed bed([](const std::string& name, config::Config& config) {
    Set(config.mutable_reconcile()->mutable_first(), absl::Hours(1));
    Set(config.mutable_reconcile()->mutable_max(), absl::Hours(8));
    Set(config.mutable_reconcile()->mutable_watched(), absl::Milliseconds(name == "a" ? 20 : 200));
  });
  const std::string session = bed.NewSession(*bed.a, bed.NewDevice());
  SessionWatch watch(bed.b->channel(), Watching(session));
  EXPECT_EQ(watch.NextStep(), "CREATED");
  EXPECT_TRUE(Eventually([&] { return ReadsBy(*bed.a) >= 3; }));
  bed.simulator.Step(session, "expire");
  EXPECT_EQ(watch.NextStep(), "EXPIRED");
  EXPECT_TRUE(Ok(watch.End()));
}

}  // namespace
}  // namespace ipp
