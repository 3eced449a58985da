#include "server/events/log_order.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "server/base/log.h"

namespace ipp::events {
namespace {

bool Before(const store::StoredEvent& a, const store::StoredEvent& b) {
  return a.position < b.position;
}

}  // namespace

LogOrder::LogOrder(Metrics* metrics)
    : gaps_(metrics->counter("ipp_events_gaps_total",
                             "Holes in what is kept of the event log; must be 0.")),
      duplicates_(metrics->counter("ipp_events_duplicates_total",
                                   "Events that the log showed twice; must be 0.")),
      order_violations_(metrics->counter("ipp_events_order_violations_total",
                                         "Events that came out of order; must be 0.")) {}

void LogOrder::Straighten(int64_t after, std::vector<store::StoredEvent>* rows) {
  if (rows->empty()) return;
  int64_t last = after;
  bool straight = rows->front().position > after;
  for (size_t i = 1; i < rows->size() && straight; ++i) {
    straight = (*rows)[i].position == (*rows)[i - 1].position + 1;
  }
  if (straight) return;

  bool wrong = false;
  // Stable, so that the first of two equal positions is kept.
  if (!std::is_sorted(rows->begin(), rows->end(), Before)) {
    wrong = true;
    order_violations_.Add();
    std::stable_sort(rows->begin(), rows->end(), Before);
  }
  std::vector<store::StoredEvent> kept;
  for (store::StoredEvent& row : *rows) {
    if (row.position <= last) {
      wrong = true;
      duplicates_.Add();
      continue;
    }
    if (!kept.empty() && row.position != last + 1) break;
    last = row.position;
    kept.push_back(std::move(row));
  }
  if (wrong) {
    LogError("the store showed the event log out of order", {{"after", absl::StrCat(after)},
                                                             {"rows", absl::StrCat(rows->size())},
                                                             {"used", absl::StrCat(kept.size())}});
  }
  *rows = std::move(kept);
}

void LogOrder::CountGap(int64_t after, int64_t next) {
  gaps_.Add();
  LogError("the event log has a hole",
           {{"after", absl::StrCat(after)}, {"next", absl::StrCat(next)}});
}

}  // namespace ipp::events
