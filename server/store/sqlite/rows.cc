#include "server/store/sqlite/rows.h"

#include <string>

namespace ipp::store {
namespace {

// NULL: never.
absl::Time ReadTime(const SqliteQuery& row, int column) {
  return row.IsNull(column) ? absl::InfiniteFuture() : FromNanos(row.Int(column));
}

void BindTime(SqliteQuery& query, absl::Time time) {
  if (time == absl::InfiniteFuture()) {
    query.BindNull();
  } else {
    query.Bind(ToNanos(time));
  }
}

// NULL: none.
void BindText(SqliteQuery& query, const std::string& text) {
  if (text.empty()) {
    query.BindNull();
  } else {
    query.Bind(text);
  }
}

}  // namespace

absl::StatusOr<SessionRecord> ReadSession(const SqliteQuery& row) {
  SessionRecord record;
  record.merchant_id = row.String(0);
  record.request_id = row.String(1);
  record.complete = row.Int(2) != 0;
  record.open = row.Int(3) != 0;
  record.created_at = FromNanos(row.Int(4));
  record.updated_at = FromNanos(row.Int(5));
  record.next_check_at = ReadTime(row, 6);
  record.checks = static_cast<int32_t>(row.Int(7));
  const absl::string_view session = row.Bytes(8);
  if (!record.session.ParseFromArray(session.data(), static_cast<int>(session.size()))) {
    return absl::DataLossError("a session in the store cannot be read");
  }
  record.held_event = row.String(9);
  record.trace = {.traceparent = row.String(10), .tracestate = row.String(11)};
  record.trimmed = row.Int(12) != 0;
  record.revision = static_cast<int32_t>(row.Int(13));
  record.missing_since = ReadTime(row, 14);
  record.location_id = row.String(15);
  return record;
}

SessionIndex::SessionIndex(const SessionRecord& record)
    : device_id(IndexedText(record.session.device_id())),
      merchant_reference1(IndexedText(record.session.merchant_reference1())),
      merchant_reference2(IndexedText(record.session.merchant_reference2())),
      order_id(IndexedText(record.session.order_id())) {}

void BindSession(SqliteQuery& query, const SessionRecord& record, const std::string& bytes,
                 const SessionIndex& index) {
  query.Bind(record.merchant_id).Bind(record.session.session_id());
  BindText(query, record.request_id);
  query.Bind(record.complete ? 1 : 0).Bind(record.open ? 1 : 0);
  query.Bind(ToNanos(record.created_at)).Bind(ToNanos(record.updated_at));
  BindTime(query, record.next_check_at);
  query.Bind(record.checks).BindBlob(bytes).BindBlob(record.held_event);
  query.Bind(record.trace.traceparent).Bind(record.trace.tracestate);
  query.Bind(record.trimmed ? 1 : 0).Bind(record.revision);
  BindTime(query, record.missing_since);
  BindText(query, record.location_id);
  BindIndex(query, record, index);
}

void BindIndex(SqliteQuery& query, const SessionRecord& record, const SessionIndex& index) {
  query.Bind(record.session.status());
  for (const std::string* text : {&index.device_id, &index.merchant_reference1,
                                  &index.merchant_reference2, &index.order_id}) {
    BindText(query, *text);
  }
  query.Bind(ToNanos(record.updated_at));
}

IntentRecord ReadIntent(const SqliteQuery& row) {
  IntentRecord intent;
  intent.id = row.Int(0);
  intent.merchant_id = row.String(1);
  intent.request_id = row.String(2);
  intent.rpc = row.String(3);
  intent.caller = row.String(4);
  intent.request = row.String(5);
  intent.state = static_cast<IntentState>(row.Int(6));
  intent.owner = row.String(7);
  intent.under_way_until = FromNanos(row.Int(8));
  intent.settle_by = FromNanos(row.Int(9));
  intent.answer = row.String(10);
  intent.session_id = row.String(11);
  intent.created_at = FromNanos(row.Int(12));
  intent.updated_at = FromNanos(row.Int(13));
  intent.trace = {.traceparent = row.String(14), .tracestate = row.String(15)};
  intent.trimmed = row.Int(16) != 0;
  return intent;
}

void BindIntent(SqliteQuery& query, const IntentRecord& intent) {
  query.Bind(intent.merchant_id).Bind(intent.request_id).Bind(intent.rpc).Bind(intent.caller);
  query.BindBlob(intent.request).Bind(static_cast<int64_t>(intent.state)).Bind(intent.owner);
  query.Bind(ToNanos(intent.under_way_until)).Bind(ToNanos(intent.settle_by));
  query.BindBlob(intent.answer).Bind(intent.session_id);
  query.Bind(ToNanos(intent.created_at)).Bind(ToNanos(intent.updated_at));
  query.Bind(intent.trace.traceparent).Bind(intent.trace.tracestate);
  query.Bind(intent.trimmed ? 1 : 0);
}

StoredEvent ReadEvent(const SqliteQuery& row) {
  StoredEvent event;
  event.position = row.Int(0);
  event.recorded_at = FromNanos(row.Int(1));
  event.merchant_id = row.String(2);
  event.session_id = row.String(3);
  event.device_id = row.String(4);
  event.type = static_cast<kustom::ipp::v1::SessionEventType>(row.Int(5));
  event.merchant_reference1 = row.String(6);
  event.payload = row.String(7);
  return event;
}

void BindEvent(SqliteQuery& query, const StoredEvent& event) {
  query.Bind(event.position).Bind(ToNanos(event.recorded_at));
  query.Bind(event.merchant_id).Bind(event.session_id).Bind(event.device_id);
  query.Bind(static_cast<int64_t>(event.type)).Bind(event.merchant_reference1);
  query.BindBlob(event.payload);
}

}  // namespace ipp::store
