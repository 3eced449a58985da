#pragma once

#include <cstdint>
#include <vector>

#include "server/base/metrics.h"
#include "server/store/store.h"

namespace ipp::events {

// What must never happen between the log and a subscriber. Each is counted in a metric that stays 0
// as long as the store keeps its contract; when it does not, subscribers still get events in order
// and once. Thread-safe.
class LogOrder {
 public:
  explicit LogOrder(Metrics* metrics);

  // `rows` were read after `after`. Leaves them one after another without a hole: what came twice
  // or was asked for by nobody is dropped, what came out of order is sorted, and what follows a
  // hole is left for the next read. The first row may lie further on than after + 1.
  void Straighten(int64_t after, std::vector<store::StoredEvent>* rows);

  // Whether an event may be handed to a reader that has come to `position`.
  bool Advances(int64_t position, int64_t event) {
    if (event > position) return true;
    (event == position ? duplicates_ : order_violations_).Add();
    return false;
  }

  // No event between the two positions can be read, though the log says that they are kept.
  void CountGap(int64_t after, int64_t next);

 private:
  Counter& gaps_;
  Counter& duplicates_;
  Counter& order_violations_;
};

}  // namespace ipp::events
