#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/store/batch.h"
#include "server/store/session_search.h"
#include "server/store/store.h"

// The searches of FakeDatabase.
namespace ipp::store {

// Every session is one that the index names: Matches() decides alone.
inline absl::StatusOr<SessionScan> FakeScan(const std::map<SessionKey, SessionRecord>& sessions,
                                            const SessionQuery& query) {
  const SearchPath path = PathOf(query);
  SessionScan scan;
  for (const auto& [key, record] : sessions) {
    if (query.after && !ComesBefore(*query.after, PlaceOf(record, path))) continue;
    if (Matches(query, record)) scan.sessions.push_back(record);
  }
  std::sort(scan.sessions.begin(), scan.sessions.end(), [&](const auto& a, const auto& b) {
    return ComesBefore(PlaceOf(a, path), PlaceOf(b, path));
  });
  const auto limit = static_cast<size_t>(query.limit);
  if (scan.sessions.size() > limit) scan.sessions.resize(limit);
  return scan;
}

// The first `limit` of a session; of events those after a position.
template <typename Row>
absl::StatusOr<std::vector<Row>> FirstOf(const std::vector<Row>& rows,
                                         const std::string& merchant_id,
                                         const std::string& session_id, int64_t after, int limit) {
  std::vector<Row> found;
  for (const Row& row : rows) {
    if (static_cast<int>(found.size()) >= limit) break;
    if (row.merchant_id != merchant_id || row.session_id != session_id) continue;
    if constexpr (requires { row.position; }) {
      if (row.position <= after) continue;
    }
    found.push_back(row);
  }
  return found;
}

}  // namespace ipp::store
