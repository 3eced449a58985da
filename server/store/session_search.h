#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "kustom/ipp/v1/session.pb.h"

// The search for sessions, over what the gateway knows of them.
//
// Beside each session the stores keep, as columns with indexes, what it can be searched by. A
// search follows one index (PathOf), the newest first, and reads the records that it names; what
// the index does not decide is decided on the record (Matches). So an index entry that is out of
// date can hide a session, but never show a wrong one.
//
// A row says for which state of its session its columns were written (`searched_at` =
// `updated_at`). Rows that an earlier release wrote are found by that
// (WriteBackend::IndexSessions).
namespace ipp::store {

struct SessionRecord;

// Where a search stands: the last session that it looked at. `time` is the one that it is ordered
// by.
struct SessionPlace {
  absl::Time time;
  std::string merchant_id;
  std::string session_id;

  friend bool operator==(const SessionPlace&, const SessionPlace&) = default;
};

// Whether `a` is listed before `b`: the newest first.
bool ComesBefore(const SessionPlace& a, const SessionPlace& b);

// Which sessions. Empty texts and lists do not narrow, except for `merchant_ids`.
struct SessionQuery {
  std::vector<std::string> merchant_ids = {};  // only of these
  std::vector<kustom::ipp::v1::SessionStatus> statuses = {};
  std::string device_id = {};
  std::string location_id = {};
  std::string merchant_reference1 = {};
  std::string merchant_reference2 = {};
  std::string order_id = {};
  std::string request_id = {};
  absl::Time created_from = absl::InfinitePast();
  absl::Time created_before = absl::InfiniteFuture();
  absl::Time updated_from = absl::InfinitePast();
  absl::Time updated_before = absl::InfiniteFuture();
  std::optional<SessionPlace> after = std::nullopt;  // only sessions that come after this one
  // The most sessions that are looked at, which may be more than match.
  int limit = 100;
};

// The index that a search follows.
enum class SearchPath {
  kRequest,
  kOrder,
  kReference1,
  kReference2,
  kUpdated,  // by `updated_at`; all others by `created_at`
  kDevice,
  kLocation,
  kStatus,
};
inline constexpr int kSearchPaths = 8;
// The one that names the fewest sessions, as far as the fields tell.
SearchPath PathOf(const SessionQuery& query);
// Whether a row that is not indexed yet can be missed along the path of the query.
bool NeedsIndexed(const SessionQuery& query);

// The values of the index that the search looks for; the statuses as decimal numbers. Of kUpdated:
// none.
std::vector<std::string> ValuesOf(const SessionQuery& query, SearchPath path);

// The times between which the index is read: from inclusive, before exclusive.
struct SearchSpan {
  absl::Time from;
  absl::Time before;
};
SearchSpan SpanOf(const SessionQuery& query, SearchPath path);

// Where to begin for a merchant: at sessions with (time, session_id) less than this. A time beyond
// what the stores keep is brought into their range.
struct SearchStart {
  absl::Time time;
  std::string session_id;
};
SearchStart StartOf(const SessionQuery& query, SearchPath path, const std::string& merchant_id);

// The place of a record in a search along `path`.
SessionPlace PlaceOf(const SessionRecord& record, SearchPath path);

// Whether the record is one of those that are searched for.
bool Matches(const SessionQuery& query, const SessionRecord& record);

// The form in which a text is kept in an index: cut to what the strictest database can index.
inline constexpr size_t kMaxIndexedBytes = 256;
inline absl::string_view IndexedText(absl::string_view text) {
  return text.substr(0, kMaxIndexedBytes);
}

// What a backend read for a search.
struct SessionScan {
  std::vector<SessionRecord> sessions;  // the newest first; at most `limit`
  bool indexing = false;                // rows of an earlier release are not indexed yet
};

// The answer to a search.
struct SessionPage {
  std::vector<SessionRecord> sessions;  // that match
  // Where to go on; absent at the end.
  std::optional<SessionPlace> next;
  bool indexing = false;
};
SessionPage PageOf(const SessionQuery& query, SessionScan scan);

// A cancel that a caller asked for. A record for people; nothing is decided by it. Kept as long as
// events.
struct AskedCancel {
  std::string merchant_id;
  std::string session_id;
  std::string caller;
  std::string traceparent;
  absl::Time asked_at;
};

}  // namespace ipp::store
