#include "server/store/sqlite/reader.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/store/sqlite/rows.h"

namespace ipp::store {
namespace {

constexpr size_t kPageBytes = 1 << 20;

std::string Repeated(const char* text, size_t times) {
  std::string all;
  while (times-- > 0) all += text;
  return all;
}

absl::StatusOr<SessionRecord> FindOne(const SqliteStatement& statement, const std::string& first,
                                      const std::string& second) {
  SqliteQuery query(statement);
  IPP_ASSIGN_OR_RETURN(const bool found, query.Bind(first).Bind(second).Step());
  if (!found) return absl::NotFoundError("the gateway does not know this session");
  return ReadSession(query);
}

}  // namespace

absl::StatusOr<std::unique_ptr<SqliteReader>> SqliteReader::Open(const std::string& path) {
  IPP_ASSIGN_OR_RETURN(std::unique_ptr<SqliteDatabase> database,
                       SqliteDatabase::OpenReadOnly(path));
  std::unique_ptr<SqliteReader> reader(new SqliteReader(std::move(database)));
  const std::pair<SqliteStatement*, std::string> statements[] = {
      {&reader->by_session_,
       absl::StrCat("SELECT ", kSessionColumns,
                    " FROM sessions WHERE merchant_id = ? AND session_id = ?")},
      {&reader->by_request_,
       absl::StrCat("SELECT ", kSessionColumns,
                    " FROM sessions WHERE merchant_id = ? AND request_id = ?")},
      {&reader->intent_, absl::StrCat("SELECT ", kIntentColumns,
                                      " FROM intents WHERE merchant_id = ? AND request_id = ?")},
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
  if (wanted.merchant_ids.empty()) return intents;
  // The lists have no fixed length, so the statement is prepared for each call. It is not
  // time-critical.
  std::string sql = absl::StrCat("SELECT ", kIntentColumns, " FROM intents WHERE merchant_id IN (?",
                                 Repeated(", ?", wanted.merchant_ids.size() - 1), ")");
  if (!wanted.states.empty()) {
    absl::StrAppend(&sql, " AND state IN (?", Repeated(", ?", wanted.states.size() - 1), ")");
  }
  if (wanted.before_id > 0) absl::StrAppend(&sql, " AND id < ?");
  absl::StrAppend(&sql, " ORDER BY id DESC LIMIT ?");
  IPP_ASSIGN_OR_RETURN(const SqliteStatement statement, database_->Prepare(sql));
  SqliteQuery query(statement);
  for (const std::string& merchant : wanted.merchant_ids) query.Bind(merchant);
  for (const IntentState state : wanted.states) query.Bind(static_cast<int64_t>(state));
  if (wanted.before_id > 0) query.Bind(wanted.before_id);
  query.Bind(wanted.limit);
  while (true) {
    IPP_ASSIGN_OR_RETURN(const bool found, query.Step());
    if (!found) return intents;
    intents.push_back(ReadIntent(query));
  }
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
  std::vector<StoredEvent> events;
  size_t bytes = 0;
  SqliteQuery query(events_);
  query.Bind(after).Bind(limit);
  while (bytes < kPageBytes) {
    IPP_ASSIGN_OR_RETURN(const bool found, query.Step());
    if (!found) break;
    bytes += events.emplace_back(ReadEvent(query)).payload.size();
  }
  return events;
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

}  // namespace ipp::store
