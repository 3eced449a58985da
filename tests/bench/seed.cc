#include <sqlite3.h>

#include <cstdio>
#include <string>

#include "absl/strings/str_format.h"
#include "server/store/event_row.h"
#include "server/store/sqlite/schema.h"
#include "tests/bench/flags.h"

// Makes a gateway's database with a log of so many events: what a shop's week is to a subscriber
// that was away. Not durable, so that it is quick.
namespace ipp::bench {
namespace {

namespace v1 = kustom::ipp::v1;
constexpr int kEventsOfSession = 4;

class Database {
 public:
  explicit Database(const std::string& path) {
    Check(sqlite3_open(path.c_str(), &database_));
    Execute("PRAGMA page_size = 4096; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF");
    for (const char* step : store::SqliteMigrations()) Execute(step);
    Execute(absl::StrFormat("PRAGMA application_id = %d; PRAGMA user_version = %d", 0x69707067,
                            static_cast<int>(store::SqliteMigrations().size())));
    Execute("BEGIN");
    Check(sqlite3_prepare_v2(database_,
                             "INSERT INTO events (position, recorded_at, merchant_id, session_id, "
                             "device_id, type, merchant_reference1, payload) "
                             "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                             -1, &insert_, nullptr));
  }
  ~Database() {
    sqlite3_finalize(insert_);
    Execute("COMMIT");
    sqlite3_close(database_);
  }

  void Add(const store::StoredEvent& row) {
    sqlite3_bind_int64(insert_, 1, row.position);
    sqlite3_bind_int64(insert_, 2, absl::ToUnixNanos(row.recorded_at));
    Text(3, row.merchant_id);
    Text(4, row.session_id);
    Text(5, row.device_id);
    sqlite3_bind_int64(insert_, 6, row.type);
    Text(7, row.merchant_reference1);
    sqlite3_bind_blob(insert_, 8, row.payload.data(), static_cast<int>(row.payload.size()),
                      SQLITE_STATIC);
    if (sqlite3_step(insert_) != SQLITE_DONE) Die(sqlite3_errmsg(database_));
    sqlite3_reset(insert_);
  }

 private:
  void Execute(const std::string& sql) {
    Check(sqlite3_exec(database_, sql.c_str(), nullptr, nullptr, nullptr));
  }
  void Check(int code) {
    if (code != SQLITE_OK) Die(std::string("sqlite: ") + sqlite3_errstr(code));
  }
  void Text(int column, const std::string& text) {
    sqlite3_bind_text(insert_, column, text.data(), static_cast<int>(text.size()), SQLITE_STATIC);
  }

  sqlite3* database_ = nullptr;
  sqlite3_stmt* insert_ = nullptr;
};

v1::SessionEvent Event(int64_t number, const std::string& merchant) {
  v1::SessionEvent event;
  event.set_event_id(absl::StrFormat("kevt_%022d", number));
  event.set_type(v1::SESSION_EVENT_TYPE_PAYMENT_FAILED);
  event.set_upstream_type("ipp.payment.failed");
  event.set_failure_reason("insufficient_funds");
  event.set_merchant_id(merchant);
  event.set_source(v1::SESSION_EVENT_SOURCE_WEBHOOK);
  event.mutable_occurred_at()->set_seconds(1'790'000'000);
  event.set_session_id(absl::StrFormat("5e551000-0000-4000-8000-%012d", number / kEventsOfSession));
  v1::Session& session = *event.mutable_session();
  session.set_session_id(event.session_id());
  session.set_status(v1::SESSION_STATUS_ACTIVE);
  session.set_device_id("550e8400-e29b-41d4-a716-446655440000");
  session.set_order_amount(25000);
  session.set_order_tax_amount(5000);
  session.set_purchase_currency("SEK");
  session.set_merchant_reference1(absl::StrFormat("order-%d", number / kEventsOfSession));
  v1::OrderItem& item = *session.add_order_items();
  item.set_type(v1::ORDER_ITEM_TYPE_PHYSICAL);
  item.set_reference("COUNTER-1");
  item.set_name("Counter product");
  item.set_quantity(2);
  item.set_unit_price(12500);
  item.set_total_amount(25000);
  return event;
}

}  // namespace

int RunSeed(const Flags& flags) {
  Database database(flags.Text("path"));
  const absl::Time now = absl::Now();  // retention shall not begin to take them away
  for (int64_t i = 1; i <= flags.Number("events"); ++i) {
    database.Add(store::MakeRow(Event(i, flags.Text("merchant")), i, now));
  }
  return 0;
}

}  // namespace ipp::bench
