// consumers_bench BUILD_DIR EVENTS [sizes]: shared subscriptions beside the plain stream and beside
// a PostgreSQL queue with one row a message, on one PostgreSQL server, in one run.
// docs/benchmarks.md.
#include <grpcpp/grpcpp.h>
#include <libpq-fe.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "kustom/ipp/v1/session_event.grpc.pb.h"
#include "kustom/ipp/v1/shared_subscription.grpc.pb.h"
#include "server/base/mutex.h"
#include "tests/bench/process_clock.h"
#include "tests/faults/fresh_channel.h"
#include "tests/faults/gateway_process.h"
#include "tests/faults/simulator_process.h"
#include "tests/faults/work_directory.h"
#include "tests/support/postgres_server.h"

namespace ipp::bench {
namespace {

namespace v1 = kustom::ipp::v1;

constexpr int kRoom = 64;   // events out at once, for each consumer
constexpr int kTaken = 16;  // rows that a worker of the queue takes at once

[[noreturn]] void Fail(const std::string& what) {
  std::fprintf(stderr, "consumers_bench: %s\n", what.c_str());
  std::exit(1);
}
template <typename T>
T Value(absl::StatusOr<T> value) {
  if (!value.ok()) Fail(value.status().ToString());
  return *std::move(value);
}
void Check(const absl::Status& status) {
  if (!status.ok()) Fail(status.ToString());
}
void Check(const grpc::Status& status) {
  if (!status.ok()) Fail(status.error_message());
}

struct Figures {
  double seconds = 0;
  double gateway_us = 0;   // CPU for each event
  double database_us = 0;  // the same, of all of PostgreSQL's processes
};

class Bench {
 public:
  Bench(const std::string& build, int events) : events_(events) {
    server_ = Value(PostgresServer::Start(
        {.fsync = true,
         .settings = {"autovacuum=on", "shared_buffers=256MB", "max_wal_size=2GB"}}));
    database_ = server_->CreateDatabase();
    const std::string dsn =
        directory_.Write("dsn", absl::StrCat(server_->conninfo(database_), "\n"));
    simulator_ =
        Value(faults::SimulatorProcess::Start(build + "/simulator/ipp-simulator", directory_));
    gateway_ = std::make_unique<faults::GatewayProcess>(
        faults::GatewayProcess::Options{.program = build + "/server/ipp-gateway",
                                        .name = "a",
                                        .store = absl::StrCat("{postgres: {dsn_file: ", dsn, "}}")},
        *simulator_, directory_);
    Check(gateway_->Start());
    control_ = std::make_unique<faults::SimulatorControl>(simulator_->port());
    Check(control_->SetReceivers({gateway_->webhook_url()}));
    postmaster_ = Number("SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)");
    Seed();
  }

  // What the tables come to after one subscription has read the log, beside the log itself.
  void RunSizes() {
    Show("shared, 4 consumers", Shared(4));
    Show("queue, 4 consumers", Queue(4));
    for (const char* table : {"ipp_gateway.events", "ipp_gateway.shared_heads", "queue"}) {
      std::printf("%s: %lld KiB\n", table, Size(table));
    }
  }

  void Run() {
    std::printf("%-44s %10s %12s %12s\n", "", "events/s", "gateway µs", "postgres µs");
    Show("shared, 4 consumers, tables without statistics", Shared(4));
    Show("plain stream, 1 subscriber", Plain());
    for (const int consumers : {1, 4, 16}) Both(consumers, "");
    std::printf("tables after %d events: shared_heads %lld KiB, queue %lld KiB\n", events_,
                Size("ipp_gateway.shared_heads"), Size("queue"));
    PGconn* const old = Connect();
    Execute(old, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM ipp_gateway.log");
    for (int i = 1; i <= 3; ++i) Both(4, absl::StrCat(", an open transaction, run ", i));
    std::printf("tables then: shared_heads %lld KiB, queue %lld KiB\n",
                Size("ipp_gateway.shared_heads"), Size("queue"));
    PQfinish(old);
    Latency();
  }

 private:
  PGconn* Connect() {
    PGconn* const connection = PQconnectdb(server_->conninfo(database_).c_str());
    if (PQstatus(connection) != CONNECTION_OK) Fail(PQerrorMessage(connection));
    return connection;
  }
  static std::vector<std::string> Execute(PGconn* connection, const std::string& sql) {
    PGresult* const result = PQexec(connection, sql.c_str());
    const ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
      Fail(PQerrorMessage(connection));
    }
    std::vector<std::string> first;
    for (int i = 0; i < PQntuples(result); ++i) first.emplace_back(PQgetvalue(result, i, 0));
    PQclear(result);
    return first;
  }
  long long Number(const std::string& sql) {
    PGconn* const connection = Connect();
    const std::vector<std::string> rows = Execute(connection, sql);
    PQfinish(connection);
    return rows.empty() ? 0 : std::atoll(rows.front().c_str());
  }
  long long Size(const std::string& table) {
    return Number(absl::StrCat("SELECT pg_total_relation_size('", table, "') / 1024"));
  }

  // Copies of one real event, four to a session.
  void Seed() {
    Value(control_->CreateSession(simulator_->merchants().front(), "seed"));
    for (int i = 0; Number("SELECT count(*) FROM ipp_gateway.events") == 0; ++i) {
      if (i > 500) Fail("no event");
      absl::SleepFor(absl::Milliseconds(20));
    }
    Check(gateway_->Drain());
    Number(absl::StrCat(
        "INSERT INTO ipp_gateway.events SELECT l.last_position + g, l.last_recorded_at, "
        "e.merchant_id, convert_to(md5((g / 4)::text), 'UTF8'), e.device_id, e.type, "
        "e.merchant_reference1, e.payload FROM ipp_gateway.log l, (SELECT * FROM "
        "ipp_gateway.events ORDER BY position LIMIT 1) e, generate_series(1, ",
        events_, ") g"));
    Number(absl::StrCat("UPDATE ipp_gateway.log SET last_position = last_position + ", events_));
    Number("VACUUM ANALYZE");
    Number("CREATE TABLE queue (id bigserial PRIMARY KEY, payload bytea NOT NULL)");
    events_ = static_cast<int>(Number("SELECT count(*) FROM ipp_gateway.events"));
    Check(gateway_->Start());
  }

  // In clock ticks of 10 ms, those of ended backends too.
  double DatabaseCpuUs() const {
    double ticks = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
      long long pid = 0;
      if (!absl::SimpleAtoi(entry.path().filename().string(), &pid)) continue;
      std::ifstream file(entry.path() / "stat");
      std::string text((std::istreambuf_iterator<char>(file)), {});
      const size_t name_end = text.rfind(')');
      if (name_end == text.npos) continue;
      long long parent = 0, user = 0, system = 0, ended_user = 0, ended_system = 0;
      if (std::sscanf(text.c_str() + name_end + 1,
                      " %*c %lld %*d %*d %*d %*d %*u %*u %*u %*u %*u %lld %lld %lld %lld", &parent,
                      &user, &system, &ended_user, &ended_system) != 5) {
        continue;
      }
      if (pid == postmaster_) ticks += static_cast<double>(ended_user + ended_system);
      if (pid == postmaster_ || parent == postmaster_) ticks += static_cast<double>(user + system);
    }
    return ticks * 10'000;
  }

  template <typename Work>
  Figures Measure(Work work) {
    const double gateway = ProcessCpuUs(gateway_->pid());
    const double database = DatabaseCpuUs();
    const absl::Time begin = absl::Now();
    work();
    return {.seconds = absl::ToDoubleSeconds(absl::Now() - begin),
            .gateway_us = (ProcessCpuUs(gateway_->pid()) - gateway) / events_,
            .database_us = (DatabaseCpuUs() - database) / events_};
  }

  void Show(const std::string& name, const Figures& figures) const {
    std::printf("%-44s %10.0f %12.1f %12.1f\n", name.c_str(), events_ / figures.seconds,
                figures.gateway_us, figures.database_us);
    std::fflush(stdout);
  }

  void Both(int consumers, const std::string& how) {
    const std::string who = absl::StrCat(consumers, " consumers", how);
    Show("shared, " + who, Shared(consumers));
    Show("queue, " + who, Queue(consumers));
  }

  Figures Plain() {
    return Measure([this] {
      const auto stub = v1::SessionEventService::NewStub(Channel());
      grpc::ClientContext context;
      v1::SubscribeSessionEventsRequest request;
      request.set_position(v1::START_POSITION_FROM_OLDEST);
      const auto reader = stub->SubscribeSessionEvents(&context, request);
      v1::SubscribeSessionEventsResponse message;
      for (int got = 0; got < events_ && reader->Read(&message);) got += message.has_event();
      context.TryCancel();
      reader->Finish().ok();
    });
  }

  std::string NewSubscription(v1::StartPosition from) {
    v1::CreateSharedSubscriptionRequest request;
    std::string name = absl::StrCat("bench-", ++subscriptions_);
    request.mutable_subscription()->set_name(name);
    request.mutable_subscription()->mutable_start()->set_position(from);
    grpc::ClientContext context;
    v1::CreateSharedSubscriptionResponse response;
    Check(v1::SharedSubscriptionService::NewStub(Channel())->CreateSharedSubscription(
        &context, request, &response));
    return name;
  }

  std::shared_ptr<grpc::Channel> Channel() {
    return faults::FreshChannel(gateway_->grpc_address());
  }

  // A consumer: one thread receives, one acknowledges all that came meanwhile.
  class Consumer {
   public:
    Consumer(std::shared_ptr<grpc::Channel> channel, std::string name, std::atomic<int>* left)
        : stub_(v1::SharedSubscriptionService::NewStub(channel)),
          name_(std::move(name)),
          left_(left),
          receiver_([this] { Receive(); }),
          settler_([this] { Settle(); }) {}
    ~Consumer() {
      context_.TryCancel();
      receiver_.join();
      settler_.join();
    }

   private:
    void Receive() {
      v1::ReceiveSessionEventsRequest request;
      request.set_subscription(name_);
      request.set_max_in_flight(kRoom);
      const auto reader = stub_->ReceiveSessionEvents(&context_, request);
      v1::ReceiveSessionEventsResponse message;
      while (reader->Read(&message)) {
        if (!message.has_leased()) continue;
        MutexLock lock(&mutex_);
        leases_.push_back(message.leased().lease());
        changed_.Signal();
      }
      reader->Finish().ok();
      MutexLock lock(&mutex_);
      over_ = true;
      changed_.Signal();
    }
    void Settle() {
      while (true) {
        v1::SettleSessionEventsRequest request;
        request.set_subscription(name_);
        {
          MutexLock lock(&mutex_);
          while (leases_.empty() && !over_) changed_.Wait(&mutex_);
          if (leases_.empty()) return;
          for (std::string& lease : leases_) {
            v1::Settlement* const settlement = request.add_settlements();
            settlement->set_lease(std::move(lease));
            settlement->mutable_acknowledge();
          }
          leases_.clear();
        }
        grpc::ClientContext context;
        v1::SettleSessionEventsResponse response;
        Check(stub_->SettleSessionEvents(&context, request, &response));
        *left_ -= response.results_size();
      }
    }

    const std::unique_ptr<v1::SharedSubscriptionService::Stub> stub_;
    const std::string name_;
    std::atomic<int>* const left_;
    grpc::ClientContext context_;
    Mutex mutex_;
    CondVar changed_;
    std::vector<std::string> leases_ ABSL_GUARDED_BY(mutex_);
    bool over_ ABSL_GUARDED_BY(mutex_) = false;
    std::thread receiver_;
    std::thread settler_;
  };

  Figures Shared(int consumers) {
    const std::string name = NewSubscription(v1::START_POSITION_FROM_OLDEST);
    std::atomic<int> left(events_);
    std::vector<std::unique_ptr<Consumer>> pods;
    return Measure([&] {
      for (int i = 0; i < consumers; ++i) {
        pods.push_back(std::make_unique<Consumer>(Channel(), name, &left));
      }
      while (left > 0) absl::SleepFor(absl::Milliseconds(2));
    });
  }

  Figures Queue(int consumers) {
    Number(absl::StrCat("INSERT INTO queue (payload) SELECT payload FROM ipp_gateway.events"));
    return Measure([&] {
      std::vector<std::thread> workers;
      for (int i = 0; i < consumers; ++i) {
        workers.emplace_back([this] {
          PGconn* const connection = Connect();
          for (bool some = true; some;) {
            Execute(connection, "BEGIN");
            const std::vector<std::string> ids =
                Execute(connection, absl::StrCat("SELECT id, payload FROM queue ORDER BY id LIMIT ",
                                                 kTaken, " FOR UPDATE SKIP LOCKED"));
            some = !ids.empty();
            std::string list;
            for (const std::string& id : ids) absl::StrAppend(&list, list.empty() ? "" : ",", id);
            if (some) Execute(connection, "DELETE FROM queue WHERE id IN (" + list + ")");
            Execute(connection, "COMMIT");
          }
          PQfinish(connection);
        });
      }
      for (std::thread& worker : workers) worker.join();
    });
  }

  // From before the session is made at the simulator, whose webhook tells of it, until the
  // acknowledgement is answered.
  void Latency() {
    const std::string name = NewSubscription(v1::START_POSITION_FROM_NOW);
    std::atomic<int> left(0);
    Consumer consumer(Channel(), name, &left);
    absl::SleepFor(absl::Seconds(1));
    std::vector<double> took;
    for (int i = 1; i <= 200; ++i) {
      const absl::Time begin = absl::Now();
      Value(control_->CreateSession(simulator_->merchants().front(), absl::StrCat("latency-", i)));
      while (left > -i) absl::SleepFor(absl::Microseconds(200));
      took.push_back(absl::ToDoubleMilliseconds(absl::Now() - begin));
    }
    std::sort(took.begin(), took.end());
    std::printf("sale to settled, one at a time: p50 %.1f ms, p99 %.1f ms\n", took[100], took[198]);
  }

  int events_;
  faults::WorkDirectory directory_;
  std::unique_ptr<PostgresServer> server_;
  std::string database_;
  std::unique_ptr<faults::SimulatorProcess> simulator_;
  std::unique_ptr<faults::GatewayProcess> gateway_;
  std::unique_ptr<faults::SimulatorControl> control_;
  long long postmaster_ = 0;
  int subscriptions_ = 0;
};

}  // namespace
}  // namespace ipp::bench

int main(int argc, char** argv) {
  int events = 0;
  const bool sizes = argc == 4 && std::string(argv[3]) == "sizes";
  if ((argc != 3 && !sizes) || !absl::SimpleAtoi(argv[2], &events) || events < 100) {
    std::fprintf(stderr, "usage: consumers_bench BUILD_DIR EVENTS [sizes]\n");
    return 2;
  }
  ipp::bench::Bench bench(argv[1], events);
  sizes ? bench.RunSizes() : bench.Run();
  return 0;
}
