// Several gateways on one database: one log, one order, and cursors that are good everywhere.

#include <signal.h>

#include <array>
#include <map>
#include <optional>
#include <set>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "server/events/cursor.h"
#include "tests/integration/replicas_bed.h"

namespace ipp {
namespace {

namespace v1 = kustom::ipp::v1;
using Events = v1::SessionEventService::Stub;
using testing::ElementsAre;
using testing::ElementsAreArray;
using testing::IsEmpty;
using testing::SizeIs;

constexpr char kFromNow[] = "position: START_POSITION_FROM_NOW";
constexpr char kFromOldest[] = "position: START_POSITION_FROM_OLDEST";

std::string After(const std::string& cursor) { return "after_cursor: '" + cursor + "'"; }

// While it lives, a replica hears nothing of what the others append: the server's process that
// would tell it stands still.
class DeafReplica {
 public:
  // A replica that has just started: the last query of its reader counted something, and only that
  // of its listener asked for the bounds after that.
  DeafReplica(const FreshDatabase& database, const std::string& name) {
    const std::string mine = absl::StrCat(
        "WITH mine AS (SELECT * FROM pg_stat_activity WHERE datname = current_database() AND "
        "state = 'idle' AND application_name = '",
        name, "'), r AS (SELECT * FROM mine WHERE query LIKE 'SELECT count(*)%') ");
    EXPECT_TRUE(Eventually([&] { return !database.Execute(mine + "SELECT 1 FROM r").empty(); }));
    database.Execute("NOTIFY ipp_gateway_events, '1'");
    pid_t found = 0;
    EXPECT_TRUE(Eventually([&] {
      return absl::SimpleAtoi(
          database.Execute(mine + "SELECT mine.pid FROM mine, r WHERE mine.query LIKE "
                                  "'SELECT trimmed_through%' AND mine.query_start > r.query_start"),
          &found);
    }));
    if (found > 0) pid_ = found;  // anything else is a group of processes, ours among them
    EXPECT_TRUE(Send(SIGSTOP));
  }
  ~DeafReplica() { Send(SIGCONT); }
  DeafReplica(const DeafReplica&) = delete;
  DeafReplica& operator=(const DeafReplica&) = delete;

 private:
  bool Send(int signal) const { return pid_ && kill(*pid_, signal) == 0; }

  std::optional<pid_t> pid_;
};

TEST(Replicas, TellTheirSubscribersWhatAnotherTook) {
  ReplicasBed bed;
  EventFeed on_a(bed.a->channel(), kFromNow);
  EventFeed on_b(bed.b->channel(), kFromNow);
  EXPECT_EQ(Deliver(*bed.a, MakeWebhook(1, "session.created", 1)).body, "accepted\n");
  for (EventFeed* feed : {&on_b, &on_a}) EXPECT_EQ(feed->NextEvent().event_id(), "kevt_1");
  EXPECT_EQ(Deliver(*bed.b, MakeWebhook(2, "session.activated", 1)).body, "accepted\n");
  for (EventFeed* feed : {&on_a, &on_b}) EXPECT_EQ(feed->NextEvent().event_id(), "kevt_2");
  EXPECT_EQ(on_a.cursor(), on_b.cursor());
}

// Each webhook goes to both at about the same time; what a session goes through comes one after
// another, what the others go through in between.
TEST(Replicas, ShowOneOrderAndNoDuplicateWhoeverTakesWhat) {
  constexpr int kSessions = 200;
  constexpr int kThreads = 4;
  constexpr std::array kSteps = {"session.created", "session.activated", "session.finalized"};
  constexpr size_t kEvents = kSessions * kSteps.size();
  ReplicasBed bed;
  EventFeed on_a(bed.a->channel(), kFromOldest);
  EventFeed on_b(bed.b->channel(), kFromOldest);
  std::vector<v1::SessionEvent> seen_on_a, seen_on_b;
  std::vector<std::thread> threads;
  threads.emplace_back([&] { seen_on_a = Read(on_a, kEvents); });
  threads.emplace_back([&] { seen_on_b = Read(on_b, kEvents); });
  std::array<std::map<std::string, int>, 2 * kThreads> answers;
  for (int thread = 0; thread < 2 * kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      for (size_t step = 0; step < kSteps.size(); ++step) {
        for (int session = thread / 2; session < kSessions; session += kThreads) {
          const int event = session * static_cast<int>(kSteps.size()) + static_cast<int>(step);
          RunningGateway& gateway = (session + thread) % 2 == 0 ? *bed.a : *bed.b;
          ++answers[thread][Deliver(gateway, MakeWebhook(event, kSteps[step], session)).body];
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();

  std::map<std::string, size_t> answered;
  for (const auto& some : answers) {
    for (const auto& [text, count] : some) answered[text] += count;
  }
  EXPECT_THAT(answered, ElementsAre(testing::Pair("accepted\n", kEvents),
                                    testing::Pair("known already\n", kEvents)));
  EXPECT_THAT(Places(seen_on_b), ElementsAreArray(Places(seen_on_a)));
  EXPECT_THAT(Places(ListAll(*bed.a)), ElementsAreArray(Places(seen_on_a))) << "and nothing more";
  EXPECT_THAT(Places(ListAll(*bed.b)), ElementsAreArray(Places(seen_on_a)));
  std::map<std::string, std::string> steps;
  for (const auto& event : seen_on_a) {
    steps[event.session_id()] += " " + ShortName(event.type());
  }
  EXPECT_THAT(steps, SizeIs(kSessions));
  for (const auto& [session, types] : steps) {
    EXPECT_EQ(types, " CREATED ACTIVATED FINALIZED") << session;
  }
}

TEST(Replicas, HaveOneCreatedEventWhenTheWebhookGoesToAnotherThanTheCreate) {
  constexpr int kSessions = 20;
  ReplicasBed bed;
  bed.simulator.SetWebhookUrl(bed.b->webhook_url());
  EventFeed feed(bed.a->channel(), kFromOldest);
  const std::string device = bed.NewDevice();
  std::set<std::string> sessions;
  for (int i = 0; i < kSessions; ++i) sessions.insert(bed.NewSession(*bed.a, device));
  for (const std::string& session : sessions) bed.simulator.Step(session, "clerk-cancel");
  bed.b->WaitForMetric("ipp_webhooks_total", 2 * kSessions);
  std::map<std::string, std::string> steps;
  for (const auto& event : Read(feed, 2 * kSessions)) {
    steps[event.session_id()] += " " + ShortName(event.type());
  }
  for (const std::string& session : sessions) EXPECT_EQ(steps[session], " CREATED CANCELLED");
  EXPECT_THAT(ListAll(*bed.b), SizeIs(2 * kSessions));
}

TEST(Replicas, StartTogetherOnAnEmptyDatabase) {
  for (int round = 0; round < 3; ++round) {
    FreshDatabase database;
    TestDirectory directory;
    config::Config config = TestConfig(directory, "http://127.0.0.1:1");
    config.mutable_store()->mutable_postgres()->set_dsn_file(
        directory.Write("dsn", database.dsn("replica")));
    std::array<std::unique_ptr<RunningGateway>, 3> gateways;
    std::vector<std::thread> threads;
    for (auto& gateway : gateways) {
      threads.emplace_back([&] { gateway = std::make_unique<RunningGateway>(config); });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_TRUE(Eventually([&] {
      return database.Execute(
                 "SELECT count(*) FROM pg_stat_activity WHERE application_name = "
                 "'replica' AND datname = current_database()") == "9";
    })) << "three connections a replica";
    int number = 0;
    for (const auto& gateway : gateways) {
      ++number;
      EXPECT_EQ(Deliver(*gateway, MakeWebhook(number, "session.created", number)).code, 200);
    }
    for (const auto& gateway : gateways) {
      EXPECT_THAT(EventIds(ListAll(*gateway)), ElementsAre("kevt_1", "kevt_2", "kevt_3"));
    }
  }
}

TEST(ReplicasCursor, ContinuesOnAReplicaThatHasNotSeenItsPlace) {
  ReplicasBed bed;
  EventFeed on_a(bed.a->channel(), kFromOldest);
  const DeafReplica deaf(bed.database, "b");
  for (int i = 1; i <= 3; ++i) {
    EXPECT_EQ(Deliver(*bed.a, MakeWebhook(i, "session.created", i)).code, 200);
    on_a.NextEvent();
  }
  EventFeed on_b(bed.b->channel(), After(on_a.cursor()));
  EXPECT_EQ(on_b.started().cursor(), on_a.cursor());
  EXPECT_EQ(Deliver(*bed.b, MakeWebhook(4, "session.created", 4)).code, 200);
  EXPECT_EQ(on_b.NextEvent().event_id(), "kevt_4") << "what lies before the cursor is not shown";
  EXPECT_EQ(on_a.NextEvent().event_id(), "kevt_4");
  EXPECT_EQ(on_a.cursor(), on_b.cursor());
}

TEST(ReplicasCursor, OfAPageContinuesOnAReplicaThatHasNotSeenItsPlace) {
  ReplicasBed bed;
  const DeafReplica deaf(bed.database, "b");
  for (int i = 1; i <= 3; ++i) {
    EXPECT_EQ(Deliver(*bed.a, MakeWebhook(i, "session.created", i)).code, 200);
  }
  v1::ListSessionEventsRequest request;
  request.set_page_size(2);
  const auto first = bed.a->Call(&Events::ListSessionEvents, request);
  EXPECT_THAT(first.response.events(), SizeIs(2));
  request.set_page_token(first.response.next_page_token());
  const auto second = bed.b->Call(&Events::ListSessionEvents, request);
  ASSERT_TRUE(Ok(second));
  ASSERT_THAT(second.response.events(), SizeIs(1));
  EXPECT_EQ(second.response.events(0).event_id(), "kevt_3");
  EXPECT_EQ(second.response.next_page_token(), "");
}

TEST(ReplicasCursor, BeyondTheLogIsForeignAlsoToAReplicaThatLagsBehind) {
  ReplicasBed bed;
  const std::string log = bed.database.Execute("SELECT id FROM ipp_gateway.log");
  const DeafReplica deaf(bed.database, "b");
  EXPECT_EQ(Deliver(*bed.a, MakeWebhook(1, "session.created", 1)).code, 200);
  for (const RunningGateway* gateway : bed.gateways()) {
    EventFeed beyond(gateway->channel(), After(events::EncodeCursor(log, {2})));
    EXPECT_TRUE(Refused(beyond.End(), grpc::StatusCode::INVALID_ARGUMENT, "CURSOR_FOREIGN"));
    EventFeed end(gateway->channel(), After(events::EncodeCursor(log, {1})));
    EXPECT_EQ(end.started().cursor(), events::EncodeCursor(log, {1}));
  }
}

TEST(ReplicasCursor, ContinuesWhenItsReplicaIsGone) {
  ReplicasBed bed;
  std::string cursor;
  {
    EventFeed on_a(bed.a->channel(), kFromOldest);
    EXPECT_EQ(Deliver(*bed.a, MakeWebhook(1, "session.created", 1)).code, 200);
    on_a.NextEvent();
    cursor = on_a.cursor();
  }
  EXPECT_EQ(Deliver(*bed.a, MakeWebhook(2, "session.activated", 1)).code, 200);
  bed.a = nullptr;
  EventFeed on_b(bed.b->channel(), After(cursor));
  EXPECT_EQ(on_b.NextEvent().event_id(), "kevt_2");
  EXPECT_EQ(Deliver(*bed.b, MakeWebhook(2, "session.activated", 1)).body, "known already\n");
  EXPECT_EQ(Deliver(*bed.b, MakeWebhook(3, "session.finalized", 1)).code, 200);
  EXPECT_EQ(on_b.NextEvent().event_id(), "kevt_3");
}

TEST(ReplicasCursor, OfAnotherDatabaseIsForeignToAll) {
  ReplicasBed bed;
  const FreshDatabase other;
  config::Config config = bed.NewConfig("other");
  config.mutable_store()->mutable_postgres()->set_dsn_file(
      bed.directory.Write("other.dsn", other.dsn("other")));
  const RunningGateway stranger(config);
  const std::string cursor = EventFeed(stranger.channel(), kFromOldest).started().cursor();
  for (const RunningGateway* gateway : bed.gateways()) {
    EventFeed feed(gateway->channel(), After(cursor));
    EXPECT_TRUE(Refused(feed.End(), grpc::StatusCode::INVALID_ARGUMENT, "CURSOR_FOREIGN"));
  }
}

// Whichever trims, the other one knows; also one that heard of neither the events nor their end.
class ReplicasTrimmedLog : public testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(, ReplicasTrimmedLog, testing::Bool(),
                         [](const auto& test) { return test.param ? "SeenLate" : "SeenAtOnce"; });

TEST_P(ReplicasTrimmedLog, EndsItsCursorsOnAllReplicas) {
  ReplicasBed bed;
  std::optional<DeafReplica> deaf;
  if (GetParam()) deaf.emplace(bed.database, "b");
  for (int i = 1; i <= 4; ++i) {
    EXPECT_EQ(Deliver(*bed.a, MakeWebhook(i, "session.created", i)).code, 200);
  }
  std::vector<std::string> cursors;
  for (const auto& event : ListAll(*bed.a)) cursors.push_back(event.cursor());
  bed.database.Execute("UPDATE ipp_gateway.events SET recorded_at = 0 WHERE position <= 2");
  EXPECT_TRUE(Eventually(
      [&] { return bed.database.Execute("SELECT count(*) FROM ipp_gateway.events") == "2"; }));
  // Until it looks again, a replica shows what it has in memory.
  const auto knows = [&](const RunningGateway& gateway) {
    return EventFeed(gateway.channel(), kFromNow).started().oldest_cursor() == cursors[1];
  };
  EXPECT_TRUE(Eventually([&] { return knows(*bed.a) && (deaf || knows(*bed.b)); }));
  for (const RunningGateway* gateway : bed.gateways()) {
    // What is still in memory need not be skipped.
    EventFeed skips(gateway->channel(),
                    After(cursors[0]) + " on_cursor_expired: CURSOR_EXPIRED_POLICY_SKIP_TO_OLDEST");
    if (!skips.started().skipped()) {
      EXPECT_EQ(skips.NextEvent().event_id(), "kevt_2");
    }
    EXPECT_THAT(EventIds(Read(skips, 2)), ElementsAre("kevt_3", "kevt_4"));
    EventFeed gone(gateway->channel(), After(cursors[0]));
    const RpcEnd end = gone.End();
    EXPECT_TRUE(Refused(end, grpc::StatusCode::OUT_OF_RANGE, "CURSOR_EXPIRED"));
    EXPECT_EQ(end.info("oldest_cursor"), cursors[1]);
    EXPECT_EQ(end.info("latest_cursor"), cursors[3]);
    EventFeed kept(gateway->channel(), After(cursors[1]));
    EventFeed oldest(gateway->channel(), kFromOldest);
    for (EventFeed* feed : {&kept, &oldest}) {
      EXPECT_THAT(EventIds(Read(*feed, 2)), ElementsAre("kevt_3", "kevt_4"));
    }
    EXPECT_THAT(EventIds(ListAll(*gateway)), ElementsAre("kevt_3", "kevt_4"));
  }
}

}  // namespace
}  // namespace ipp
