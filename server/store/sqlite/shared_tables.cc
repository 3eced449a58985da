#include "server/store/sqlite/shared_tables.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/store/shared_leases.h"
#include "server/store/sqlite/rows.h"
#include "server/store/sqlite/shared_rows.h"

namespace ipp::store {
namespace {

constexpr size_t kPageBytes = 1 << 20;

using Statements = std::vector<std::pair<SqliteStatement*, std::string>>;

absl::Status PrepareAll(SqliteDatabase* database, const Statements& statements) {
  for (const auto& [statement, sql] : statements) {
    IPP_ASSIGN_OR_RETURN(*statement, database->Prepare(sql));
  }
  return absl::OkStatus();
}

std::string Select(const char* columns, const char* rest) {
  return absl::StrCat("SELECT ", columns, " FROM ", rest);
}

constexpr char kHeadOfSession[] =
    "shared_heads WHERE subscription = ? AND merchant_id = ? AND session_id = ?";

absl::StatusOr<std::vector<SharedHead>> HeadsOf(const SqliteStatement& statement, int64_t id,
                                                const std::vector<SessionKey>& sessions) {
  std::vector<SharedHead> heads;
  for (const SessionKey& key : sessions) {
    SqliteQuery query(statement);
    IPP_ASSIGN_OR_RETURN(const bool found, query.Bind(id).Bind(key.first).Bind(key.second).Step());
    if (found) heads.push_back(ReadSharedHead(query));
  }
  return heads;
}

// An event without its payload.
StoredEvent ReadEventHead(const SqliteQuery& row) {
  StoredEvent event;
  event.position = row.Int(0);
  event.recorded_at = FromNanos(row.Int(1));
  event.merchant_id = row.String(2);
  event.session_id = row.String(3);
  event.device_id = row.String(4);
  event.type = static_cast<kustom::ipp::v1::SessionEventType>(row.Int(5));
  event.merchant_reference1 = row.String(6);
  return event;
}

}  // namespace

absl::StatusOr<std::unique_ptr<SqliteSharedTables>> SqliteSharedTables::Create(
    SqliteDatabase* database, const LogBounds* bounds) {
  std::unique_ptr<SqliteSharedTables> tables(new SqliteSharedTables(database, bounds));
  SqliteSharedTables& t = *tables;
  const std::string parked = absl::StrCat("SELECT ", kSharedParkedColumns,
                                          " FROM shared_parked WHERE subscription = ? AND ");
  IPP_RETURN_IF_ERROR(PrepareAll(
      database,
      {{&t.list_,
        Select(kSharedRecordColumns, "shared_subscriptions WHERE caller = ? ORDER BY name")},
       {&t.insert_, absl::StrCat("INSERT INTO shared_subscriptions (", kSharedRecordColumns,
                                 ") VALUES (?, ?, ?, ?, ?, ?, ?, ?)")},
       {&t.find_, Select(kSharedRecordColumns, "shared_subscriptions WHERE id = ?")},
       {&t.move_,
        "UPDATE shared_subscriptions SET read_position = ?, due_floor = ?, last_used_at = ? WHERE "
        "id = ?"},
       {&t.remove_, "DELETE FROM shared_subscriptions WHERE id = ?"},
       {&t.remove_heads_, "DELETE FROM shared_heads WHERE subscription = ?"},
       {&t.remove_parked_, "DELETE FROM shared_parked WHERE subscription = ?"},
       {&t.due_, Select(kSharedHeadColumns,
                        "shared_heads WHERE subscription = ? AND position > 0 AND due_at > ? AND "
                        "due_at <= ? ORDER BY due_at LIMIT ?")},
       {&t.head_, Select(kSharedHeadColumns, kHeadOfSession)},
       {&t.heads_before_, Select(kSharedHeadColumns,
                                 "shared_heads WHERE subscription = ? AND position > 0 AND "
                                 "redriven = 0 AND position < ?")},
       {&t.put_head_,
        absl::StrCat("INSERT OR REPLACE INTO shared_heads (", kSharedHeadColumns,
                     ", subscription) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")},
       {&t.events_after_,
        Select(kEventColumns, "events WHERE position > ? ORDER BY position LIMIT ?")},
       {&t.event_, Select(kEventColumns, "events WHERE position = ?")},
       {&t.events_of_,
        "SELECT position, recorded_at, merchant_id, session_id, device_id, type, "
        "merchant_reference1 FROM events WHERE merchant_id = ? AND session_id = ? AND position > ? "
        "AND position <= ? ORDER BY position LIMIT ?"},
       {&t.parked_, absl::StrCat(parked, "position = ?")},
       {&t.parked_by_id_, absl::StrCat(parked, "event_id = ? AND redriving = 0")},
       {&t.parked_first_, absl::StrCat(parked, "redriving = 0 ORDER BY position LIMIT ?")},
       {&t.redriving_, absl::StrCat(parked,
                                    "merchant_id = ? AND session_id = ? AND redriving = 1 ORDER BY "
                                    "position")},
       {&t.put_parked_,
        absl::StrCat("INSERT OR REPLACE INTO shared_parked (", kSharedParkedColumns,
                     ", subscription) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")},
       {&t.drop_parked_, "DELETE FROM shared_parked WHERE subscription = ? AND position = ?"},
       {&t.trim_idle_,
        "DELETE FROM shared_heads WHERE rowid IN (SELECT rowid FROM shared_heads WHERE position = "
        "0 AND settled_at < ? ORDER BY settled_at LIMIT ?)"}}));
  return tables;
}

absl::Status SqliteSharedTables::InTransaction(
    absl::Time now, absl::FunctionRef<absl::Status(SharedTables&)> body) {
  now_ = now;
  wrote_ = false;
  IPP_RETURN_IF_ERROR(database_->Begin());
  absl::Status status = body(*this);
  if (status.ok() && wrote_) status = database_->Commit();
  if (!status.ok() || !wrote_) database_->Rollback();
  return status;
}

absl::StatusOr<int64_t> SqliteSharedTables::TrimIdle(absl::Time cutoff, int64_t limit) {
  SqliteQuery query(trim_idle_);
  IPP_RETURN_IF_ERROR(query.Bind(ToNanos(cutoff)).Bind(limit).Run());
  return database_->changes();
}

// ---- Subscriptions. ----

absl::StatusOr<std::vector<SharedRecord>> SqliteSharedTables::List(const std::string& caller) {
  SqliteQuery query(list_);
  return ReadRows(query.Bind(caller), &ReadSharedRecord);
}

absl::Status SqliteSharedTables::Insert(const SharedRecord& record) {
  wrote_ = true;
  SqliteQuery query(insert_);
  return query.Bind(record.id)
      .Bind(record.caller)
      .Bind(record.name)
      .BindBlob(record.spec)
      .Bind(record.read_position)
      .Bind(ToNanos(record.due_floor))
      .Bind(ToNanos(record.created_at))
      .Bind(ToNanos(record.last_used_at))
      .Run();
}

absl::StatusOr<std::optional<SharedView>> SqliteSharedTables::Lock(int64_t id) {
  SqliteQuery query(find_);
  IPP_ASSIGN_OR_RETURN(const bool found, query.Bind(id).Step());
  if (!found) return std::nullopt;
  return SharedView{.record = ReadSharedRecord(query),
                    .now = now_,
                    .oldest = bounds_.oldest,
                    .latest = bounds_.latest};
}

absl::Status SqliteSharedTables::Move(const SharedRecord& record) {
  wrote_ = true;
  SqliteQuery query(move_);
  return query.Bind(record.read_position)
      .Bind(ToNanos(record.due_floor))
      .Bind(ToNanos(record.last_used_at))
      .Bind(record.id)
      .Run();
}

absl::Status SqliteSharedTables::Remove(int64_t id) {
  wrote_ = true;
  for (const SqliteStatement* statement : {&remove_, &remove_heads_, &remove_parked_}) {
    SqliteQuery query(*statement);
    IPP_RETURN_IF_ERROR(query.Bind(id).Run());
  }
  return absl::OkStatus();
}

// ---- Heads. ----

absl::StatusOr<std::vector<SharedHead>> SqliteSharedTables::Due(int64_t id, absl::Time after,
                                                                absl::Time until, int limit) {
  SqliteQuery query(due_);
  return ReadRows(query.Bind(id).Bind(ToNanos(after)).Bind(ToNanos(until)).Bind(limit),
                  &ReadSharedHead);
}

absl::StatusOr<std::vector<SharedHead>> SqliteSharedTables::Heads(
    int64_t id, const std::vector<SessionKey>& sessions) {
  return HeadsOf(head_, id, sessions);
}

absl::StatusOr<std::vector<SharedHead>> SqliteSharedTables::HeadsBefore(int64_t id,
                                                                        int64_t position) {
  SqliteQuery query(heads_before_);
  return ReadRows(query.Bind(id).Bind(position), &ReadSharedHead);
}

absl::Status SqliteSharedTables::PutHeads(int64_t id, const std::vector<SharedHead>& heads) {
  for (const SharedHead& head : heads) {
    wrote_ = true;
    const std::string settled = PackLeases(head.settled);
    SqliteQuery query(put_head_);
    BindSharedHead(query, head, settled);
    IPP_RETURN_IF_ERROR(query.Bind(id).Run());
  }
  return absl::OkStatus();
}

// ---- The log. ----

absl::StatusOr<std::vector<StoredEvent>> SqliteSharedTables::EventsAfter(int64_t after, int limit) {
  std::vector<StoredEvent> events;
  size_t bytes = 0;
  SqliteQuery query(events_after_);
  query.Bind(after).Bind(limit);
  while (bytes < kPageBytes) {
    IPP_ASSIGN_OR_RETURN(const bool found, query.Step());
    if (!found) break;
    events.push_back(ReadEvent(query));
    bytes += events.back().payload.size();
  }
  return events;
}

absl::StatusOr<std::vector<StoredEvent>> SqliteSharedTables::EventsAt(
    const std::vector<int64_t>& positions) {
  std::vector<StoredEvent> events;
  for (const int64_t position : positions) {
    SqliteQuery query(event_);
    IPP_ASSIGN_OR_RETURN(const bool found, query.Bind(position).Step());
    if (found) events.push_back(ReadEvent(query));
  }
  return events;
}

absl::StatusOr<std::vector<StoredEvent>> SqliteSharedTables::EventsOf(
    const std::vector<SessionRange>& ranges, int64_t until, int limit) {
  std::vector<StoredEvent> events;
  for (const SessionRange& range : ranges) {
    SqliteQuery query(events_of_);
    query.Bind(range.session.first).Bind(range.session.second).Bind(range.after);
    IPP_ASSIGN_OR_RETURN(std::vector<StoredEvent> found,
                         ReadRows(query.Bind(until).Bind(limit), &ReadEventHead));
    for (StoredEvent& event : found) events.push_back(std::move(event));
  }
  return events;
}

// ---- Parked events. ----

absl::StatusOr<std::vector<SharedParked>> SqliteSharedTables::ParkedAt(
    int64_t id, const std::vector<int64_t>& positions) {
  std::vector<SharedParked> parked;
  for (const int64_t position : positions) {
    SqliteQuery query(parked_);
    IPP_ASSIGN_OR_RETURN(const bool found, query.Bind(id).Bind(position).Step());
    if (found) parked.push_back(ReadSharedParked(query));
  }
  return parked;
}

absl::StatusOr<std::vector<SharedParked>> SqliteSharedTables::ParkedBy(
    int64_t id, const std::vector<std::string>& event_ids, int limit) {
  if (event_ids.empty()) {
    SqliteQuery query(parked_first_);
    return ReadRows(query.Bind(id).Bind(limit), &ReadSharedParked);
  }
  std::vector<SharedParked> parked;
  for (const std::string& event_id : event_ids) {
    SqliteQuery query(parked_by_id_);
    IPP_ASSIGN_OR_RETURN(const bool found, query.Bind(id).Bind(event_id).Step());
    if (found) parked.push_back(ReadSharedParked(query));
  }
  return parked;
}

absl::StatusOr<std::vector<SharedParked>> SqliteSharedTables::Redriving(
    int64_t id, const std::vector<SessionKey>& sessions) {
  std::vector<SharedParked> parked;
  for (const SessionKey& key : sessions) {
    SqliteQuery query(redriving_);
    IPP_ASSIGN_OR_RETURN(
        std::vector<SharedParked> found,
        ReadRows(query.Bind(id).Bind(key.first).Bind(key.second), &ReadSharedParked));
    for (SharedParked& one : found) parked.push_back(std::move(one));
  }
  return parked;
}

absl::Status SqliteSharedTables::PutParked(int64_t id, const std::vector<SharedParked>& parked) {
  for (const SharedParked& one : parked) {
    wrote_ = true;
    SqliteQuery query(put_parked_);
    BindSharedParked(query, one);
    IPP_RETURN_IF_ERROR(query.Bind(id).Run());
  }
  return absl::OkStatus();
}

absl::Status SqliteSharedTables::RemoveParked(int64_t id, const std::vector<int64_t>& positions) {
  for (const int64_t position : positions) {
    wrote_ = true;
    SqliteQuery query(drop_parked_);
    IPP_RETURN_IF_ERROR(query.Bind(id).Bind(position).Run());
  }
  return absl::OkStatus();
}

// ---- Reads. ----

absl::StatusOr<std::unique_ptr<SqliteSharedReads>> SqliteSharedReads::Create(
    SqliteDatabase* database) {
  auto reads = std::make_unique<SqliteSharedReads>();
  SqliteSharedReads& r = *reads;
  IPP_RETURN_IF_ERROR(PrepareAll(
      database,
      {{&r.list_,
        Select(kSharedRecordColumns, "shared_subscriptions WHERE caller = ? ORDER BY name")},
       {&r.list_all_, Select(kSharedRecordColumns, "shared_subscriptions ORDER BY caller, name")},
       // ?1: the subscription; ?2: now.
       {&r.count_,
        "SELECT s.read_position, s.last_used_at, count(h.position) FILTER (WHERE h.out = 1 AND "
        "h.leased_until > ?2), count(h.position), min(h.recorded_at), (SELECT recorded_at FROM "
        "events "
        "WHERE position > s.read_position ORDER BY position LIMIT 1), "
        "min(h.position) FILTER (WHERE h.redriven = 0), (SELECT count(*) FROM shared_parked WHERE "
        "subscription = ?1 AND redriving = 0) FROM shared_subscriptions s LEFT JOIN shared_heads h "
        "ON h.subscription = s.id AND h.position > 0 WHERE s.id = ?1 GROUP BY s.id"},
       {&r.list_parked_, Select(kSharedParkedColumns,
                                "shared_parked WHERE subscription = ? AND redriving = 0 AND "
                                "position > ? ORDER BY position LIMIT ?")},
       {&r.head_, Select(kSharedHeadColumns, kHeadOfSession)}}));
  return reads;
}

absl::StatusOr<std::vector<SharedRecord>> SqliteSharedReads::List(const std::string* caller) {
  if (caller == nullptr) {
    SqliteQuery query(list_all_);
    return ReadRows(query, &ReadSharedRecord);
  }
  SqliteQuery query(list_);
  return ReadRows(query.Bind(*caller), &ReadSharedRecord);
}

absl::StatusOr<std::optional<SharedCounts>> SqliteSharedReads::Count(int64_t id, absl::Time now) {
  SqliteQuery query(count_);
  IPP_ASSIGN_OR_RETURN(const bool found, query.Bind(id).Bind(ToNanos(now)).Step());
  if (!found) return std::nullopt;
  SharedCounts counts;
  counts.read_position = query.Int(0);
  counts.last_used_at = FromNanos(query.Int(1));
  counts.out = query.Int(2);
  counts.held = query.Int(3) - counts.out;
  if (!query.IsNull(4)) counts.oldest = FromNanos(query.Int(4));
  if (!query.IsNull(5)) counts.unread_at = FromNanos(query.Int(5));
  counts.oldest_position = query.Int(6);  // NULL reads as 0
  counts.parked = query.Int(7);
  return counts;
}

absl::StatusOr<std::vector<SharedParked>> SqliteSharedReads::ListParked(int64_t id, int64_t after,
                                                                        int limit) {
  SqliteQuery query(list_parked_);
  return ReadRows(query.Bind(id).Bind(after).Bind(limit), &ReadSharedParked);
}

absl::StatusOr<std::vector<SharedHead>> SqliteSharedReads::Heads(
    int64_t id, const std::vector<SessionKey>& sessions) {
  return HeadsOf(head_, id, sessions);
}

}  // namespace ipp::store
