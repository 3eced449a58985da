#include <atomic>
#include <set>
#include <thread>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "server/base/log.h"
#include "tests/store/postgres_bed.h"
#include "tests/support/http_socket.h"
#include "tests/support/tls_front.h"

// Servers that die, stand still, or are replaced.
namespace ipp::store {
namespace {

using namespace contract;  // NOLINT: the words of these tests
using std::chrono::steady_clock;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

// Appends numbered events to a store until Stop(), each until it is acknowledged.
class Appender {
 public:
  Appender(Store* store, std::string name) : store_(store), name_(std::move(name)) {
    thread_ = std::thread([this] { Run(); });
  }
  ~Appender() {
    if (thread_.joinable()) Stop();
  }
  // How many were acknowledged.
  int Stop() {
    stop_ = true;
    thread_.join();
    return acknowledged_;
  }
  void WaitForMore(int more) {
    const int target = acknowledged_ + more;
    WaitUntil([&] { return acknowledged_ >= target; });
  }

 private:
  void Run() {
    while (!stop_) {
      const std::string id = absl::StrCat(name_, "/", acknowledged_.load());
      if (Commit(*store_, Append(id, id)).ok()) ++acknowledged_;
    }
  }

  Store* const store_;
  const std::string name_;
  std::atomic<bool> stop_{false};
  std::atomic<int> acknowledged_{0};
  std::thread thread_;
};

// Every acknowledged event is in the log, and none is there twice.
void ExpectEachOnce(Store& store, const std::map<std::string, int>& acknowledged) {
  std::multiset<std::string> ids;
  int64_t last = 0;
  while (true) {
    const auto rows = Read(store, last);
    ASSERT_TRUE(rows.ok()) << rows.status();
    if (rows->empty()) break;
    for (const StoredEvent& row : *rows) ASSERT_EQ(row.position, ++last);
    for (std::string& id : Ids(*rows)) ids.insert(std::move(id));
  }
  size_t expected = 0;
  for (const auto& [name, count] : acknowledged) {
    for (int i = 0; i < count; ++i) ASSERT_EQ(ids.count(absl::StrCat(name, "/", i)), 1u);
    expected += static_cast<size_t>(count);
  }
  EXPECT_LE(ids.size(), expected + acknowledged.size());  // one of each may be in doubt
}

class PostgresFaults : public testing::Test {
 protected:
  PostgresFaults() { SetLogLevel("off").IgnoreError(); }
  ~PostgresFaults() override { SetLogLevel("info").IgnoreError(); }
};

TEST_F(PostgresFaults, KeepsEverythingAcknowledgedWhenTheServerIsKilledUnderLoad) {
  const auto server = PostgresServer::Start({}).value();
  PostgresDatabase database(*server);
  const auto a = database.Open();
  const auto b = database.Open();
  std::map<std::string, std::unique_ptr<Appender>> appenders;
  for (const char* name : {"a1", "a2", "a3"}) {
    appenders.emplace(name, std::make_unique<Appender>(a.get(), name));
  }
  for (const char* name : {"b1", "b2", "b3"}) {
    appenders.emplace(name, std::make_unique<Appender>(b.get(), name));
  }
  for (int round = 0; round < 3; ++round) {
    for (auto& [name, appender] : appenders) appender->WaitForMore(20);
    ASSERT_TRUE(server->Kill().ok());
    WaitUntil([&] { return !a->health().ok() && !b->health().ok(); });
    EXPECT_TRUE(absl::IsUnavailable(Find(*a, "s1").status()));
    ASSERT_TRUE(server->Restart().ok());
  }
  for (auto& [name, appender] : appenders) appender->WaitForMore(20);
  std::map<std::string, int> acknowledged;
  for (auto& [name, appender] : appenders) acknowledged[name] = appender->Stop();
  EXPECT_TRUE(a->health().ok());
  ExpectEachOnce(*b, acknowledged);
}

TEST_F(PostgresFaults, GoOnWithThePromotedStandbyAndAllThatWasAcknowledged) {
  const auto primary = PostgresServer::Start({}).value();
  PostgresDatabase database(*primary);
  const auto standby = primary->StartStandby().value();
  database.WriteDsn(absl::StrCat("host=127.0.0.1,127.0.0.1 port=", primary->port(), ",",
                                 standby->port(), " user=postgres dbname=", database.name()));
  const auto store = database.Open();
  std::map<std::string, std::unique_ptr<Appender>> appenders;
  for (const char* name : {"1", "2", "3", "4"}) {
    appenders.emplace(name, std::make_unique<Appender>(store.get(), name));
  }
  for (auto& [name, appender] : appenders) appender->WaitForMore(30);
  ASSERT_TRUE(primary->Kill().ok());
  ASSERT_TRUE(standby->Promote().ok());
  for (auto& [name, appender] : appenders) appender->WaitForMore(10);
  std::map<std::string, int> acknowledged;
  for (auto& [name, appender] : appenders) acknowledged[name] = appender->Stop();
  ExpectEachOnce(*store, acknowledged);
  EXPECT_EQ(*standby->Execute(database.name(), "SHOW transaction_read_only"), "off");
}

// A commit that hangs since the standby does not answer, until somebody ends its wait.
class PostgresStandby : public PostgresFaults, public testing::WithParamInterface<const char*> {};
INSTANTIATE_TEST_SUITE_P(PostgresFaults, PostgresStandby,
                         testing::Values("pg_cancel_backend", "pg_terminate_backend"));

TEST_P(PostgresStandby, NeverAcknowledgesWhatItMayNotHave) {
  const auto primary = PostgresServer::Start({}).value();
  PostgresDatabase database(*primary);
  database.options.queue.maintenance_interval =
      absl::Hours(1);  // nothing but what the test commits
  // The administrator of the database may hide warnings; the store must see them.
  database.Execute(
      absl::StrCat("ALTER DATABASE ", database.name(), " SET client_min_messages = error"));
  const auto standby = primary->StartStandby().value();
  const auto store = database.Open();
  ASSERT_TRUE(Commit(*store, Append("a", "a")).ok());
  ASSERT_TRUE(standby->Freeze().ok());

  const auto end_the_wait = [&] {
    WaitUntil([&] {
      return database.Execute(
                 absl::StrCat("SELECT ", GetParam(),
                              "(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")) == "t";
    });
  };
  for (const char* what : {"new", "again, so seen already", "by now old"}) {
    std::promise<absl::Status> committed;
    store->Commit(Append("b", "b"),
                  [&](absl::StatusOr<Committed> c) { committed.set_value(c.status()); });
    end_the_wait();
    EXPECT_TRUE(absl::IsUnavailable(committed.get_future().get())) << what;
    EXPECT_TRUE(absl::IsUnavailable(store->health()));
  }
  ASSERT_TRUE(standby->Thaw().ok());
  const auto again = Commit(*store, Append("b", "b"));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(again->already_seen);
  EXPECT_TRUE(store->health().ok());
  EXPECT_THAT(Ids(*Read(*store, 0)), ElementsAre("a", "b"));
}

TEST_F(PostgresFaults, NeverAcknowledgesWhatTheStandbyDidNotConfirmInTime) {
  const auto primary = PostgresServer::Start({}).value();
  PostgresDatabase database(*primary);
  database.options.answer_timeout = absl::Milliseconds(200);
  // With this, the server would not wait.
  database.Execute(
      absl::StrCat("ALTER DATABASE ", database.name(), " SET synchronous_commit = off"));
  const auto standby = primary->StartStandby().value();
  const auto store = database.Open();
  ASSERT_TRUE(Commit(*store, Append("a", "a")).ok());
  ASSERT_TRUE(standby->Freeze().ok());
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(absl::IsUnavailable(Commit(*store, Append("b", "b")).status()));
  }
  ASSERT_TRUE(standby->Thaw().ok());
  absl::StatusOr<Committed> again;
  WaitUntil([&] { return (again = Commit(*store, Append("b", "b"))).ok(); });
  EXPECT_THAT(Ids(*Read(*store, 0)), ElementsAre("a", "b"));
}

TEST_F(PostgresFaults, AnswersInTimeWhileTheServerStandsStill) {
  const auto server = PostgresServer::Start({}).value();
  PostgresDatabase database(*server);
  database.options.answer_timeout = absl::Milliseconds(300);
  auto store = database.Open();
  ASSERT_TRUE(Commit(*store, Append("a")).ok());
  ASSERT_TRUE(Find(*store, "s1").status().code() == absl::StatusCode::kNotFound);
  database.WriteDsn(server->conninfo(database.name()) + " connect_timeout=1");
  ASSERT_TRUE(server->Freeze().ok());
  const auto start = steady_clock::now();
  EXPECT_TRUE(absl::IsUnavailable(Find(*store, "s1").status()));
  EXPECT_TRUE(absl::IsUnavailable(Commit(*store, Append("b")).status()));
  EXPECT_TRUE(absl::IsUnavailable(store->health()));
  EXPECT_LT(steady_clock::now() - start, std::chrono::seconds(10));

  // It ends in time too, whatever it is waiting for.
  store->Commit(Append("c"), [](absl::StatusOr<Committed>) {});
  store->FindSession("PM1", "s1", [](absl::StatusOr<SessionRecord>) {});
  const auto end = steady_clock::now();
  store.reset();
  EXPECT_LT(steady_clock::now() - end, std::chrono::seconds(10));

  ASSERT_TRUE(server->Thaw().ok());
  database.options.answer_timeout = absl::Seconds(10);
  store = database.Open();
  EXPECT_TRUE(Commit(*store, Append("d")).ok());
}

TEST_F(PostgresFaults, EndsInTimeWhenTheServerTakesConnectionsAndSaysNothing) {
  const http::Listener silent;
  PostgresDatabase database;
  const auto store = database.Open();
  ASSERT_TRUE(Commit(*store, Append("a")).ok());
  database.WriteDsn(
      absl::StrCat("host=127.0.0.1 user=postgres connect_timeout=60 port=", silent.port));
  database.CutAll();
  std::promise<absl::Status> committed;
  store->Commit(Append("b"), [&](absl::StatusOr<Committed> c) { committed.set_value(c.status()); });
  auto answer = committed.get_future();
  const http::Fd accepted(accept(silent.fd.get(), nullptr, nullptr));  // one of the three is there
  const auto end = steady_clock::now();
  const_cast<std::unique_ptr<Store>&>(store).reset();
  EXPECT_LT(steady_clock::now() - end, std::chrono::seconds(10));
  EXPECT_FALSE(answer.get().ok());
}

TEST_F(PostgresFaults, DoesNotStartWhenNobodyIsThere) {
  PostgresDatabase database;
  const http::Listener silent;
  {
    const http::Listener gone;
    database.WriteDsn(absl::StrCat("host=127.0.0.1,127.0.0.1 connect_timeout=1 user=postgres port=",
                                   gone.port, ",", silent.port));
  }
  const absl::Status refused = database.TryOpen().status();
  EXPECT_TRUE(absl::IsUnavailable(refused));
  EXPECT_THAT(refused.message(),
              AllOf(HasSubstr(database.options.dsn_file), HasSubstr("Connection refused"),
                    HasSubstr("does not answer for 1s"), testing::Not(HasSubstr("\n"))));
}

TEST_F(PostgresFaults, ChecksTheServersCertificate) {
  const http::TestCertificate certificate, other;
  const auto server = PostgresServer::Start({.cert_file = certificate.cert_file(),
                                             .key_file = certificate.key_file()})
                          .value();
  PostgresDatabase database(*server);
  const std::string dsn = server->conninfo(database.name()) + " sslmode=verify-full sslrootcert=";
  database.WriteDsn(dsn + certificate.cert_file());
  const auto store = database.Open();
  EXPECT_TRUE(Commit(*store, Append("a")).ok());
  EXPECT_EQ(database.Execute("SELECT count(*) > 0 FROM pg_stat_ssl JOIN pg_stat_activity USING "
                             "(pid) WHERE application_name = 'ipp-gateway' AND NOT ssl"),
            "f");
  database.WriteDsn(dsn + other.cert_file());
  const absl::Status refused = database.TryOpen().status();
  EXPECT_TRUE(absl::IsUnavailable(refused));
  EXPECT_THAT(refused.message(), HasSubstr("certificate verify failed"));
}

}  // namespace
}  // namespace ipp::store
