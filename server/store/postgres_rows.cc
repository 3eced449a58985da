#include "server/store/postgres_rows.h"

#include "server/base/status_macros.h"

namespace ipp::store {

absl::StatusOr<SessionRecord> ReadSession(const PostgresRows& rows, int row) {
  SessionRecord record;
  record.merchant_id = rows.String(row, 0);
  record.request_id = rows.String(row, 1);  // empty when NULL
  record.complete = rows.Bool(row, 2);
  record.open = rows.Bool(row, 3);
  record.created_at = FromPostgresNanos(rows.Int(row, 4));
  record.updated_at = FromPostgresNanos(rows.Int(row, 5));
  if (!rows.IsNull(row, 6)) record.next_check_at = FromPostgresNanos(rows.Int(row, 6));
  record.checks = static_cast<int32_t>(rows.Int(row, 7));
  const absl::string_view session = rows.Bytes(row, 8);
  if (!record.session.ParseFromArray(session.data(), static_cast<int>(session.size()))) {
    return absl::DataLossError("a session in the store cannot be read");
  }
  return record;
}

absl::StatusOr<std::vector<SessionRecord>> ReadSessions(const PostgresRows& rows) {
  std::vector<SessionRecord> records;
  records.reserve(static_cast<size_t>(rows.size()));
  for (int row = 0; row < rows.size(); ++row) {
    IPP_ASSIGN_OR_RETURN(records.emplace_back(), ReadSession(rows, row));
  }
  return records;
}

StoredEvent ReadEvent(const PostgresRows& rows, int row) {
  StoredEvent event;
  event.position = rows.Int(row, 0);
  event.recorded_at = FromPostgresNanos(rows.Int(row, 1));
  event.merchant_id = rows.String(row, 2);
  event.session_id = rows.String(row, 3);
  event.device_id = rows.String(row, 4);
  event.type = static_cast<kustom::ipp::v1::SessionEventType>(rows.Int(row, 5));
  event.merchant_reference1 = rows.String(row, 6);
  event.payload = rows.String(row, 7);
  return event;
}

PostgresArguments SessionArguments(const std::vector<const SessionRecord*>& records) {
  PostgresArray merchant_id(PostgresType::kBytea), session_id(PostgresType::kBytea);
  PostgresArray request_id(PostgresType::kBytea), session(PostgresType::kBytea);
  PostgresArray complete(PostgresType::kBool), open(PostgresType::kBool);
  PostgresArray created_at(PostgresType::kBigint), updated_at(PostgresType::kBigint);
  PostgresArray next_check_at(PostgresType::kBigint), checks(PostgresType::kBigint);
  for (const SessionRecord* record : records) {
    merchant_id.AddBytes(record->merchant_id);
    session_id.AddBytes(record->session.session_id());
    if (record->request_id.empty()) {
      request_id.AddNull();
    } else {
      request_id.AddBytes(record->request_id);
    }
    complete.AddBool(record->complete);
    open.AddBool(record->open);
    created_at.AddInt(PostgresNanos(record->created_at));
    updated_at.AddInt(PostgresNanos(record->updated_at));
    if (record->next_check_at == absl::InfiniteFuture()) {
      next_check_at.AddNull();
    } else {
      next_check_at.AddInt(PostgresNanos(record->next_check_at));
    }
    checks.AddInt(record->checks);
    session.AddBytes(record->session.SerializeAsString());
  }
  PostgresArguments arguments;
  for (const PostgresArray* column :
       {&merchant_id, &session_id, &request_id, &complete, &open, &created_at, &updated_at,
        &next_check_at, &checks, &session}) {
    arguments.Array(*column);
  }
  return arguments;
}

PostgresArguments EventArguments(const std::vector<StoredEvent>& events) {
  PostgresArray position(PostgresType::kBigint), recorded_at(PostgresType::kBigint);
  PostgresArray merchant_id(PostgresType::kBytea), session_id(PostgresType::kBytea);
  PostgresArray device_id(PostgresType::kBytea), merchant_reference1(PostgresType::kBytea);
  PostgresArray type(PostgresType::kBigint), payload(PostgresType::kBytea);
  for (const StoredEvent& event : events) {
    position.AddInt(event.position);
    recorded_at.AddInt(PostgresNanos(event.recorded_at));
    merchant_id.AddBytes(event.merchant_id);
    session_id.AddBytes(event.session_id);
    device_id.AddBytes(event.device_id);
    type.AddInt(event.type);
    merchant_reference1.AddBytes(event.merchant_reference1);
    payload.AddBytes(event.payload);
  }
  PostgresArguments arguments;
  for (const PostgresArray* column : {&position, &recorded_at, &merchant_id, &session_id,
                                      &device_id, &type, &merchant_reference1, &payload}) {
    arguments.Array(*column);
  }
  return arguments;
}

}  // namespace ipp::store
