#include "server/store/sqlite/writer.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/base/status_macros.h"
#include "server/store/event_row.h"
#include "server/store/keepable.h"
#include "server/store/sqlite/epochs.h"
#include "server/store/sqlite/rows.h"
#include "server/store/sqlite/schema.h"

namespace ipp::store {
namespace {

// The most rows that one trimming step handles; it takes a few milliseconds.
constexpr int64_t kTrimStep = 500;

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
       "revision, missing_since) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
       "ON CONFLICT (merchant_id, session_id) DO UPDATE SET request_id = excluded.request_id, "
       "complete = excluded.complete, open = excluded.open, created_at = excluded.created_at, "
       "updated_at = excluded.updated_at, next_check_at = excluded.next_check_at, "
       "checks = excluded.checks, session = excluded.session, held_event = excluded.held_event, "
       "traceparent = excluded.traceparent, tracestate = excluded.tracestate, "
       "trimmed = excluded.trimmed, revision = excluded.revision, "
       "missing_since = excluded.missing_since"},
      {&find_created_, absl::StrCat("SELECT ", kSessionColumns,
                                    " FROM sessions WHERE merchant_id = ? AND request_id = ?")},
      {&find_intent_, absl::StrCat("SELECT ", kIntentColumns,
                                   " FROM intents WHERE merchant_id = ? AND request_id = ?")},
      {&put_intent_,
       "INSERT INTO intents (merchant_id, request_id, rpc, caller, request, state, owner, "
       "under_way_until, settle_by, answer, session_id, created_at, updated_at, "
       "traceparent, tracestate, trimmed) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
       "ON CONFLICT (merchant_id, request_id) DO UPDATE SET rpc = excluded.rpc, "
       "caller = excluded.caller, request = excluded.request, state = excluded.state, "
       "owner = excluded.owner, under_way_until = excluded.under_way_until, "
       "settle_by = excluded.settle_by, answer = excluded.answer, "
       "session_id = excluded.session_id, created_at = excluded.created_at, "
       "updated_at = excluded.updated_at, "
       "traceparent = excluded.traceparent, tracestate = excluded.tracestate, "
       "trimmed = excluded.trimmed RETURNING id"},
      {&find_creating_,
       "SELECT 1 FROM intents WHERE merchant_id = ? AND state IN (1, 5) AND settle_by > ? AND "
       "rpc = 'CreateSession' LIMIT 1"},
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
      {&trim_intents_,
       "DELETE FROM intents WHERE id IN (SELECT id FROM intents WHERE trimmed = 1 AND "
       "updated_at < ? ORDER BY updated_at LIMIT ?)"},
  };
  for (const auto& [statement, sql] : statements) {
    IPP_ASSIGN_OR_RETURN(*statement, database_->Prepare(sql));
  }
  return absl::OkStatus();
}

absl::Status SqliteWriter::LoadLog() {
  IPP_ASSIGN_OR_RETURN(
      const SqliteStatement statement,
      database_->Prepare("SELECT id, trimmed_through, trimmed_at, "
                         "(SELECT max(position) FROM events), "
                         "(SELECT recorded_at FROM events ORDER BY position DESC LIMIT 1), "
                         "last_used FROM log"));
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
  return LoadEpochs(database_.get(), &bounds_);
}

absl::StatusOr<LogBounds> SqliteWriter::BeginEpoch(const NewEpoch& epoch) {
  IPP_RETURN_IF_ERROR(WriteEpoch(database_.get(), epoch, &bounds_));
  return bounds_;
}

absl::StatusOr<std::vector<Committed>> SqliteWriter::Commit(
    absl::Span<const Transaction* const> batch, absl::Time now) {
  // Rounded to what the file stores, so that a reopened store continues from exactly the same time.
  const absl::Time recorded_at = FromNanos(ToNanos(std::max(now, last_recorded_at_)));
  std::vector<Committed> committed;
  committed.reserve(batch.size());
  int64_t latest = bounds_.latest;
  IPP_RETURN_IF_ERROR(database_->InTransaction([&]() -> absl::Status {
    for (const Transaction* transaction : batch) {
      IPP_ASSIGN_OR_RETURN(committed.emplace_back(), Apply(*transaction, recorded_at, &latest));
    }
    return absl::OkStatus();
  }));
  bounds_.latest = latest;
  last_recorded_at_ = recorded_at;
  return committed;
}

absl::StatusOr<Snapshot> SqliteWriter::Load(const Transaction& transaction, absl::Time now) {
  Snapshot snapshot;
  if (!transaction.dedup_key.empty()) {
    SqliteQuery query(find_seen_);
    IPP_ASSIGN_OR_RETURN(snapshot.already_seen, query.Bind(transaction.dedup_key).Step());
  }
  if (!transaction.session_id.empty()) {
    SqliteQuery query(find_session_);
    query.Bind(transaction.merchant_id).Bind(transaction.session_id);
    IPP_ASSIGN_OR_RETURN(const bool found, query.Step());
    if (found) {
      IPP_ASSIGN_OR_RETURN(snapshot.session, ReadSession(query));
    }
  }
  if (!transaction.request_id.empty()) {
    SqliteQuery query(find_intent_);
    query.Bind(transaction.merchant_id).Bind(transaction.request_id);
    IPP_ASSIGN_OR_RETURN(const bool found, query.Step());
    if (found) snapshot.intent = ReadIntent(query);
  }
  if (transaction.ask_creating) {
    SqliteQuery query(find_creating_);
    query.Bind(transaction.merchant_id).Bind(ToNanos(now));
    IPP_ASSIGN_OR_RETURN(snapshot.creating, query.Step());
  }
  if (transaction.ask_created) {
    SqliteQuery query(find_created_);
    query.Bind(transaction.merchant_id).Bind(transaction.request_id);
    IPP_ASSIGN_OR_RETURN(const bool found, query.Step());
    if (found) {
      IPP_ASSIGN_OR_RETURN(snapshot.created, ReadSession(query));
    }
  }
  return snapshot;
}

absl::StatusOr<Committed> SqliteWriter::Apply(const Transaction& transaction,
                                              absl::Time recorded_at, int64_t* latest) {
  IPP_ASSIGN_OR_RETURN(Snapshot snapshot, Load(transaction, recorded_at));
  Writes writes = transaction.decide(snapshot);
  IPP_RETURN_IF_ERROR(CheckKeepable(transaction, writes));

  Committed committed;
  committed.already_seen = snapshot.already_seen;
  committed.decided = std::move(writes.decided);
  if (!transaction.dedup_key.empty() && !snapshot.already_seen) {
    SqliteQuery query(add_seen_);
    IPP_RETURN_IF_ERROR(query.Bind(transaction.dedup_key).Bind(ToNanos(recorded_at)).Run());
  }
  if (writes.session) {
    IPP_RETURN_IF_ERROR(Put(*writes.session));
  }
  if (writes.intent) {
    IPP_ASSIGN_OR_RETURN(writes.intent->id, Put(*writes.intent));
  }
  for (NewEvent& event : writes.events) {
    const StoredEvent row = MakeRow(std::move(event.event), ++*latest, recorded_at);
    SqliteQuery query(add_event_);
    BindEvent(query, row);
    IPP_RETURN_IF_ERROR(query.Run());
    committed.positions.push_back(row.position);
  }
  committed.session = std::move(writes.session ? writes.session : snapshot.session);
  committed.intent = std::move(writes.intent ? writes.intent : snapshot.intent);
  return committed;
}

absl::Status SqliteWriter::Put(const SessionRecord& record) {
  const std::string bytes = record.session.SerializeAsString();
  SqliteQuery query(put_session_);
  BindSession(query, record, bytes);
  return query.Run();
}

absl::StatusOr<int64_t> SqliteWriter::Put(const IntentRecord& intent) {
  SqliteQuery query(put_intent_);
  BindIntent(query, intent);
  IPP_ASSIGN_OR_RETURN(const bool written, query.Step());
  return written ? query.Int(0) : intent.id;
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

absl::StatusOr<bool> SqliteWriter::Trim(const Cutoffs& cutoffs) {
  IPP_ASSIGN_OR_RETURN(const bool events, TrimEvents(cutoffs.events));
  IPP_ASSIGN_OR_RETURN(const bool sessions, TrimSessions(cutoffs.sessions));
  IPP_ASSIGN_OR_RETURN(const bool intents, TrimIntents(cutoffs.creates));
  IPP_ASSIGN_OR_RETURN(const bool old_sessions, Remove(trim_sessions_, cutoffs.tombstones));
  IPP_ASSIGN_OR_RETURN(const bool old_intents, Remove(trim_intents_, cutoffs.tombstones));
  SqliteQuery query(trim_seen_);
  IPP_RETURN_IF_ERROR(query.Bind(kTrimStep).Bind(ToNanos(cutoffs.seen)).Run());
  const bool seen = database_->changes() == kTrimStep;
  return events || sessions || intents || old_sessions || old_intents || seen;
}

absl::StatusOr<bool> SqliteWriter::Remove(const SqliteStatement& statement, absl::Time cutoff) {
  SqliteQuery query(statement);
  IPP_RETURN_IF_ERROR(query.Bind(ToNanos(cutoff)).Bind(kTrimStep).Run());
  return database_->changes() == kTrimStep;
}

absl::StatusOr<bool> SqliteWriter::TrimSessions(absl::Time cutoff) {
  std::vector<SessionRecord> old;
  {
    SqliteQuery query(old_sessions_);
    query.Bind(ToNanos(cutoff)).Bind(kTrimStep);
    while (true) {
      IPP_ASSIGN_OR_RETURN(const bool found, query.Step());
      if (!found) break;
      IPP_ASSIGN_OR_RETURN(old.emplace_back(), ReadSession(query));
    }
  }
  if (old.empty()) return false;
  IPP_RETURN_IF_ERROR(database_->InTransaction([&]() -> absl::Status {
    for (SessionRecord& record : old) {
      IPP_RETURN_IF_ERROR(Put(Tombstone(std::move(record))));
    }
    return absl::OkStatus();
  }));
  return old.size() == kTrimStep;
}

absl::StatusOr<bool> SqliteWriter::TrimIntents(absl::Time cutoff) {
  std::vector<IntentRecord> old;
  {
    SqliteQuery query(old_intents_);
    query.Bind(ToNanos(cutoff)).Bind(kTrimStep);
    while (true) {
      IPP_ASSIGN_OR_RETURN(const bool found, query.Step());
      if (!found) break;
      old.push_back(ReadIntent(query));
    }
  }
  if (old.empty()) return false;
  IPP_RETURN_IF_ERROR(database_->InTransaction([&]() -> absl::Status {
    for (IntentRecord& intent : old) {
      IPP_RETURN_IF_ERROR(Put(Tombstone(std::move(intent))).status());
    }
    return absl::OkStatus();
  }));
  return old.size() == kTrimStep;
}

absl::Status SqliteWriter::NoteUse(absl::Time now) {
  SqliteQuery query(note_use_);
  IPP_RETURN_IF_ERROR(query.Bind(ToNanos(now)).Run());
  last_used_ = now;
  return absl::OkStatus();
}

absl::StatusOr<bool> SqliteWriter::TrimEvents(absl::Time cutoff) {
  int64_t through = 0;
  IPP_RETURN_IF_ERROR(database_->InTransaction([&]() -> absl::Status {
    int64_t at = 0;
    {
      SqliteQuery query(old_events_);
      IPP_RETURN_IF_ERROR(query.Bind(kTrimStep).Bind(ToNanos(cutoff)).Run());
      if (query.IsNull(0)) return absl::OkStatus();
      through = query.Int(0);
      at = query.Int(1);
    }
    {
      SqliteQuery query(trim_events_);
      IPP_RETURN_IF_ERROR(query.Bind(through).Run());
    }
    SqliteQuery query(move_start_);
    return query.Bind(through).Bind(at).Run();
  }));
  if (through == 0) return false;
  const bool full_step = through - bounds_.oldest + 1 == kTrimStep;
  bounds_.oldest = through + 1;
  return full_step;
}

absl::Status SqliteWriter::Probe() {
  // The value must change: SQLite does not write a page that stays the same.
  return database_->InTransaction(
      [&] { return database_->Execute("UPDATE log SET probes = probes + 1"); });
}

}  // namespace ipp::store
