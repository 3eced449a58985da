#include "server/store/sqlite/reader.h"

#include <sys/stat.h>

#include <algorithm>
#include <functional>
#include <iterator>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/store/sqlite/rows.h"

namespace ipp::store {
namespace {

constexpr size_t kPageBytes = 1 << 20;

absl::StatusOr<SessionRecord> FindOne(const SqliteStatement& statement, const std::string& first,
                                      const std::string& second) {
  SqliteQuery query(statement);
  IPP_ASSIGN_OR_RETURN(const bool found, query.Bind(first).Bind(second).Step());
  if (!found) return absl::NotFoundError("the gateway does not know this session");
  return ReadSession(query);
}

absl::StatusOr<std::vector<StoredEvent>> ReadPage(SqliteQuery& query) {
  std::vector<StoredEvent> events;
  size_t bytes = 0;
  while (bytes < kPageBytes) {
    IPP_ASSIGN_OR_RETURN(const bool found, query.Step());
    if (!found) break;
    bytes += events.emplace_back(ReadEvent(query)).payload.size();
  }
  return events;
}

}  // namespace

absl::StatusOr<std::unique_ptr<SqliteReader>> SqliteReader::Open(const std::string& path) {
  IPP_ASSIGN_OR_RETURN(std::unique_ptr<SqliteDatabase> database,
                       SqliteDatabase::OpenReadOnly(path));
  std::unique_ptr<SqliteReader> reader(new SqliteReader(path, std::move(database)));
  const std::pair<SqliteStatement*, std::string> statements[] = {
      {&reader->by_session_,
       absl::StrCat("SELECT ", kSessionColumns,
                    " FROM sessions WHERE merchant_id = ? AND session_id = ?")},
      {&reader->by_request_,
       absl::StrCat("SELECT ", kSessionColumns,
                    " FROM sessions WHERE merchant_id = ? AND request_id = ?")},
      {&reader->intent_, absl::StrCat("SELECT ", kIntentColumns,
                                      " FROM intents WHERE merchant_id = ? AND request_id = ?")},
      {&reader->intent_by_id_,
       absl::StrCat("SELECT ", kIntentColumns, " FROM intents WHERE id = ?")},
      {&reader->intent_ids_,
       "SELECT id FROM intents WHERE merchant_id = ? AND state = ? AND id > ? AND id < ? ORDER BY "
       "id DESC LIMIT ?"},
      // 3: refused.
      {&reader->settled_,
       "SELECT EXISTS (SELECT 1 FROM sessions WHERE merchant_id = ?1 AND request_id = ?2) OR "
       "EXISTS "
       "(SELECT 1 FROM intents WHERE merchant_id = ?1 AND request_id = ?2 AND (state = 3 OR "
       "session_id <> ''))"},
      {&reader->count_intents_,
       "SELECT count(*) FILTER (WHERE state = 1), count(*) FILTER (WHERE state = 5), "
       "min(created_at) FILTER (WHERE state = 5) FROM intents WHERE state IN (1, 5) AND trimmed = "
       "0"},
      {&reader->open_,
       "SELECT count(*), count(*) FILTER (WHERE created_at < ?), min(created_at) FROM sessions "
       "WHERE open = 1"},
      {&reader->events_, absl::StrCat("SELECT ", kEventColumns,
                                      " FROM events WHERE position > ? ORDER BY position LIMIT ?")},
      {&reader->recorded_at_, "SELECT recorded_at FROM events WHERE position = ?"},
      {&reader->bounds_, "SELECT trimmed_through, (SELECT max(position) FROM events) FROM log"},
  };
  for (const auto& [statement, sql] : statements) {
    IPP_ASSIGN_OR_RETURN(*statement, reader->database_->Prepare(sql));
  }
  IPP_ASSIGN_OR_RETURN(reader->shared_, SqliteSharedReads::Create(reader->database_.get()));
  IPP_RETURN_IF_ERROR(reader->PrepareSearch());
  return reader;
}

absl::StatusOr<SessionRecord> SqliteReader::FindSession(const std::string& merchant_id,
                                                        const std::string& session_id) {
  return FindOne(by_session_, merchant_id, session_id);
}

absl::StatusOr<SessionRecord> SqliteReader::FindSessionByRequest(const std::string& merchant_id,
                                                                 const std::string& request_id) {
  return FindOne(by_request_, merchant_id, request_id);
}

absl::StatusOr<IntentRecord> SqliteReader::FindIntent(const std::string& merchant_id,
                                                      const std::string& request_id) {
  SqliteQuery query(intent_);
  IPP_ASSIGN_OR_RETURN(const bool found, query.Bind(merchant_id).Bind(request_id).Step());
  if (!found) return absl::NotFoundError("the gateway does not know this request_id");
  return ReadIntent(query);
}

absl::StatusOr<std::vector<IntentRecord>> SqliteReader::ListIntents(const IntentQuery& wanted) {
  std::vector<IntentRecord> intents;
  const absl::Status status = database_->InOneView([&]() -> absl::Status {
    IPP_ASSIGN_OR_RETURN(const std::vector<int64_t> ids, NewestIntents(wanted));
    for (const int64_t id : ids) {
      SqliteQuery query(intent_by_id_);
      IPP_ASSIGN_OR_RETURN(const bool found, query.Bind(id).Step());
      if (found) intents.push_back(ReadIntent(query));
    }
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return intents;
}

// Each merchant and state has its part of the index, so no row is looked at that does not match.
absl::StatusOr<std::vector<int64_t>> SqliteReader::NewestIntents(const IntentQuery& wanted) {
  const size_t limit = static_cast<size_t>(wanted.limit);
  const std::vector<IntentState> states =
      wanted.states.empty() ? std::vector(std::begin(kIntentStates), std::end(kIntentStates))
                            : wanted.states;
  std::vector<int64_t> newest;  // the newest first
  for (const std::string& merchant : wanted.merchant_ids) {
    for (const IntentState state : states) {
      const int64_t after = newest.size() < limit ? 0 : newest.back();
      SqliteQuery query(intent_ids_);
      query.Bind(merchant).Bind(static_cast<int64_t>(state)).Bind(after);
      query.Bind(wanted.before_id > 0 ? wanted.before_id : std::numeric_limits<int64_t>::max());
      query.Bind(wanted.limit);
      const auto middle = static_cast<std::ptrdiff_t>(newest.size());
      while (true) {
        IPP_ASSIGN_OR_RETURN(const bool found, query.Step());
        if (!found) break;
        newest.push_back(query.Int(0));
      }
      std::inplace_merge(newest.begin(), newest.begin() + middle, newest.end(), std::greater<>());
      // A merchant or state that was named twice is found twice.
      newest.erase(std::unique(newest.begin(), newest.end()), newest.end());
      if (newest.size() > limit) newest.resize(limit);
    }
  }
  return newest;
}

absl::StatusOr<std::vector<bool>> SqliteReader::AreSettled(const std::vector<IntentKey>& creates) {
  std::vector<bool> settled;
  settled.reserve(creates.size());
  for (const auto& [merchant_id, request_id] : creates) {
    SqliteQuery query(settled_);
    IPP_RETURN_IF_ERROR(query.Bind(merchant_id).Bind(request_id).Run());
    settled.push_back(query.Int(0) != 0);
  }
  return settled;
}

absl::StatusOr<IntentCounts> SqliteReader::CountIntents() {
  SqliteQuery query(count_intents_);
  IPP_RETURN_IF_ERROR(query.Run());
  IntentCounts counts{.under_way = query.Int(0), .unknown = query.Int(1)};
  if (counts.unknown > 0) counts.oldest_unknown = FromNanos(query.Int(2));
  return counts;
}

absl::StatusOr<OpenSessions> SqliteReader::CountOpen(absl::Time overdue_before) {
  SqliteQuery query(open_);
  IPP_RETURN_IF_ERROR(query.Bind(ToNanos(overdue_before)).Run());
  OpenSessions open{.count = query.Int(0), .overdue = query.Int(1)};
  if (open.count > 0) open.oldest = FromNanos(query.Int(2));
  return open;
}

absl::StatusOr<std::vector<StoredEvent>> SqliteReader::ReadEvents(int64_t after, int limit) {
  SqliteQuery query(events_);
  return ReadPage(query.Bind(after).Bind(limit));
}

absl::StatusOr<std::vector<StoredEvent>> SqliteReader::ReadSessionEvents(
    const std::string& merchant_id, const std::string& session_id, int64_t after, int limit) {
  SqliteQuery query(session_events_);
  return ReadPage(query.Bind(merchant_id).Bind(session_id).Bind(after).Bind(limit));
}

absl::StatusOr<int64_t> SqliteReader::FindPosition(absl::Time time) {
  IPP_ASSIGN_OR_RETURN(const LogBounds bounds, ReadBounds());
  // Every event before `first` was recorded before `time`; no event from `end` on was.
  int64_t first = bounds.oldest;
  int64_t end = bounds.latest + 1;
  while (first < end) {
    const int64_t middle = first + (end - first) / 2;
    SqliteQuery query(recorded_at_);
    IPP_ASSIGN_OR_RETURN(const bool found, query.Bind(middle).Step());
    // An event that is missing was trimmed meanwhile, so it is old.
    if (found && FromNanos(query.Int(0)) >= time) {
      end = middle;
    } else {
      first = middle + 1;
    }
  }
  return first - 1;
}

absl::StatusOr<LogBounds> SqliteReader::ReadBounds() {
  SqliteQuery query(bounds_);
  IPP_RETURN_IF_ERROR(query.Run());
  const int64_t trimmed = query.Int(0);
  return LogBounds{.oldest = trimmed + 1, .latest = query.IsNull(1) ? trimmed : query.Int(1)};
}

absl::StatusOr<int64_t> SqliteReader::SizeBytes() {
  int64_t bytes = 0;
  // The database, its write-ahead log, and the index of that.
  for (const char* suffix : {"", "-wal", "-shm"}) {
    struct stat info;
    if (stat(absl::StrCat(path_, suffix).c_str(), &info) == 0) bytes += info.st_size;
  }
  if (bytes == 0) return absl::NotFoundError(absl::StrCat(path_, " is not there any more"));
  return bytes;
}

}  // namespace ipp::store
