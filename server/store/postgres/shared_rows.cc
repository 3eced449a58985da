#include "server/store/postgres/shared_rows.h"

#include <utility>

#include "server/store/postgres/rows.h"
#include "server/store/shared_leases.h"

namespace ipp::store {

SharedRecord ReadSharedRecord(const PostgresRows& rows, int row) {
  SharedRecord record;
  record.id = rows.Int(row, 0);
  record.caller = rows.String(row, 1);
  record.name = rows.String(row, 2);
  record.spec = rows.String(row, 3);
  record.read_position = rows.Int(row, 4);
  record.due_floor = FromPostgresNanos(rows.Int(row, 5));
  record.created_at = FromPostgresNanos(rows.Int(row, 6));
  record.last_used_at = FromPostgresNanos(rows.Int(row, 7));
  return record;
}

std::vector<SharedRecord> ReadSharedRecords(const PostgresRows& rows) {
  std::vector<SharedRecord> records;
  for (int i = 0; i < rows.size(); ++i) records.push_back(ReadSharedRecord(rows, i));
  return records;
}

std::vector<SharedHead> ReadSharedHeads(const PostgresRows& rows) {
  std::vector<SharedHead> heads;
  for (int i = 0; i < rows.size(); ++i) {
    SharedHead& head = heads.emplace_back();
    head.merchant_id = rows.String(i, 0);
    head.session_id = rows.String(i, 1);
    head.position = rows.Int(i, 2);
    head.redriven = rows.Bool(i, 3);
    head.settled_through = rows.Int(i, 4);
    head.attempts = static_cast<int32_t>(rows.Int(i, 5));
    head.lease = static_cast<uint64_t>(rows.Int(i, 6));
    head.out = rows.Bool(i, 7);
    head.leased_until = FromPostgresNanos(rows.Int(i, 8));
    head.due_at = FromPostgresNanos(rows.Int(i, 9));
    head.first_at = FromPostgresNanos(rows.Int(i, 10));
    head.recorded_at = FromPostgresNanos(rows.Int(i, 11));
    head.consumer = rows.String(i, 12);
    head.last_error = rows.String(i, 13);
    head.settled = UnpackLeases(rows.Bytes(i, 14));
    head.settled_at = FromPostgresNanos(rows.Int(i, 15));
  }
  return heads;
}

PostgresArguments SharedHeadArguments(const std::vector<SharedHead>& heads) {
  PostgresArray merchants(PostgresType::kBytea), sessions(PostgresType::kBytea);
  PostgresArray positions(PostgresType::kBigint), redriven(PostgresType::kBool);
  PostgresArray settled_through(PostgresType::kBigint), attempts(PostgresType::kBigint);
  PostgresArray leases(PostgresType::kBigint), out(PostgresType::kBool);
  PostgresArray leased_until(PostgresType::kBigint), due_at(PostgresType::kBigint);
  PostgresArray first_at(PostgresType::kBigint), recorded_at(PostgresType::kBigint);
  PostgresArray consumers(PostgresType::kBytea), errors(PostgresType::kBytea);
  PostgresArray settled(PostgresType::kBytea), settled_at(PostgresType::kBigint);
  for (const SharedHead& head : heads) {
    merchants.AddBytes(head.merchant_id);
    sessions.AddBytes(head.session_id);
    positions.AddInt(head.position);
    redriven.AddBool(head.redriven);
    settled_through.AddInt(head.settled_through);
    attempts.AddInt(head.attempts);
    leases.AddInt(static_cast<int64_t>(head.lease));
    out.AddBool(head.out);
    leased_until.AddInt(PostgresNanos(head.leased_until));
    due_at.AddInt(PostgresNanos(head.due_at));
    first_at.AddInt(PostgresNanos(head.first_at));
    recorded_at.AddInt(PostgresNanos(head.recorded_at));
    consumers.AddBytes(head.consumer);
    errors.AddBytes(head.last_error);
    settled.AddBytes(PackLeases(head.settled));
    settled_at.AddInt(PostgresNanos(head.settled_at));
  }
  PostgresArguments arguments;
  arguments.Array(merchants).Array(sessions).Array(positions).Array(redriven);
  arguments.Array(settled_through).Array(attempts).Array(leases).Array(out);
  arguments.Array(leased_until).Array(due_at).Array(first_at).Array(recorded_at);
  arguments.Array(consumers).Array(errors).Array(settled).Array(settled_at);
  return arguments;
}

std::vector<SharedParked> ReadSharedParked(const PostgresRows& rows) {
  std::vector<SharedParked> parked;
  for (int i = 0; i < rows.size(); ++i) {
    SharedParked& one = parked.emplace_back();
    one.event.position = rows.Int(i, 0);
    one.event_id = rows.String(i, 1);
    one.event.recorded_at = FromPostgresNanos(rows.Int(i, 2));
    one.event.merchant_id = rows.String(i, 3);
    one.event.session_id = rows.String(i, 4);
    one.attempts = static_cast<int32_t>(rows.Int(i, 5));
    one.first_at = FromPostgresNanos(rows.Int(i, 6));
    one.parked_at = FromPostgresNanos(rows.Int(i, 7));
    one.reason = rows.String(i, 8);
    one.consumer = rows.String(i, 9);
    one.redriving = rows.Bool(i, 10);
    one.event.payload = rows.String(i, 11);
  }
  return parked;
}

PostgresArguments SharedParkedArguments(const std::vector<SharedParked>& parked) {
  PostgresArray positions(PostgresType::kBigint), event_ids(PostgresType::kBytea);
  PostgresArray recorded_at(PostgresType::kBigint), merchants(PostgresType::kBytea);
  PostgresArray sessions(PostgresType::kBytea), attempts(PostgresType::kBigint);
  PostgresArray first_at(PostgresType::kBigint), parked_at(PostgresType::kBigint);
  PostgresArray reasons(PostgresType::kBytea), consumers(PostgresType::kBytea);
  PostgresArray redriving(PostgresType::kBool), payloads(PostgresType::kBytea);
  for (const SharedParked& one : parked) {
    positions.AddInt(one.event.position);
    event_ids.AddBytes(one.event_id);
    recorded_at.AddInt(PostgresNanos(one.event.recorded_at));
    merchants.AddBytes(one.event.merchant_id);
    sessions.AddBytes(one.event.session_id);
    attempts.AddInt(one.attempts);
    first_at.AddInt(PostgresNanos(one.first_at));
    parked_at.AddInt(PostgresNanos(one.parked_at));
    reasons.AddBytes(one.reason);
    consumers.AddBytes(one.consumer);
    redriving.AddBool(one.redriving);
    payloads.AddBytes(one.event.payload);
  }
  PostgresArguments arguments;
  arguments.Array(positions).Array(event_ids).Array(recorded_at).Array(merchants);
  arguments.Array(sessions).Array(attempts).Array(first_at).Array(parked_at);
  arguments.Array(reasons).Array(consumers).Array(redriving).Array(payloads);
  return arguments;
}

PostgresArguments SessionKeyArguments(const std::vector<SessionKey>& sessions) {
  PostgresArray merchants(PostgresType::kBytea), ids(PostgresType::kBytea);
  for (const auto& [merchant, session] : sessions) {
    merchants.AddBytes(merchant);
    ids.AddBytes(session);
  }
  return std::move(PostgresArguments().Array(merchants).Array(ids));
}

}  // namespace ipp::store
