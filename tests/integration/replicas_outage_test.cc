// Several gateways on one database, one of which goes away: a gateway, the way to the database, the
// database.

#include <array>
#include <atomic>
#include <fstream>
#include <set>
#include <thread>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "ippclient/connection.h"
#include "ippclient/event_subscription.h"
#include "server/base/mutex.h"
#include "tests/integration/replicas_bed.h"
#include "tests/support/http_relay.h"

namespace ipp {
namespace {

namespace v1 = kustom::ipp::v1;
using Sessions = v1::SessionService::Stub;
using testing::ElementsAreArray;
using testing::HasSubstr;

constexpr char kFromOldest[] = "position: START_POSITION_FROM_OLDEST";

bool Ready(RunningGateway& gateway) {
  return CallHttp(gateway.app().admin_port(), "GET", "/readyz").code == 200;
}

// Ends the server of all tests; it is there again at the end of the test, however that ends.
class Outage {
 public:
  enum class Kind { kStop, kKill };
  Outage(PostgresServer& server, Kind kind) : server_(server) {
    const absl::Status ended = kind == Kind::kStop ? server_.Stop() : server_.Kill();
    EXPECT_TRUE(ended.ok()) << ended;
  }
  ~Outage() { End(); }
  Outage(const Outage&) = delete;
  Outage& operator=(const Outage&) = delete;
  void End() {
    if (ended_) return;
    ended_ = true;
    const absl::Status restarted = server_.Restart();
    EXPECT_TRUE(restarted.ok()) << restarted;
  }

 private:
  PostgresServer& server_;
  bool ended_ = false;
};

// Delivers webhooks of sessions of their own to the gateway that is up, one after another, each
// until it is taken, as the upstream would.
class Traffic {
 public:
  explicit Traffic(const std::vector<RunningGateway*>& gateways) {
    for (RunningGateway* gateway : gateways) ports_.push_back(gateway->app().webhook_port());
    for (int i = 0; i < kThreads; ++i) threads_.emplace_back([this, i] { Run(i); });
  }
  ~Traffic() { End(); }

  // No more is sent to that one.
  void Spare(size_t gateway) { spared_[gateway] = true; }
  int taken() const { return taken_; }
  // Deliveries that were answered otherwise.
  int refused(size_t gateway) const { return refused_[gateway]; }
  // Returns when all that was begun is taken.
  void End() {
    ending_ = true;
    for (std::thread& thread : threads_) {
      if (thread.joinable()) thread.join();
    }
  }
  // What was taken, after the end.
  std::vector<std::string> event_ids() const {
    std::vector<std::string> ids;
    for (const auto& mine : ids_) ids.insert(ids.end(), mine.begin(), mine.end());
    return ids;
  }

 private:
  static constexpr int kThreads = 4;

  void Run(int thread) {
    for (int i = thread; !ending_; i += kThreads) {
      const SentWebhook webhook = MakeWebhook(i, "session.created", i);
      // Another one each time: what the one has done when it says 503, the other one must know.
      for (size_t gateway = static_cast<size_t>(i / kThreads);; ++gateway) {
        const size_t to = gateway % ports_.size();
        if (spared_[to]) continue;
        if (Deliver(ports_[to], webhook).code == 200) break;
        ++refused_[to];
      }
      ids_[thread].push_back(webhook.event_id);
      ++taken_;
    }
  }

  std::vector<int> ports_;
  std::array<std::atomic<bool>, 2> spared_ = {};
  std::array<std::atomic<int>, 2> refused_ = {};
  std::atomic<int> taken_ = 0;
  std::atomic<bool> ending_ = false;
  std::array<std::vector<std::string>, kThreads> ids_;
  std::vector<std::thread> threads_;
};

// The client library, at work on a thread of its own.
class LibrarySubscriber final : public client::EventHandler {
 public:
  explicit LibrarySubscriber(const std::string& address) {
    client::ConnectionOptions where;
    where.address = address;
    const auto connection = client::Connection::Create(where);
    EXPECT_TRUE(connection.ok()) << connection.status();
    client::EventSubscription::Options options;
    options.request = Text<v1::SubscribeSessionEventsRequest>(kFromOldest);
    options.initial_backoff = absl::Milliseconds(10);
    subscription_ =
        std::make_unique<client::EventSubscription>((*connection)->channel(), std::move(options));
    thread_ = std::thread([this] { EXPECT_TRUE(subscription_->Run(this).ok()); });
  }
  ~LibrarySubscriber() override {
    subscription_->Cancel();
    thread_.join();
  }

  void OnEvent(const v1::SessionEvent& event) override {
    MutexLock lock(&mutex_);
    events_.push_back(event);
  }
  void OnStarted(const v1::SubscriptionStarted& /*started*/) override {
    MutexLock lock(&mutex_);
    ++starts_;
  }
  std::vector<v1::SessionEvent> events() const {
    MutexLock lock(&mutex_);
    return events_;
  }
  int starts() const {
    MutexLock lock(&mutex_);
    return starts_;
  }

 private:
  std::unique_ptr<client::EventSubscription> subscription_;
  mutable Mutex mutex_;
  std::vector<v1::SessionEvent> events_ ABSL_GUARDED_BY(mutex_);
  int starts_ ABSL_GUARDED_BY(mutex_) = 0;
  std::thread thread_;
};

// That the log holds what was taken, once each.
void ExpectAllKept(const std::vector<v1::SessionEvent>& log, const Traffic& traffic) {
  EXPECT_THAT(EventIds(log), testing::UnorderedElementsAreArray(traffic.event_ids()));
}

TEST(ReplicasOutage, OfOneGatewayCostsItsSubscribersNothing) {
  ReplicasBed bed;
  // Not another process's that was given the same port.
  http::HttpRelay to_a(bed.a->app().grpc_port());
  const LibrarySubscriber library(
      absl::StrCat("ipv4:127.0.0.1:", to_a.port(), ",127.0.0.1:", bed.b->app().grpc_port()));
  EventFeed on_a(bed.a->channel(), kFromOldest);
  EventFeed on_b(bed.b->channel(), kFromOldest);
  Traffic traffic(bed.gateways());
  const auto taken = [&](int more) {
    return [&, wanted = traffic.taken() + more] { return traffic.taken() >= wanted; };
  };
  EXPECT_TRUE(Eventually(taken(50)));
  EXPECT_TRUE(Eventually([&] { return library.events().size() >= 20; }));
  EXPECT_EQ(to_a.accepted(), 1u) << "it was on a";

  // One gets a GOAWAY, the other one is just gone.
  to_a.CutAll(http::HttpRelay::Cut::kReset, true);
  traffic.Spare(0);
  bed.a = nullptr;
  std::vector<v1::SessionEvent> seen;
  bool goodbye = false;
  while (const std::optional<EventFeed::Message> message = on_a.Next()) {
    if (message->has_event()) seen.push_back(message->event());
    goodbye = message->has_goodbye();
  }
  EXPECT_TRUE(goodbye);
  EXPECT_TRUE(Refused(on_a.End(), grpc::StatusCode::UNAVAILABLE, "DRAINING"));
  EXPECT_TRUE(Eventually(taken(50)));
  traffic.End();

  const std::vector<v1::SessionEvent> log = ListAll(*bed.b);
  ExpectAllKept(log, traffic);
  EventFeed rest(bed.b->channel(), "after_cursor: '" + on_a.cursor() + "'");
  for (auto& event : Read(rest, log.size() - seen.size())) seen.push_back(std::move(event));
  EXPECT_THAT(Places(seen), ElementsAreArray(Places(log)));
  EXPECT_THAT(Places(Read(on_b, log.size())), ElementsAreArray(Places(log)));
  EXPECT_TRUE(Eventually([&] { return library.events().size() >= log.size(); }));
  EXPECT_THAT(Places(library.events()), ElementsAreArray(Places(log)));
  EXPECT_GT(library.starts(), 1);
}

TEST(ReplicasOutage, OfTheDatabaseIsSaidAndSurvived) {
  ReplicasBed bed;
  bed.simulator.SetWebhookUrl(bed.b->webhook_url());
  EventFeed on_a(bed.a->channel(), kFromOldest);
  EventFeed on_b(bed.b->channel(), kFromOldest);
  const std::string device = bed.NewDevice();
  const std::string before = bed.NewSession(*bed.a, device);
  for (EventFeed* feed : {&on_a, &on_b}) EXPECT_EQ(feed->NextEvent().session_id(), before);
  for (RunningGateway* gateway : bed.gateways()) EXPECT_TRUE(Ready(*gateway));

  Outage outage(bed.database.server(), Outage::Kind::kStop);
  for (RunningGateway* gateway : bed.gateways()) {
    EXPECT_EQ(Deliver(*gateway, MakeWebhook(1, "session.created", 1)).code, 503);
    EXPECT_TRUE(Eventually([&] { return !Ready(*gateway); }));
    EXPECT_THAT(gateway->Admin("/readyz"), HasSubstr("store"));
  }
  v1::GetSessionRequest get;
  get.set_session_id(before);
  EXPECT_TRUE(Ok(bed.a->Call(&Sessions::GetSession, get))) << "reads of sessions go on";
  const auto refused =
      bed.a->Call(&Sessions::CreateSession, Text<v1::CreateSessionRequest>(OrderText(device)));
  EXPECT_TRUE(Refused(refused, grpc::StatusCode::UNAVAILABLE, "STORE_UNAVAILABLE"));
  EXPECT_EQ(refused.info("outcome"), "NOT_SENT") << "nothing leaves that is not written down";
  EXPECT_EQ(refused.info("retry_safe"), "true");
  auto with_id = Text<v1::CreateSessionRequest>(OrderText(device));
  with_id.set_request_id(kNobody);
  const auto repeated = bed.a->Call(&Sessions::CreateSession, with_id);
  EXPECT_TRUE(Refused(repeated, grpc::StatusCode::UNAVAILABLE, "STORE_UNAVAILABLE"));
  EXPECT_EQ(repeated.info("outcome"), "-") << "an earlier call may have sent it";
  EXPECT_EQ(repeated.info("retry_safe"), "true");
  const auto started = App::Start(bed.NewConfig("c"));
  EXPECT_THAT(started.status().message(), HasSubstr("c.dsn")) << "none starts without a database";

  outage.End();
  for (RunningGateway* gateway : bed.gateways()) {
    EXPECT_TRUE(Eventually([&] { return Ready(*gateway); }));
  }
  // What was not taken is delivered again: by the simulator, and by us.
  EXPECT_EQ(Deliver(*bed.a, MakeWebhook(1, "session.created", 1)).body, "accepted\n");
  const std::string after = bed.NewSession(*bed.b, device);
  const std::vector<v1::SessionEvent> events = Read(on_a, 2);
  std::set<std::string> sessions;
  for (const auto& event : events) sessions.insert(event.session_id());
  EXPECT_THAT(sessions, testing::UnorderedElementsAre(SessionId(1), after));
  EXPECT_THAT(Places(Read(on_b, 2)), ElementsAreArray(Places(events))) << "over the same stream";
}

TEST(ReplicasOutage, OfTheDatabaseUnderLoadLosesNothingThatWasTaken) {
  ReplicasBed bed;
  EventFeed on_a(bed.a->channel(), kFromOldest);
  EventFeed on_b(bed.b->channel(), kFromOldest);
  Traffic traffic(bed.gateways());
  for (int round = 0; round < 2; ++round) {
    const int before = traffic.taken();
    EXPECT_TRUE(Eventually([&] { return traffic.taken() > before + 40; }));
    const std::array refused = {traffic.refused(0), traffic.refused(1)};
    Outage outage(bed.database.server(), Outage::Kind::kKill);
    EXPECT_TRUE(Eventually(
        [&] { return traffic.refused(0) > refused[0] && traffic.refused(1) > refused[1]; }));
  }
  const int before = traffic.taken();
  EXPECT_TRUE(Eventually([&] { return traffic.taken() > before + 40; }));
  traffic.End();
  const std::vector<v1::SessionEvent> log = ListAll(*bed.a);
  ExpectAllKept(log, traffic);
  for (EventFeed* feed : {&on_a, &on_b}) {
    EXPECT_THAT(Places(Read(*feed, log.size())), ElementsAreArray(Places(log)));
  }
}

// In a rolling update: old ones run, also over new connections, and can be started again.
TEST(ReplicasUpdate, LeavesOldReplicasAtWorkOnANewerSchema) {
  ReplicasBed bed;
  EventFeed on_b(bed.b->channel(), kFromOldest);
  bed.database.Execute("UPDATE ipp_gateway.schema_version SET version = version + 1");
  EXPECT_EQ(Deliver(*bed.a, MakeWebhook(1, "session.created", 1)).code, 200);
  bed.database.Execute(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
      "AND pid <> pg_backend_pid()");
  EXPECT_EQ(Deliver(*bed.a, MakeWebhook(2, "session.activated", 1)).code, 200);
  EXPECT_THAT(EventIds(Read(on_b, 2)), testing::ElementsAre("kevt_1", "kevt_2"));
  EXPECT_GT(bed.a->Metric("ipp_store_reconnects_total"), 0);
  EXPECT_TRUE(App::Start(bed.NewConfig("c")).ok());
  bed.database.Execute("UPDATE ipp_gateway.log SET usable_from = 1000");
  const auto refused = App::Start(bed.NewConfig("d"));
  EXPECT_THAT(refused.status().message(), HasSubstr("written by a newer release"));
}

// `b` alone is cut off, and finds another way once its file with the connection string tells one.
TEST(ReplicasOutage, OfTheWayToTheDatabaseStopsOneReplicaAndNotTheOther) {
  http::HttpRelay relay(PostgresServer::Shared().port());
  ReplicasBed bed([&](const std::string& name, config::Config& config) {
    if (name == "a") return;
    // Of two ports the last one counts.
    std::ofstream(config.store().postgres().dsn_file(), std::ios::app) << "port=" << relay.port();
  });
  EventFeed on_a(bed.a->channel(), kFromOldest);
  EventFeed on_b(bed.b->channel(), kFromOldest);
  EXPECT_EQ(Deliver(*bed.b, MakeWebhook(1, "session.created", 1)).code, 200);
  for (EventFeed* feed : {&on_a, &on_b}) EXPECT_EQ(feed->NextEvent().event_id(), "kevt_1");

  relay.CutAll(http::HttpRelay::Cut::kReset, true);
  EXPECT_EQ(Deliver(*bed.b, MakeWebhook(2, "session.activated", 1)).code, 503);
  EXPECT_EQ(Deliver(*bed.a, MakeWebhook(2, "session.activated", 1)).code, 200);
  EXPECT_EQ(on_a.NextEvent().event_id(), "kevt_2");
  EXPECT_TRUE(Ready(*bed.a));
  EXPECT_FALSE(Ready(*bed.b));

  bed.directory.Write("b.dsn", bed.database.dsn("b"));
  EXPECT_EQ(on_b.NextEvent().event_id(), "kevt_2");
  EXPECT_TRUE(Eventually([&] { return Ready(*bed.b); }));
  EXPECT_EQ(Deliver(*bed.b, MakeWebhook(2, "session.activated", 1)).body, "known already\n");
  EXPECT_EQ(on_a.cursor(), on_b.cursor());
}

}  // namespace
}  // namespace ipp
