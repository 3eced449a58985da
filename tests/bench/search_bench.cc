// search_bench --sessions N [--store sqlite|postgres|both] [--doubled TIMES]: the search for
// sessions in a store that holds N of them. First the store is filled by its own writer, a thousand
// sessions a commit; the rate and the size are told by the million. PostgreSQL gets a part of them
// so and is then doubled with SQL, TIMES (0) times, which takes less long. Then every index that a
// search may follow is asked for a page of a hundred, many times with other values.
// docs/benchmarks.md.
#include <libpq-fe.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "server/base/log.h"
#include "server/base/metrics.h"
#include "server/store/postgres/store.h"
#include "server/store/sqlite/store.h"
#include "tests/bench/flags.h"
#include "tests/bench/store_load.h"
#include "tests/support/postgres_server.h"

namespace ipp::bench {
namespace {

namespace v1 = kustom::ipp::v1;
using SteadyClock = std::chrono::steady_clock;

constexpr int kBatch = 1000;
constexpr int kPage = 100;
constexpr int kAsked = 200;  // searches along each index
constexpr int kLocations = 400;
constexpr int kDevices = 2000;
constexpr int kReceiptsADay = 2500;  // receipts begin anew each day at each location
const char kMerchant[] = "DM00000001";
const absl::Time kFirst = absl::FromUnixSeconds(1'780'000'000);
constexpr absl::Duration kSpan = absl::Hours(24 * 90);  // of all sessions

// What the sessions look like: a chain of shops over ninety days.
class Shop {
 public:
  explicit Shop(int sessions) : sessions_(sessions) {}

  store::SessionRecord Session(int i) {
    store::SessionRecord record = template_;
    record.created_at = TimeOf(i);
    record.updated_at = record.created_at + absl::Seconds(40);
    record.next_check_at = absl::InfiniteFuture();
    record.open = false;
    record.location_id = absl::StrCat("location-", i % kLocations);
    record.session.set_session_id(RandomId());
    record.session.set_device_id(Device(i % kDevices));
    record.session.set_merchant_reference1(Receipt(i));
    record.session.set_merchant_reference2(absl::StrCat("till-", i % 7));
    record.session.set_status(i % 50 == 0   ? v1::SESSION_STATUS_EXPIRED
                              : i % 20 == 0 ? v1::SESSION_STATUS_CANCELLED
                                            : v1::SESSION_STATUS_FINALIZED);
    if (record.session.status() == v1::SESSION_STATUS_FINALIZED) {
      record.session.set_order_id(absl::StrCat("order-", i));
    }
    return record;
  }
  absl::Time TimeOf(int i) const { return kFirst + kSpan * (static_cast<double>(i) / sessions_); }
  static std::string Device(int n) { return absl::StrFormat("550e8400-e29b-41d4-a716-%012d", n); }
  static std::string Receipt(int i) { return absl::StrCat("receipt-", i % kReceiptsADay); }

 private:
  const int sessions_;
  store::SessionRecord template_ = MakeRecord("");
};

// Fills and asks one store.
class Search {
 public:
  Search(std::string name, store::Store* store, int sessions, std::function<double()> size)
      : name_(std::move(name)), store_(store), sessions_(sessions), size_(std::move(size)) {}

  void Fill() {
    auto begin = SteadyClock::now();
    const int step = std::min(sessions_, 1'000'000);
    for (int i = 0; i < sessions_; ++i) {
      Add(shop_.Session(i));
      if ((i + 1) % step != 0) continue;
      Wait(0);
      const std::chrono::duration<double> took = SteadyClock::now() - begin;
      std::printf("%s sessions=%d written_per_second=%.0f size_mib=%.0f\n", name_.c_str(), i + 1,
                  step / took.count(), size_() / (1 << 20));
      std::fflush(stdout);
      begin = SteadyClock::now();
    }
    Wait(0);
  }

  void Ask() {
    using Query = store::SessionQuery;
    const std::vector<std::pair<const char*, std::function<void(Query&, int)>>> kinds = {
        {"newest", [](Query&, int) {}},
        {"merchant_reference1", [](Query& q, int i) { q.merchant_reference1 = Shop::Receipt(i); }},
        {"merchant_reference1, device, hour",
         [this](Query& q, int i) {
           q.merchant_reference1 = Shop::Receipt(i);
           q.device_id = Shop::Device(i % kDevices);
           q.created_from = shop_.TimeOf(i) - absl::Minutes(30);
           q.created_before = shop_.TimeOf(i) + absl::Minutes(30);
         }},
        {"merchant_reference2",
         [](Query& q, int i) { q.merchant_reference2 = absl::StrCat("till-", i % 7); }},
        {"order_id", [](Query& q, int i) { q.order_id = absl::StrCat("order-", i); }},
        {"device", [](Query& q, int i) { q.device_id = Shop::Device(i % kDevices); }},
        {"location, day",
         [this](Query& q, int i) {
           q.location_id = absl::StrCat("location-", i % kLocations);
           q.created_from = shop_.TimeOf(i);
           q.created_before = shop_.TimeOf(i) + absl::Hours(24);
         }},
        {"status expired", [](Query& q, int) { q.statuses = {v1::SESSION_STATUS_EXPIRED}; }},
        {"updated, the last hundred", [](Query& q, int) { q.updated_from = kFirst; }},
        {"device and status that never meet: every session of the device is looked at",
         [](Query& q, int i) {
           q.device_id = Shop::Device(1 + i % 9);
           q.statuses = {v1::SESSION_STATUS_EXPIRED};
         }},
    };
    std::mt19937 random(7);
    for (const auto& [what, narrow] : kinds) {
      std::vector<double> took;
      size_t found = 0;
      for (int n = 0; n < kAsked; ++n) {
        Query query;
        query.merchant_ids = {kMerchant};
        query.limit = kPage;
        narrow(query, static_cast<int>(random() % static_cast<unsigned>(sessions_)));
        std::promise<absl::StatusOr<store::SessionPage>> answered;
        const auto begin = SteadyClock::now();
        store_->SearchSessions(query, [&](absl::StatusOr<store::SessionPage> page) {
          answered.set_value(std::move(page));
        });
        const absl::StatusOr<store::SessionPage> page = answered.get_future().get();
        took.push_back(
            std::chrono::duration<double, std::milli>(SteadyClock::now() - begin).count());
        if (!page.ok()) Die("a search failed: " + std::string(page.status().message()));
        found += page->sessions.size();
      }
      std::sort(took.begin(), took.end());
      std::printf("%s found=%.1f p50_ms=%.2f p99_ms=%.2f worst_ms=%.2f by=%s\n", name_.c_str(),
                  static_cast<double>(found) / kAsked, took[took.size() / 2],
                  took[took.size() * 99 / 100], took.back(), what);
      std::fflush(stdout);
    }
  }

 private:
  void Add(store::SessionRecord record) {
    Wait(4 * kBatch);
    {
      std::lock_guard<std::mutex> lock(mutex_);
      ++waiting_;
    }
    store::Transaction transaction;
    transaction.merchant_id = record.merchant_id;
    transaction.session_id = record.session.session_id();
    transaction.decide = [record = std::move(record)](const store::Snapshot&) {
      return store::Writes{record, {}};
    };
    store_->Commit(std::move(transaction), [this](absl::StatusOr<store::Committed> committed) {
      if (!committed.ok()) Die("a commit failed: " + std::string(committed.status().message()));
      std::lock_guard<std::mutex> lock(mutex_);
      if (--waiting_ % kBatch == 0) changed_.notify_one();
    });
  }
  // Until no more than `most` are under way.
  void Wait(int most) {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [&] { return waiting_ <= most; });
  }

  const std::string name_;
  store::Store* const store_;
  const int sessions_;
  const std::function<double()> size_;
  Shop shop_{sessions_};
  std::mutex mutex_;
  std::condition_variable changed_;
  int waiting_ = 0;
};

void OfSqlite(const std::string& folder, int sessions) {
  Metrics metrics;
  const std::string path = folder + "/store.db";
  auto opened = store::OpenSqliteStore({.path = path, .queue = {.max_batch = kBatch}},
                                       Clock::Real(), &metrics);
  if (!opened.ok()) Die(std::string(opened.status().message()));
  Search search("sqlite", opened->get(), sessions,
                [&] { return static_cast<double>(std::filesystem::file_size(path)); });
  search.Fill();
  search.Ask();
}

void OfPostgres(const std::string& folder, int sessions, int doubled) {
  auto server = PostgresServer::Start(
      {.fsync = true, .settings = {"autovacuum=on", "shared_buffers=256MB", "max_wal_size=2GB"}});
  if (!server.ok()) Die(std::string(server.status().message()));
  const std::string conninfo = (*server)->conninfo((*server)->CreateDatabase());
  const std::string dsn_file = folder + "/dsn";
  std::ofstream(dsn_file) << conninfo << " sslmode=disable\n";
  Metrics metrics;
  auto opened = store::OpenPostgresStore({.dsn_file = dsn_file, .queue = {.max_batch = kBatch}},
                                         Clock::Real(), &metrics);
  if (!opened.ok()) Die(std::string(opened.status().message()));
  const std::unique_ptr<PGconn, void (*)(PGconn*)> connection(PQconnectdb(conninfo.c_str()),
                                                              PQfinish);
  const auto one_number = [&](const char* sql) {
    const std::unique_ptr<PGresult, void (*)(PGresult*)> result(PQexec(connection.get(), sql),
                                                                PQclear);
    double number = 0;
    if (PQntuples(result.get()) != 1 ||
        !absl::SimpleAtod(PQgetvalue(result.get(), 0, 0), &number)) {
      Die(PQerrorMessage(connection.get()));
    }
    return number;
  };
  Search search("postgres", opened->get(), sessions >> doubled,
                [&] { return one_number("SELECT pg_database_size(current_database())"); });
  search.Fill();
  for (int i = 0; i < doubled; ++i) {
    one_number(
        "CREATE TEMPORARY TABLE more AS SELECT * FROM ipp_gateway.sessions;"
        "UPDATE more SET session_id = convert_to(gen_random_uuid()::text, 'UTF8'), "
        "created_at = created_at + 1; INSERT INTO ipp_gateway.sessions SELECT * FROM more;"
        "DROP TABLE more; ANALYZE ipp_gateway.sessions; SELECT 1");
  }
  std::printf("postgres sessions=%.0f size_mib=%.0f\n",
              one_number("SELECT count(*) FROM ipp_gateway.sessions"),
              one_number("SELECT pg_database_size(current_database()) >> 20"));
  search.Ask();
}

int Main(const Flags& flags) {
  SetLogLevel("error").IgnoreError();
  const char* base = std::getenv("TMPDIR");
  std::string folder = std::string(base == nullptr ? "/tmp" : base) + "/search-bench-XXXXXX";
  if (mkdtemp(folder.data()) == nullptr) Die("cannot make " + folder);
  const std::string which = flags.Text("store", "both");
  const int sessions = flags.Number("sessions");
  int doubled = 0;
  if (!absl::SimpleAtoi(flags.Text("doubled", "0"), &doubled)) Die("--doubled is a number");
  if (which != "postgres") OfSqlite(folder, sessions);
  if (which != "sqlite") OfPostgres(folder, sessions, doubled);
  std::filesystem::remove_all(folder);
  return 0;
}

}  // namespace
}  // namespace ipp::bench

int main(int argc, char** argv) { return ipp::bench::Main(ipp::bench::Flags(argc, argv, 1)); }
