#include "tests/bench/store_load.h"

#include <chrono>
#include <random>
#include <utility>

#include "absl/strings/str_format.h"
#include "tests/bench/flags.h"

namespace ipp::bench {
namespace {

namespace v1 = kustom::ipp::v1;

double CpuSeconds() {
  timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

}  // namespace

Slice Measure(Writer* writer, int events) {
  const double cpu = CpuSeconds();
  const auto begin = std::chrono::steady_clock::now();
  writer->Write(events);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  return {.events = events, .seconds = took.count(), .cpu_seconds = CpuSeconds() - cpu};
}

std::string RandomId() {
  static std::mt19937_64 random(1);
  const uint64_t a = random();
  const uint64_t b = random();
  return absl::StrFormat("%08x-%04x-4%03x-8%03x-%012x", a >> 32, (a >> 16) & 0xffff, a & 0xfff,
                         (b >> 52) & 0xfff, b & 0xffffffffffff);
}

store::SessionRecord MakeRecord(const std::string& session_id) {
  store::SessionRecord record;
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

v1::SessionEvent MakeEvent(const store::SessionRecord& record) {
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

StoreWriter::StoreWriter(store::Store* store, int in_flight)
    : store_(store), in_flight_(in_flight), record_(MakeRecord(RandomId())) {}

void StoreWriter::Write(int events) {
  for (int i = 0; i < events; ++i) AddOne();
  WaitUntil(1, 0);
}

void StoreWriter::AddOne() {
  WaitUntil(in_flight_, in_flight_ / 2);
  {
    std::lock_guard<std::mutex> lock(mutex_);
    ++waiting_;
  }
  const std::string session_id = RandomId();
  store::Transaction transaction;
  transaction.dedup_key = "DM00000001/kevt_" + session_id;
  transaction.merchant_id = record_.merchant_id;
  transaction.session_id = session_id;
  transaction.decide = [this, session_id](const store::Snapshot&) {
    store::SessionRecord record = record_;
    record.session.set_session_id(session_id);
    store::NewEvent event{MakeEvent(record)};
    return store::Writes{std::move(record), {std::move(event)}};
  };
  store_->Commit(std::move(transaction), [this](absl::StatusOr<store::Committed> committed) {
    if (!committed.ok()) Die("a commit failed: " + std::string(committed.status().message()));
    std::lock_guard<std::mutex> lock(mutex_);
    --waiting_;
    // Woken once for many, or the benchmark measures its own wake-ups.
    if (waiting_ == in_flight_ / 2 || waiting_ == 0) changed_.notify_one();
  });
}

// Waits when there are `limit` of them, until there are no more than `low`.
void StoreWriter::WaitUntil(int limit, int low) {
  std::unique_lock<std::mutex> lock(mutex_);
  if (waiting_ < limit) return;
  changed_.wait(lock, [&] { return waiting_ <= low; });
}

}  // namespace ipp::bench
