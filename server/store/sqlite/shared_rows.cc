#include "server/store/sqlite/shared_rows.h"

#include "server/store/shared_leases.h"
#include "server/store/sqlite/rows.h"

namespace ipp::store {

SharedRecord ReadSharedRecord(const SqliteQuery& row) {
  SharedRecord record;
  record.id = row.Int(0);
  record.caller = row.String(1);
  record.name = row.String(2);
  record.spec = row.String(3);
  record.read_position = row.Int(4);
  record.due_floor = FromNanos(row.Int(5));
  record.created_at = FromNanos(row.Int(6));
  record.last_used_at = FromNanos(row.Int(7));
  return record;
}

SharedHead ReadSharedHead(const SqliteQuery& row) {
  SharedHead head;
  head.merchant_id = row.String(0);
  head.session_id = row.String(1);
  head.position = row.Int(2);
  head.redriven = row.Int(3) != 0;
  head.settled_through = row.Int(4);
  head.attempts = static_cast<int32_t>(row.Int(5));
  head.lease = static_cast<uint64_t>(row.Int(6));
  head.out = row.Int(7) != 0;
  head.leased_until = FromNanos(row.Int(8));
  head.due_at = FromNanos(row.Int(9));
  head.first_at = FromNanos(row.Int(10));
  head.recorded_at = FromNanos(row.Int(11));
  head.consumer = row.String(12);
  head.last_error = row.String(13);
  head.settled = UnpackLeases(row.Bytes(14));
  head.settled_at = FromNanos(row.Int(15));
  return head;
}

void BindSharedHead(SqliteQuery& query, const SharedHead& head, const std::string& settled) {
  query.Bind(head.merchant_id)
      .Bind(head.session_id)
      .Bind(head.position)
      .Bind(head.redriven ? 1 : 0)
      .Bind(head.settled_through)
      .Bind(head.attempts)
      .Bind(static_cast<int64_t>(head.lease))
      .Bind(head.out ? 1 : 0)
      .Bind(ToNanos(head.leased_until))
      .Bind(ToNanos(head.due_at))
      .Bind(ToNanos(head.first_at))
      .Bind(ToNanos(head.recorded_at))
      .Bind(head.consumer)
      .Bind(head.last_error)
      .BindBlob(settled)
      .Bind(ToNanos(head.settled_at));
}

SharedParked ReadSharedParked(const SqliteQuery& row) {
  SharedParked parked;
  parked.event.position = row.Int(0);
  parked.event_id = row.String(1);
  parked.event.recorded_at = FromNanos(row.Int(2));
  parked.event.merchant_id = row.String(3);
  parked.event.session_id = row.String(4);
  parked.attempts = static_cast<int32_t>(row.Int(5));
  parked.first_at = FromNanos(row.Int(6));
  parked.parked_at = FromNanos(row.Int(7));
  parked.reason = row.String(8);
  parked.consumer = row.String(9);
  parked.redriving = row.Int(10) != 0;
  parked.event.payload = row.String(11);
  return parked;
}

void BindSharedParked(SqliteQuery& query, const SharedParked& parked) {
  query.Bind(parked.event.position)
      .Bind(parked.event_id)
      .Bind(ToNanos(parked.event.recorded_at))
      .Bind(parked.event.merchant_id)
      .Bind(parked.event.session_id)
      .Bind(parked.attempts)
      .Bind(ToNanos(parked.first_at))
      .Bind(ToNanos(parked.parked_at))
      .Bind(parked.reason)
      .Bind(parked.consumer)
      .Bind(parked.redriving ? 1 : 0)
      .BindBlob(parked.event.payload);
}

}  // namespace ipp::store
