#include "server/store/postgres/rows.h"

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
  record.held_event = rows.String(row, 9);
  record.trace = {.traceparent = rows.String(row, 10), .tracestate = rows.String(row, 11)};
  record.trimmed = rows.Bool(row, 12);
  record.revision = static_cast<int32_t>(rows.Int(row, 13));
  if (!rows.IsNull(row, 14)) record.missing_since = FromPostgresNanos(rows.Int(row, 14));
  record.location_id = rows.String(row, 15);  // empty when NULL
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

IntentRecord ReadIntent(const PostgresRows& rows, int row) {
  IntentRecord intent;
  intent.id = rows.Int(row, 0);
  intent.merchant_id = rows.String(row, 1);
  intent.request_id = rows.String(row, 2);
  intent.rpc = rows.String(row, 3);
  intent.caller = rows.String(row, 4);
  intent.request = rows.String(row, 5);
  intent.state = static_cast<IntentState>(rows.Int(row, 6));
  intent.owner = rows.String(row, 7);
  intent.under_way_until = FromPostgresNanos(rows.Int(row, 8));
  intent.settle_by = FromPostgresNanos(rows.Int(row, 9));
  intent.answer = rows.String(row, 10);
  intent.session_id = rows.String(row, 11);
  intent.created_at = FromPostgresNanos(rows.Int(row, 12));
  intent.updated_at = FromPostgresNanos(rows.Int(row, 13));
  intent.trace = {.traceparent = rows.String(row, 14), .tracestate = rows.String(row, 15)};
  intent.trimmed = rows.Bool(row, 16);
  return intent;
}

std::vector<IntentRecord> ReadIntents(const PostgresRows& rows) {
  std::vector<IntentRecord> intents;
  intents.reserve(static_cast<size_t>(rows.size()));
  for (int row = 0; row < rows.size(); ++row) intents.push_back(ReadIntent(rows, row));
  return intents;
}

absl::StatusOr<LogBounds> ReadBounds(const PostgresRows& rows) {
  if (rows.size() != 1) return absl::DataLossError("the log has no identity");
  LogBounds bounds;
  bounds.oldest = rows.Int(0, 0);
  bounds.latest = rows.Int(0, 1);
  bounds.creates_held_until = FromPostgresNanos(rows.Int(0, 2));
  IPP_ASSIGN_OR_RETURN(bounds.epochs, ParseEpochs(rows.Bytes(0, 3)));
  return bounds;
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
  PostgresArray held_event(PostgresType::kBytea), trimmed(PostgresType::kBool);
  PostgresArray traceparent(PostgresType::kBytea), tracestate(PostgresType::kBytea);
  PostgresArray revision(PostgresType::kBigint), missing_since(PostgresType::kBigint);
  PostgresArray location_id(PostgresType::kBytea), status(PostgresType::kBigint);
  PostgresArray device_id(PostgresType::kBytea), merchant_reference1(PostgresType::kBytea);
  PostgresArray merchant_reference2(PostgresType::kBytea), order_id(PostgresType::kBytea);
  const auto add_text = [](PostgresArray* column, absl::string_view text) {
    if (text.empty()) {
      column->AddNull();
    } else {
      column->AddBytes(text);
    }
  };
  const auto add_time = [](PostgresArray* column, absl::Time time) {
    if (time == absl::InfiniteFuture()) {
      column->AddNull();
    } else {
      column->AddInt(PostgresNanos(time));
    }
  };
  for (const SessionRecord* record : records) {
    merchant_id.AddBytes(record->merchant_id);
    session_id.AddBytes(record->session.session_id());
    add_text(&request_id, record->request_id);
    complete.AddBool(record->complete);
    open.AddBool(record->open);
    created_at.AddInt(PostgresNanos(record->created_at));
    updated_at.AddInt(PostgresNanos(record->updated_at));
    add_time(&next_check_at, record->next_check_at);
    checks.AddInt(record->checks);
    session.AddBytes(record->session.SerializeAsString());
    held_event.AddBytes(record->held_event);
    traceparent.AddBytes(record->trace.traceparent);
    tracestate.AddBytes(record->trace.tracestate);
    trimmed.AddBool(record->trimmed);
    revision.AddInt(record->revision);
    add_time(&missing_since, record->missing_since);
    add_text(&location_id, record->location_id);
    status.AddInt(record->session.status());
    add_text(&device_id, IndexedText(record->session.device_id()));
    add_text(&merchant_reference1, IndexedText(record->session.merchant_reference1()));
    add_text(&merchant_reference2, IndexedText(record->session.merchant_reference2()));
    add_text(&order_id, IndexedText(record->session.order_id()));
  }
  PostgresArguments arguments;
  for (const PostgresArray* column :
       {&merchant_id,         &session_id,  &request_id,    &complete,  &open,
        &created_at,          &updated_at,  &next_check_at, &checks,    &session,
        &held_event,          &traceparent, &tracestate,    &trimmed,   &revision,
        &missing_since,       &location_id, &status,        &device_id, &merchant_reference1,
        &merchant_reference2, &order_id,    &updated_at}) {
    arguments.Array(*column);
  }
  return arguments;
}

PostgresArguments IntentArguments(const std::vector<const IntentRecord*>& intents) {
  PostgresArray id(PostgresType::kBigint), state(PostgresType::kBigint);
  PostgresArray merchant_id(PostgresType::kBytea), request_id(PostgresType::kBytea);
  PostgresArray rpc(PostgresType::kBytea), caller(PostgresType::kBytea);
  PostgresArray request(PostgresType::kBytea), owner(PostgresType::kBytea);
  PostgresArray under_way_until(PostgresType::kBigint), settle_by(PostgresType::kBigint);
  PostgresArray answer(PostgresType::kBytea), session_id(PostgresType::kBytea);
  PostgresArray trimmed(PostgresType::kBool);
  PostgresArray created_at(PostgresType::kBigint), updated_at(PostgresType::kBigint);
  PostgresArray traceparent(PostgresType::kBytea), tracestate(PostgresType::kBytea);
  for (const IntentRecord* intent : intents) {
    id.AddInt(intent->id);
    merchant_id.AddBytes(intent->merchant_id);
    request_id.AddBytes(intent->request_id);
    rpc.AddBytes(intent->rpc);
    caller.AddBytes(intent->caller);
    request.AddBytes(intent->request);
    state.AddInt(static_cast<int64_t>(intent->state));
    owner.AddBytes(intent->owner);
    under_way_until.AddInt(PostgresNanos(intent->under_way_until));
    settle_by.AddInt(PostgresNanos(intent->settle_by));
    answer.AddBytes(intent->answer);
    session_id.AddBytes(intent->session_id);
    created_at.AddInt(PostgresNanos(intent->created_at));
    updated_at.AddInt(PostgresNanos(intent->updated_at));
    traceparent.AddBytes(intent->trace.traceparent);
    tracestate.AddBytes(intent->trace.tracestate);
    trimmed.AddBool(intent->trimmed);
  }
  PostgresArguments arguments;
  for (const PostgresArray* column :
       {&id, &merchant_id, &request_id, &rpc, &caller, &request, &state, &owner, &under_way_until,
        &settle_by, &answer, &session_id, &created_at, &updated_at, &traceparent, &tracestate,
        &trimmed}) {
    arguments.Array(*column);
  }
  return arguments;
}

PostgresArguments CancelArguments(const std::vector<AskedCancel>& cancels) {
  PostgresArray merchant_id(PostgresType::kBytea), session_id(PostgresType::kBytea);
  PostgresArray asked_at(PostgresType::kBigint), caller(PostgresType::kBytea);
  PostgresArray traceparent(PostgresType::kBytea);
  for (const AskedCancel& cancel : cancels) {
    merchant_id.AddBytes(cancel.merchant_id);
    session_id.AddBytes(cancel.session_id);
    asked_at.AddInt(PostgresNanos(cancel.asked_at));
    caller.AddBytes(cancel.caller);
    traceparent.AddBytes(cancel.traceparent);
  }
  PostgresArguments arguments;
  for (const PostgresArray* column :
       {&merchant_id, &session_id, &asked_at, &caller, &traceparent}) {
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
