#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "server/base/status_macros.h"
#include "server/store/sqlite/rows.h"
#include "server/store/sqlite/writer.h"

// What SqliteWriter does between commits: it removes what is too old, and indexes what an earlier
// release has written.
namespace ipp::store {
namespace {

// The most rows that one trimming step handles; it takes a few milliseconds.
constexpr int64_t kTrimStep = 500;
// The most sessions that one step of indexing handles.
constexpr int64_t kIndexStep = 200;
// How often the store at least records that it is in use.
constexpr absl::Duration kNoteUse = absl::Minutes(1);

}  // namespace

absl::StatusOr<WriteBackend::Trimmed> SqliteWriter::Trim(const Cutoffs& cutoffs, absl::Time now) {
  IPP_ASSIGN_OR_RETURN(const bool events, TrimEvents(cutoffs.events));
  IPP_ASSIGN_OR_RETURN(const bool sessions, TrimSessions(cutoffs.sessions));
  IPP_ASSIGN_OR_RETURN(const bool intents, TrimIntents(cutoffs.creates));
  IPP_ASSIGN_OR_RETURN(const bool old_sessions, Remove(trim_sessions_, cutoffs.tombstones));
  IPP_ASSIGN_OR_RETURN(const bool old_intents, Remove(trim_intents_, cutoffs.tombstones));
  IPP_ASSIGN_OR_RETURN(const bool cancels, Remove(trim_cancels_, cutoffs.events));
  SqliteQuery query(trim_seen_);
  IPP_RETURN_IF_ERROR(query.Bind(kTrimStep).Bind(ToNanos(cutoffs.seen)).Run());
  const bool seen = database_->changes() == kTrimStep;
  IPP_ASSIGN_OR_RETURN(const int64_t idle, shared_->TrimIdle(cutoffs.settled, kTrimStep));
  if (now - last_used_.value_or(absl::InfinitePast()) >= kNoteUse) {
    IPP_RETURN_IF_ERROR(NoteUse(now));
  }
  return Trimmed{.more = events || sessions || intents || old_sessions || old_intents || cancels ||
                         seen || idle == kTrimStep,
                 .oldest = bounds_.oldest};
}

absl::StatusOr<bool> SqliteWriter::Remove(const SqliteStatement& statement, absl::Time cutoff) {
  SqliteQuery query(statement);
  IPP_RETURN_IF_ERROR(query.Bind(ToNanos(cutoff)).Bind(kTrimStep).Run());
  return database_->changes() == kTrimStep;
}

absl::StatusOr<std::vector<SessionRecord>> SqliteWriter::ReadAll(SqliteQuery& query) {
  std::vector<SessionRecord> records;
  while (true) {
    IPP_ASSIGN_OR_RETURN(const bool found, query.Step());
    if (!found) return records;
    IPP_ASSIGN_OR_RETURN(records.emplace_back(), ReadSession(query));
  }
}

absl::StatusOr<bool> SqliteWriter::IndexSessions() {
  std::vector<SessionRecord> records;
  {
    SqliteQuery query(to_index_);
    IPP_ASSIGN_OR_RETURN(records, ReadAll(query.Bind(kIndexStep)));
  }
  if (records.empty()) return false;
  IPP_RETURN_IF_ERROR(database_->InTransaction([&]() -> absl::Status {
    for (const SessionRecord& record : records) IPP_RETURN_IF_ERROR(Index(record));
    return absl::OkStatus();
  }));
  return records.size() == kIndexStep;
}

// Touches the indexes of the search alone.
absl::Status SqliteWriter::Index(const SessionRecord& record) {
  const SessionIndex index(record);
  SqliteQuery query(index_);
  BindIndex(query, record, index);
  return query.Bind(record.merchant_id).Bind(record.session.session_id()).Run();
}

absl::StatusOr<bool> SqliteWriter::TrimSessions(absl::Time cutoff) {
  std::vector<SessionRecord> old;
  {
    SqliteQuery query(old_sessions_);
    IPP_ASSIGN_OR_RETURN(old, ReadAll(query.Bind(ToNanos(cutoff)).Bind(kTrimStep)));
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
      IPP_RETURN_IF_ERROR(Put(Tombstone(std::move(intent))));
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

}  // namespace ipp::store
