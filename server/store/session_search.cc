#include "server/store/session_search.h"

#include <algorithm>
#include <limits>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/store/keepable.h"
#include "server/store/store.h"

namespace ipp::store {
namespace {

using kustom::ipp::v1::Session;

// What the stores can keep, as a range for a search: every time that is kept lies within.
const absl::Time kFirst = absl::FromUnixNanos(std::numeric_limits<int64_t>::min());
const absl::Time kLast = absl::FromUnixNanos(std::numeric_limits<int64_t>::max());

bool Within(absl::Time time, absl::Time from, absl::Time before) {
  return time >= from && time < before;
}

// The least time that is later, as far as the stores tell times apart.
absl::Time Next(absl::Time time) {
  return std::min(time, kLast - absl::Nanoseconds(1)) + absl::Nanoseconds(1);
}

bool Is(const std::string& wanted, const std::string& value) {
  return wanted.empty() || wanted == value;
}

}  // namespace

bool ComesBefore(const SessionPlace& a, const SessionPlace& b) {
  return std::tie(a.time, a.merchant_id, a.session_id) >
         std::tie(b.time, b.merchant_id, b.session_id);
}

SearchPath PathOf(const SessionQuery& query) {
  if (!query.request_id.empty()) return SearchPath::kRequest;
  if (!query.order_id.empty()) return SearchPath::kOrder;
  if (!query.merchant_reference1.empty()) return SearchPath::kReference1;
  if (!query.merchant_reference2.empty()) return SearchPath::kReference2;
  if (query.updated_from != absl::InfinitePast() ||
      query.updated_before != absl::InfiniteFuture()) {
    return SearchPath::kUpdated;
  }
  if (!query.device_id.empty()) return SearchPath::kDevice;
  if (!query.location_id.empty()) return SearchPath::kLocation;
  return SearchPath::kStatus;
}

bool NeedsIndexed(const SessionQuery& query) {
  switch (PathOf(query)) {
    case SearchPath::kRequest:
    case SearchPath::kUpdated:
      return false;
    case SearchPath::kStatus:
      return !query.statuses.empty();
    default:
      return true;
  }
}

std::vector<std::string> ValuesOf(const SessionQuery& query, SearchPath path) {
  const auto indexed = [](const std::string& text) {
    return std::vector<std::string>{std::string(IndexedText(text))};
  };
  switch (path) {
    case SearchPath::kRequest:
      return {query.request_id};
    case SearchPath::kOrder:
      return indexed(query.order_id);
    case SearchPath::kReference1:
      return indexed(query.merchant_reference1);
    case SearchPath::kReference2:
      return indexed(query.merchant_reference2);
    case SearchPath::kDevice:
      return indexed(query.device_id);
    case SearchPath::kLocation:
      return indexed(query.location_id);
    case SearchPath::kUpdated:
      return {};
    case SearchPath::kStatus:
      break;
  }
  std::vector<std::string> values;
  for (int i = kustom::ipp::v1::SessionStatus_MIN; i <= kustom::ipp::v1::SessionStatus_MAX; ++i) {
    const auto status = static_cast<kustom::ipp::v1::SessionStatus>(i);
    const auto& wanted = query.statuses;
    if (wanted.empty() || std::find(wanted.begin(), wanted.end(), status) != wanted.end()) {
      values.push_back(absl::StrCat(i));
    }
  }
  return values;
}

SearchSpan SpanOf(const SessionQuery& query, SearchPath path) {
  const bool updated = path == SearchPath::kUpdated;
  return {
      .from = std::clamp(updated ? query.updated_from : query.created_from, kFirst, kLast),
      .before = std::clamp(updated ? query.updated_before : query.created_before, kFirst, kLast)};
}

SearchStart StartOf(const SessionQuery& query, SearchPath path, const std::string& merchant_id) {
  const absl::Time before = SpanOf(query, path).before;
  if (!query.after || query.after->time >= before) return {before, ""};
  // Of the same time, those of a merchant that sorts lower come later.
  if (merchant_id == query.after->merchant_id) return {query.after->time, query.after->session_id};
  if (merchant_id < query.after->merchant_id) return {Next(query.after->time), ""};
  return {query.after->time, ""};
}

SessionPlace PlaceOf(const SessionRecord& record, SearchPath path) {
  return {.time = path == SearchPath::kUpdated ? record.updated_at : record.created_at,
          .merchant_id = record.merchant_id,
          .session_id = record.session.session_id()};
}

bool Matches(const SessionQuery& query, const SessionRecord& record) {
  const Session& session = record.session;
  const auto& merchants = query.merchant_ids;
  const auto& statuses = query.statuses;
  return std::find(merchants.begin(), merchants.end(), record.merchant_id) != merchants.end() &&
         (statuses.empty() ||
          std::find(statuses.begin(), statuses.end(), session.status()) != statuses.end()) &&
         Is(query.device_id, session.device_id()) && Is(query.location_id, record.location_id) &&
         Is(query.merchant_reference1, session.merchant_reference1()) &&
         Is(query.merchant_reference2, session.merchant_reference2()) &&
         Is(query.order_id, session.order_id()) && Is(query.request_id, record.request_id) &&
         Within(record.created_at, query.created_from, query.created_before) &&
         Within(record.updated_at, query.updated_from, query.updated_before);
}

SessionPage PageOf(const SessionQuery& query, SessionScan scan) {
  SessionPage page;
  page.indexing = scan.indexing;
  if (static_cast<int>(scan.sessions.size()) >= query.limit) {
    page.next = PlaceOf(scan.sessions.back(), PathOf(query));
  }
  for (SessionRecord& record : scan.sessions) {
    if (Matches(query, record)) page.sessions.push_back(std::move(record));
  }
  return page;
}

}  // namespace ipp::store
