#include <benchmark/benchmark.h>
#include <sqlite3.h>
#include <stdlib.h>

#include <condition_variable>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <utility>

#include "absl/strings/str_format.h"
#include "server/base/log.h"
#include "server/base/metrics.h"
#include "server/store/event_row.h"
#include "server/store/sqlite_schema.h"
#include "server/store/sqlite_store.h"

// Durable events per second into the SQLite store, n a commit, beside the floor: the very same rows
// (a dedup key, a session, an event) written straight with sqlite3 in commits of n, with nothing
// read, decided or serialized. Both on a file in TMPDIR, or /tmp: it should be on a real disk.
namespace {

namespace v1 = kustom::ipp::v1;
using namespace ipp::store;  // NOLINT: a benchmark of it

class Directory {
 public:
  Directory() {
    const char* base = getenv("TMPDIR");
    std::string pattern = std::string(base == nullptr ? "/tmp" : base) + "/store-bench-XXXXXX";
    path_ = mkdtemp(pattern.data());
  }
  ~Directory() { std::filesystem::remove_all(path_); }
  std::string file() const { return path_ + "/gateway.db"; }

 private:
  std::string path_;
};

// A session of its own for every event, as ids are: without order.
std::string RandomId() {
  static std::mt19937_64 random(1);
  const uint64_t a = random();
  const uint64_t b = random();
  return absl::StrFormat("%08x-%04x-4%03x-8%03x-%012x", a >> 32, (a >> 16) & 0xffff, a & 0xfff,
                         (b >> 52) & 0xfff, b & 0xffffffffffff);
}

SessionRecord MakeRecord(const std::string& session_id) {
  SessionRecord record;
  record.merchant_id = "DM00000001";
  record.complete = true;
  record.created_at = record.updated_at = absl::FromUnixSeconds(1'790'000'000);
  record.next_check_at = record.created_at + absl::Seconds(30);
  v1::Session& session = record.session;
  session.set_session_id(session_id);
  session.set_status(v1::SESSION_STATUS_ACTIVE);
  session.set_device_id("550e8400-e29b-41d4-a716-446655440000");
  session.set_order_amount(25000);
  session.set_order_tax_amount(5000);
  session.set_purchase_currency("SEK");
  session.set_merchant_reference1("order-100001");
  v1::OrderItem& item = *session.add_order_items();
  item.set_type(v1::ORDER_ITEM_TYPE_PHYSICAL);
  item.set_reference("COUNTER-1");
  item.set_name("Counter product");
  item.set_quantity(2);
  item.set_unit_price(12500);
  item.set_total_amount(25000);
  return record;
}

v1::SessionEvent MakeEvent(const SessionRecord& record) {
  v1::SessionEvent event;
  event.set_event_id("kevt_" + record.session.session_id());
  event.set_type(v1::SESSION_EVENT_TYPE_ACTIVATED);
  event.set_upstream_type("ipp.session.activated");
  event.set_merchant_id(record.merchant_id);
  event.set_session_id(record.session.session_id());
  event.set_source(v1::SESSION_EVENT_SOURCE_WEBHOOK);
  *event.mutable_session() = record.session;
  return event;
}

// Keeps enough transactions waiting that every commit is a full one.
class Load {
 public:
  Load(Store* store, int in_flight) : store_(store), in_flight_(in_flight) {}
  ~Load() { WaitUntilBelow(1); }

  void AddOne() {
    WaitUntilBelow(in_flight_);
    {
      std::lock_guard<std::mutex> lock(mutex_);
      ++waiting_;
    }
    const std::string session_id = RandomId();
    Transaction transaction;
    transaction.dedup_key = "DM00000001/kevt_" + session_id;
    transaction.merchant_id = "DM00000001";
    transaction.session_id = session_id;
    transaction.decide = [session_id](const Snapshot&) {
      SessionRecord record = MakeRecord(session_id);
      NewEvent event{MakeEvent(record)};
      return Writes{std::move(record), {std::move(event)}};
    };
    store_->Commit(std::move(transaction), [this](absl::StatusOr<Committed> committed) {
      if (!committed.ok()) std::abort();
      std::lock_guard<std::mutex> lock(mutex_);
      // Woken once for many, or the benchmark measures its own wake-ups.
      if (--waiting_ <= in_flight_ / 2) changed_.notify_one();
    });
  }

 private:
  void WaitUntilBelow(int limit) {
    std::unique_lock<std::mutex> lock(mutex_);
    if (waiting_ < limit) return;
    const int low = limit > 1 ? in_flight_ / 2 : 0;
    changed_.wait(lock, [&] { return waiting_ <= low; });
  }

  Store* const store_;
  const int in_flight_;
  std::mutex mutex_;
  std::condition_variable changed_;
  int waiting_ = 0;
};

void BM_SqliteStore(benchmark::State& state) {
  ipp::SetLogLevel("error").IgnoreError();
  const Directory directory;
  ipp::Metrics metrics;
  const int batch = static_cast<int>(state.range(0));
  SqliteOptions options{.path = directory.file(), .max_batch = static_cast<size_t>(batch)};
  auto store = *OpenSqliteStore(options, ipp::Clock::Real(), &metrics);
  {
    Load load(store.get(), 4 * batch);
    for (auto _ : state) load.AddOne();
  }
  state.SetItemsProcessed(state.iterations());
}

// The rows of one transaction, straight into sqlite3.
class BareWriter {
 public:
  explicit BareWriter(const std::string& path) {
    Check(sqlite3_open(path.c_str(), &database_));
    Execute(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4000");
    for (const char* step : SqliteMigrations()) Execute(step);
    seen_ = Prepare("INSERT INTO seen (key, seen_at) VALUES (?, ?)");
    session_ = Prepare("INSERT INTO sessions VALUES (?, ?, NULL, 1, 1, ?, ?, ?, 0, ?)");
    event_ = Prepare("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?)");
  }
  ~BareWriter() {
    for (sqlite3_stmt* statement : {seen_, session_, event_}) sqlite3_finalize(statement);
    sqlite3_close(database_);
  }

  void Execute(const char* sql) { Check(sqlite3_exec(database_, sql, nullptr, nullptr, nullptr)); }

  void Insert(const StoredEvent& event, const std::string& session_bytes) {
    const std::string session_id = RandomId();
    const std::string key = "DM00000001/kevt_" + session_id;
    const int64_t time = 1'790'000'000'000'000'000;
    Text(seen_, 1, key);
    sqlite3_bind_int64(seen_, 2, time);
    Run(seen_);
    Text(session_, 1, event.merchant_id);
    Text(session_, 2, session_id);
    for (int column : {3, 4, 5}) sqlite3_bind_int64(session_, column, time);
    sqlite3_bind_blob(session_, 6, session_bytes.data(), static_cast<int>(session_bytes.size()),
                      SQLITE_STATIC);
    Run(session_);
    sqlite3_bind_int64(event_, 1, ++position_);
    sqlite3_bind_int64(event_, 2, time);
    Text(event_, 3, event.merchant_id);
    Text(event_, 4, session_id);
    Text(event_, 5, event.device_id);
    sqlite3_bind_int64(event_, 6, event.type);
    Text(event_, 7, event.merchant_reference1);
    sqlite3_bind_blob(event_, 8, event.payload.data(), static_cast<int>(event.payload.size()),
                      SQLITE_STATIC);
    Run(event_);
  }

 private:
  static void Check(int code) {
    if (code == SQLITE_OK) return;
    std::fprintf(stderr, "sqlite: %s\n", sqlite3_errstr(code));
    std::abort();
  }
  sqlite3_stmt* Prepare(const char* sql) {
    sqlite3_stmt* statement = nullptr;
    Check(sqlite3_prepare_v2(database_, sql, -1, &statement, nullptr));
    return statement;
  }
  static void Text(sqlite3_stmt* statement, int column, const std::string& text) {
    sqlite3_bind_text(statement, column, text.data(), static_cast<int>(text.size()), SQLITE_STATIC);
  }
  static void Run(sqlite3_stmt* statement) {
    if (sqlite3_step(statement) != SQLITE_DONE) std::abort();
    Check(sqlite3_reset(statement));
  }

  sqlite3* database_ = nullptr;
  sqlite3_stmt* seen_ = nullptr;
  sqlite3_stmt* session_ = nullptr;
  sqlite3_stmt* event_ = nullptr;
  int64_t position_ = 0;
};

void BM_BareGroupCommit(benchmark::State& state) {
  const Directory directory;
  BareWriter writer(directory.file());
  const SessionRecord record = MakeRecord(RandomId());
  const std::string session = record.session.SerializeAsString();
  const StoredEvent event = MakeRow(MakeEvent(record), 1, record.created_at);
  const int64_t batch = state.range(0);
  int64_t written = 0;
  writer.Execute("BEGIN IMMEDIATE");
  for (auto _ : state) {
    writer.Insert(event, session);
    if (++written % batch == 0) writer.Execute("COMMIT; BEGIN IMMEDIATE");
  }
  writer.Execute("COMMIT");
  state.SetItemsProcessed(state.iterations());
}

BENCHMARK(BM_SqliteStore)->Arg(1)->Arg(16)->Arg(64)->UseRealTime()->MeasureProcessCPUTime();
BENCHMARK(BM_BareGroupCommit)->Arg(1)->Arg(16)->Arg(64)->UseRealTime()->MeasureProcessCPUTime();

}  // namespace
