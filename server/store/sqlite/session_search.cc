#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/store/session_search.h"
#include "server/store/sqlite/reader.h"
#include "server/store/sqlite/rows.h"

// The search of SqliteReader.
namespace ipp::store {
namespace {

struct Path {
  SearchPath path;
  const char* index;
  const char* value;  // the column whose value is looked for; empty: none
  const char* time;
};

constexpr Path kPaths[] = {
    {SearchPath::kRequest, "sessions_by_request", "request_id", "created_at"},
    {SearchPath::kOrder, "sessions_by_order", "order_id", "created_at"},
    {SearchPath::kReference1, "sessions_by_reference1", "merchant_reference1", "created_at"},
    {SearchPath::kReference2, "sessions_by_reference2", "merchant_reference2", "created_at"},
    {SearchPath::kUpdated, "sessions_by_update", "", "updated_at"},
    {SearchPath::kDevice, "sessions_by_device", "device_id", "created_at"},
    {SearchPath::kLocation, "sessions_by_location", "location_id", "created_at"},
    {SearchPath::kStatus, "sessions_by_status", "status", "created_at"},
};
static_assert(std::size(kPaths) == kSearchPaths);

std::string Sql(const Path& path) {
  const std::string value = path.value[0] == '\0' ? "" : absl::StrCat(" AND ", path.value, " = ?");
  return absl::StrCat("SELECT ", path.time, ", session_id FROM sessions INDEXED BY ", path.index,
                      " WHERE merchant_id = ?", value, " AND (", path.time,
                      ", session_id) < (?, ?) AND ", path.time, " >= ? ORDER BY ", path.time,
                      " DESC, session_id DESC LIMIT ?");
}

}  // namespace

absl::Status SqliteReader::PrepareSearch() {
  for (const Path& path : kPaths) {
    IPP_ASSIGN_OR_RETURN(search_[static_cast<int>(path.path)], database_->Prepare(Sql(path)));
  }
  IPP_ASSIGN_OR_RETURN(to_index_,
                       database_->Prepare("SELECT EXISTS (SELECT 1 FROM sessions INDEXED "
                                          "BY sessions_to_index WHERE searched_at IS "
                                          "NOT updated_at)"));
  IPP_ASSIGN_OR_RETURN(
      cancels_, database_->Prepare("SELECT asked_at, caller, traceparent FROM cancels WHERE "
                                   "merchant_id = ? AND session_id = ? ORDER BY asked_at LIMIT ?"));
  IPP_ASSIGN_OR_RETURN(
      session_events_,
      database_->Prepare(absl::StrCat(
          "SELECT ", kEventColumns,
          " FROM events INDEXED BY events_by_session WHERE merchant_id = ? AND session_id = ? AND "
          "position > ? ORDER BY position LIMIT ?")));
  return absl::OkStatus();
}

// Each merchant and value has its part of the index, so no row is looked at that does not match.
absl::StatusOr<std::vector<SessionPlace>> SqliteReader::NewestPlaces(const SessionQuery& wanted) {
  const size_t limit = static_cast<size_t>(wanted.limit);
  const SearchPath path = PathOf(wanted);
  std::vector<std::string> values = ValuesOf(wanted, path);
  const bool by_value = path != SearchPath::kUpdated;
  if (!by_value) values = {""};
  const int64_t from = ToNanos(SpanOf(wanted, path).from);
  std::vector<SessionPlace> newest;
  for (const std::string& merchant : wanted.merchant_ids) {
    const SearchStart start = StartOf(wanted, path, merchant);
    for (const std::string& value : values) {
      SqliteQuery query(search_[static_cast<int>(path)]);
      query.Bind(merchant);
      int64_t number = 0;
      if (path == SearchPath::kStatus && absl::SimpleAtoi(value, &number)) {
        query.Bind(number);
      } else if (by_value) {
        query.Bind(value);
      }
      query.Bind(ToNanos(start.time)).Bind(start.session_id);
      // What comes after the last of a full list is not needed.
      const bool full = newest.size() == limit;
      query.Bind(full ? std::max(from, ToNanos(newest.back().time)) : from).Bind(wanted.limit);
      const auto middle = static_cast<std::ptrdiff_t>(newest.size());
      while (true) {
        IPP_ASSIGN_OR_RETURN(const bool found, query.Step());
        if (!found) break;
        newest.push_back({FromNanos(query.Int(0)), merchant, query.String(1)});
      }
      std::inplace_merge(newest.begin(), newest.begin() + middle, newest.end(), ComesBefore);
      // A merchant that was named twice is found twice.
      newest.erase(std::unique(newest.begin(), newest.end()), newest.end());
      if (newest.size() > limit) newest.resize(limit);
    }
  }
  return newest;
}

absl::StatusOr<SessionScan> SqliteReader::ScanSessions(const SessionQuery& wanted) {
  SessionScan scan;
  const absl::Status status = database_->InOneView([&]() -> absl::Status {
    IPP_ASSIGN_OR_RETURN(const std::vector<SessionPlace> places, NewestPlaces(wanted));
    for (const SessionPlace& place : places) {
      SqliteQuery query(by_session_);
      IPP_ASSIGN_OR_RETURN(const bool found,
                           query.Bind(place.merchant_id).Bind(place.session_id).Step());
      if (!found) continue;
      IPP_ASSIGN_OR_RETURN(scan.sessions.emplace_back(), ReadSession(query));
    }
    if (!NeedsIndexed(wanted)) return absl::OkStatus();
    SqliteQuery query(to_index_);
    IPP_RETURN_IF_ERROR(query.Run());
    scan.indexing = query.Int(0) != 0;
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return scan;
}

absl::StatusOr<std::vector<AskedCancel>> SqliteReader::ListCancels(const std::string& merchant_id,
                                                                   const std::string& session_id,
                                                                   int limit) {
  std::vector<AskedCancel> cancels;
  SqliteQuery query(cancels_);
  query.Bind(merchant_id).Bind(session_id).Bind(limit);
  while (true) {
    IPP_ASSIGN_OR_RETURN(const bool found, query.Step());
    if (!found) return cancels;
    cancels.push_back({.merchant_id = merchant_id,
                       .session_id = session_id,
                       .caller = query.String(1),
                       .traceparent = query.String(2),
                       .asked_at = FromNanos(query.Int(0))});
  }
}

}  // namespace ipp::store
