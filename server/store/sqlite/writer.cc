#include "server/store/sqlite/writer.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/base/status_macros.h"
#include "server/store/sqlite/epochs.h"
#include "server/store/sqlite/rows.h"
#include "server/store/sqlite/schema.h"

namespace ipp::store {
namespace {

absl::Status Open(SqliteDatabase* database) {
  // Migrate first, so that a file of another program is left unchanged: WAL mode is written into
  // the file.
  IPP_RETURN_IF_ERROR(MigrateSqlite(database, SqliteMigrations()));
  IPP_ASSIGN_OR_RETURN(const std::string mode, database->ReadOne("PRAGMA journal_mode = WAL"));
  if (mode != "wal") {
    return absl::FailedPreconditionError("its file system cannot hold a write-ahead log");
  }
  // FULL: a commit returns when the write-ahead log is on the disk. The size limit truncates the
  // log after a burst.
  return database->Execute(
      "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4000;"
      "PRAGMA journal_size_limit = 67108864; PRAGMA temp_store = MEMORY");
}

}  // namespace

absl::StatusOr<std::unique_ptr<SqliteWriter>> SqliteWriter::Open(const std::string& path) {
  absl::StatusOr<std::unique_ptr<SqliteDatabase>> database = SqliteDatabase::Open(path);
  absl::Status status = database.status();
  std::unique_ptr<SqliteWriter> writer;
  if (status.ok()) status = store::Open(database->get());
  if (status.ok()) {
    writer.reset(new SqliteWriter(*std::move(database)));
    status = writer->Prepare();
  }
  if (status.ok()) status = writer->LoadLog();
  if (!status.ok()) {
    return absl::Status(status.code(),
                        absl::StrCat("cannot open the store ", path, ": ", status.message()));
  }
  return writer;
}

absl::Status SqliteWriter::Prepare() {
  const std::pair<SqliteStatement*, std::string> statements[] = {
      {&find_seen_, "SELECT 1 FROM seen WHERE key = ?"},
      {&add_seen_, "INSERT INTO seen (key, seen_at) VALUES (?, ?)"},
      {&find_session_, absl::StrCat("SELECT ", kSessionColumns,
                                    " FROM sessions WHERE merchant_id = ? AND session_id = ?")},
      {&put_session_,
       "INSERT INTO sessions (merchant_id, session_id, request_id, complete, open, created_at, "
       "updated_at, next_check_at, checks, session, held_event, traceparent, tracestate, trimmed, "
       "revision, missing_since, location_id, status, device_id, merchant_reference1, "
       "merchant_reference2, order_id, searched_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
       "?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
       "ON CONFLICT (merchant_id, session_id) DO UPDATE SET request_id = excluded.request_id, "
       "complete = excluded.complete, open = excluded.open, created_at = excluded.created_at, "
       "updated_at = excluded.updated_at, next_check_at = excluded.next_check_at, "
       "checks = excluded.checks, session = excluded.session, held_event = excluded.held_event, "
       "traceparent = excluded.traceparent, tracestate = excluded.tracestate, "
       "trimmed = excluded.trimmed, revision = excluded.revision, "
       "missing_since = excluded.missing_since, location_id = excluded.location_id, "
       "status = excluded.status, device_id = excluded.device_id, "
       "merchant_reference1 = excluded.merchant_reference1, "
       "merchant_reference2 = excluded.merchant_reference2, order_id = excluded.order_id, "
       "searched_at = excluded.searched_at"},
      {&find_created_, absl::StrCat("SELECT ", kSessionColumns,
                                    " FROM sessions WHERE merchant_id = ? AND request_id = ?")},
      {&find_intent_, absl::StrCat("SELECT ", kIntentColumns,
                                   " FROM intents WHERE merchant_id = ? AND request_id = ?")},
      {&add_intent_,
       "INSERT INTO intents (id, merchant_id, request_id, rpc, caller, request, state, owner, "
       "under_way_until, settle_by, answer, session_id, created_at, updated_at, "
       "traceparent, tracestate, trimmed) "
       "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"},
      // The same values; its keys stay.
      {&update_intent_,
       "UPDATE intents SET rpc = ?4, caller = ?5, request = ?6, state = ?7, owner = ?8, "
       "under_way_until = ?9, settle_by = ?10, answer = ?11, session_id = ?12, created_at = ?13, "
       "updated_at = ?14, traceparent = ?15, tracestate = ?16, trimmed = ?17 "
       "WHERE id = ?1 AND merchant_id = ?2 AND request_id = ?3"},
      {&find_creating_,
       "SELECT request_id FROM intents WHERE merchant_id = ? AND state IN (1, 5) AND "
       "settle_by > ? AND rpc = 'CreateSession'"},
      {&orphans_, absl::StrCat("UPDATE intents SET state = 5, updated_at = max(updated_at, ?) "
                               "WHERE id IN (SELECT id FROM intents WHERE state = 1 AND "
                               "under_way_until < ? ORDER BY under_way_until LIMIT ?) RETURNING ",
                               kIntentColumns)},
      {&add_event_,
       absl::StrCat("INSERT INTO events (", kEventColumns, ") VALUES (?, ?, ?, ?, ?, ?, ?, ?)")},
      {&due_, absl::StrCat("SELECT ", kSessionColumns,
                           " FROM sessions WHERE next_check_at <= ? OR next_check_at > ? "
                           "ORDER BY next_check_at LIMIT ?")},
      {&held_, absl::StrCat("SELECT ", kSessionColumns,
                            " FROM sessions WHERE held_event <> x'' AND created_at <= ? AND "
                            "next_check_at <= ? ORDER BY created_at LIMIT ?")},
      {&put_off_,
       "UPDATE sessions SET next_check_at = ?, checks = ? WHERE merchant_id = ? AND session_id = "
       "?"},
      {&old_events_,
       "SELECT max(position), max(recorded_at) FROM (SELECT position, recorded_at FROM events "
       "ORDER BY position LIMIT ?) WHERE recorded_at < ?"},
      {&trim_events_, "DELETE FROM events WHERE position <= ?"},
      {&move_start_, "UPDATE log SET trimmed_through = ?, trimmed_at = ?"},
      {&old_sessions_, absl::StrCat("SELECT ", kSessionColumns,
                                    " FROM sessions WHERE open = 0 AND trimmed = 0 AND "
                                    "updated_at < ? ORDER BY updated_at LIMIT ?")},
      {&old_intents_, absl::StrCat("SELECT ", kIntentColumns,
                                   " FROM intents WHERE trimmed = 0 AND updated_at < ? "
                                   "ORDER BY updated_at LIMIT ?")},
      {&trim_sessions_,
       "DELETE FROM sessions WHERE rowid IN (SELECT rowid FROM sessions WHERE open = 0 AND "
       "trimmed = 1 AND updated_at < ? ORDER BY updated_at LIMIT ?)"},
      {&note_use_, "UPDATE log SET last_used = ?"},
      {&trim_seen_,
       "DELETE FROM seen WHERE id IN (SELECT id FROM (SELECT id, seen_at FROM seen ORDER BY id "
       "LIMIT ?) WHERE seen_at < ?)"},
      {&to_index_, absl::StrCat("SELECT ", kSessionColumns,
                                " FROM sessions INDEXED BY sessions_to_index WHERE searched_at "
                                "IS NOT updated_at ORDER BY "
                                "updated_at DESC LIMIT ?")},
      {&index_,
       "UPDATE sessions SET status = ?, device_id = ?, merchant_reference1 = ?, "
       "merchant_reference2 = ?, order_id = ?, searched_at = ? WHERE merchant_id = ? AND "
       "session_id = ?"},
      {&put_cancel_,
       "INSERT INTO cancels (merchant_id, session_id, asked_at, caller, traceparent) VALUES (?, ?, "
       "?, ?, ?) ON CONFLICT DO NOTHING"},
      {&trim_cancels_,
       "DELETE FROM cancels WHERE rowid IN (SELECT rowid FROM cancels WHERE asked_at < ? ORDER BY "
       "asked_at LIMIT ?)"},
      {&trim_intents_,
       "DELETE FROM intents WHERE id IN (SELECT id FROM intents WHERE trimmed = 1 AND "
       "updated_at < ? ORDER BY updated_at LIMIT ?)"},
  };
  for (const auto& [statement, sql] : statements) {
    IPP_ASSIGN_OR_RETURN(*statement, database_->Prepare(sql));
  }
  IPP_ASSIGN_OR_RETURN(shared_, SqliteSharedTables::Create(database_.get(), &bounds_));
  return absl::OkStatus();
}

absl::Status SqliteWriter::LoadLog() {
  IPP_ASSIGN_OR_RETURN(
      const SqliteStatement statement,
      database_->Prepare("SELECT id, trimmed_through, trimmed_at, "
                         "(SELECT max(position) FROM events), "
                         "(SELECT recorded_at FROM events ORDER BY position DESC LIMIT 1), "
                         "last_used, (SELECT seq FROM sqlite_sequence WHERE name = 'intents') "
                         "FROM log"));
  SqliteQuery query(statement);
  IPP_ASSIGN_OR_RETURN(const bool found, query.Step());
  if (!found) return absl::DataLossError("the log has no identity");
  log_id_ = query.String(0);
  bounds_.oldest = query.Int(1) + 1;
  const bool empty = query.IsNull(3);
  bounds_.latest = query.Int(empty ? 1 : 3);
  last_recorded_at_ = FromNanos(query.Int(empty ? 2 : 4));
  const absl::Time used = std::max(last_recorded_at_, FromNanos(query.Int(5)));
  if (used > absl::UnixEpoch()) last_used_ = used;
  last_intent_ = query.Int(6);  // NULL, before the first, reads as 0
  return LoadEpochs(database_.get(), &bounds_);
}

absl::StatusOr<LogBounds> SqliteWriter::BeginEpoch(const NewEpoch& epoch) {
  IPP_RETURN_IF_ERROR(WriteEpoch(database_.get(), epoch, &bounds_));
  return bounds_;
}

absl::StatusOr<BatchReads> SqliteWriter::Read(const BatchKeys& keys, absl::Time now) {
  IPP_RETURN_IF_ERROR(database_->Begin());
  absl::StatusOr<BatchReads> reads = ReadKeys(keys, now);
  if (!reads.ok()) database_->Rollback();
  return reads;
}

absl::StatusOr<BatchReads> SqliteWriter::ReadKeys(const BatchKeys& keys, absl::Time now) {
  BatchReads reads{.last_position = bounds_.latest,
                   .last_recorded_at = last_recorded_at_,
                   .last_intent = last_intent_};
  for (const std::string& key : keys.dedup_keys) {
    SqliteQuery query(find_seen_);
    IPP_ASSIGN_OR_RETURN(const bool found, query.Bind(key).Step());
    if (found) reads.seen.insert(key);
  }
  for (const SessionKey& key : keys.sessions) {
    SqliteQuery query(find_session_);
    IPP_ASSIGN_OR_RETURN(const bool found, query.Bind(key.first).Bind(key.second).Step());
    if (!found) continue;
    IPP_ASSIGN_OR_RETURN(reads.sessions[key], ReadSession(query));
  }
  for (const IntentKey& key : keys.intents) {
    SqliteQuery query(find_intent_);
    IPP_ASSIGN_OR_RETURN(const bool found, query.Bind(key.first).Bind(key.second).Step());
    if (found) reads.intents[key] = ReadIntent(query);
  }
  for (const IntentKey& key : keys.ask_created) {
    SqliteQuery query(find_created_);
    IPP_ASSIGN_OR_RETURN(const bool found, query.Bind(key.first).Bind(key.second).Step());
    if (!found) continue;
    IPP_ASSIGN_OR_RETURN(reads.created[key], ReadSession(query));
  }
  for (const std::string& merchant : keys.ask_creating) {
    SqliteQuery query(find_creating_);
    query.Bind(merchant).Bind(ToNanos(now));
    while (!reads.creating.contains(merchant)) {
      IPP_ASSIGN_OR_RETURN(const bool found, query.Step());
      if (!found) break;
      if (!keys.intents.contains({merchant, query.String(0)})) reads.creating.insert(merchant);
    }
  }
  return reads;
}

absl::Status SqliteWriter::Write(const BatchWrites& writes) {
  absl::Status status = WriteRows(writes);
  if (status.ok()) status = database_->Commit();
  if (!status.ok()) {
    database_->Rollback();
    return status;
  }
  bounds_.latest = writes.last_position;
  last_intent_ = writes.last_intent;
  last_recorded_at_ = writes.recorded_at;
  return absl::OkStatus();
}

absl::Status SqliteWriter::WriteRows(const BatchWrites& writes) {
  for (const std::string& key : writes.seen) {
    SqliteQuery query(add_seen_);
    IPP_RETURN_IF_ERROR(query.Bind(key).Bind(ToNanos(writes.recorded_at)).Run());
  }
  for (const auto& [key, record] : writes.sessions) IPP_RETURN_IF_ERROR(Put(record));
  for (const auto& [key, intent] : writes.intents) IPP_RETURN_IF_ERROR(Put(intent));
  for (const AskedCancel& cancel : writes.cancels) IPP_RETURN_IF_ERROR(Put(cancel));
  for (const StoredEvent& row : writes.events) {
    SqliteQuery query(add_event_);
    BindEvent(query, row);
    IPP_RETURN_IF_ERROR(query.Run());
  }
  return absl::OkStatus();
}

void SqliteWriter::Abandon(const absl::Status&) { database_->Rollback(); }

absl::Status SqliteWriter::Put(const SessionRecord& record) {
  const std::string bytes = record.session.SerializeAsString();
  SqliteQuery query(put_session_);
  const SessionIndex index(record);
  BindSession(query, record, bytes, index);
  return query.Run();
}

absl::Status SqliteWriter::Put(const AskedCancel& cancel) {
  SqliteQuery query(put_cancel_);
  query.Bind(cancel.merchant_id).Bind(cancel.session_id).Bind(ToNanos(cancel.asked_at));
  return query.Bind(cancel.caller).Bind(cancel.traceparent).Run();
}

absl::Status SqliteWriter::Put(const IntentRecord& intent) {
  if (intent.id <= last_intent_) {
    SqliteQuery query(update_intent_);
    query.Bind(intent.id);
    BindIntent(query, intent);
    IPP_RETURN_IF_ERROR(query.Run());
    if (database_->changes() > 0) return absl::OkStatus();
  }
  SqliteQuery query(add_intent_);
  query.Bind(intent.id);
  BindIntent(query, intent);
  return query.Run();
}

absl::StatusOr<std::vector<SessionRecord>> SqliteWriter::FindDue(const Lease& lease) {
  SqliteStatement fewer;
  const SqliteStatement* statement = lease.held_since ? &held_ : &due_;
  if (!lease.held_since && !lease.without_merchants.empty()) {
    // Prepared for each call, since the number of merchants varies. It is rarely needed.
    const std::string marks =
        absl::StrJoin(std::vector<absl::string_view>(lease.without_merchants.size(), "?"), ", ");
    IPP_ASSIGN_OR_RETURN(
        fewer,
        database_->Prepare(absl::StrCat(
            "SELECT ", kSessionColumns, " FROM sessions WHERE merchant_id NOT IN (", marks,
            ") AND (next_check_at <= ? OR next_check_at > ?) ORDER BY next_check_at LIMIT ?")));
    statement = &fewer;
  }
  SqliteQuery query(*statement);
  if (lease.held_since) {
    query.Bind(ToNanos(*lease.held_since));
  } else {
    for (const std::string& merchant : lease.without_merchants) query.Bind(merchant);
  }
  query.Bind(ToNanos(lease.now));
  if (!lease.held_since) query.Bind(ToNanos(lease.now + lease.longest));
  query.Bind(lease.limit);
  std::vector<SessionRecord> due;
  while (true) {
    IPP_ASSIGN_OR_RETURN(const bool found, query.Step());
    if (!found) return due;
    IPP_ASSIGN_OR_RETURN(due.emplace_back(), ReadSession(query));
  }
}

absl::StatusOr<std::vector<SessionRecord>> SqliteWriter::LeaseDue(const Lease& lease) {
  IPP_ASSIGN_OR_RETURN(std::vector<SessionRecord> due, FindDue(lease));
  if (due.empty()) return due;
  // This thread is the only writer, so what was read is still true.
  IPP_RETURN_IF_ERROR(database_->InTransaction([&]() -> absl::Status {
    for (SessionRecord& record : due) {
      record.next_check_at = lease.now + lease.pause(record);
      ++record.checks;
      SqliteQuery query(put_off_);
      query.Bind(ToNanos(record.next_check_at)).Bind(record.checks);
      query.Bind(record.merchant_id).Bind(record.session.session_id());
      IPP_RETURN_IF_ERROR(query.Run());
    }
    return absl::OkStatus();
  }));
  return due;
}

absl::StatusOr<std::vector<IntentRecord>> SqliteWriter::OrphanIntents(const Orphans& which) {
  std::vector<IntentRecord> orphans;
  SqliteQuery query(orphans_);
  query.Bind(ToNanos(which.now)).Bind(ToNanos(which.under_way_before)).Bind(which.limit);
  while (true) {
    IPP_ASSIGN_OR_RETURN(const bool found, query.Step());
    if (!found) return orphans;
    orphans.push_back(ReadIntent(query));
  }
}

absl::Status SqliteWriter::Probe() {
  // The value must change: SQLite does not write a page that stays the same.
  return database_->InTransaction(
      [&] { return database_->Execute("UPDATE log SET probes = probes + 1"); });
}

}  // namespace ipp::store
