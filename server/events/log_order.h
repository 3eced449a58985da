#pragma once

#include <cstdint>
#include <vector>

#include "server/base/metrics.h"
#include "server/store/store.h"

namespace ipp::events {

// Checks what must never happen between the log and a subscriber. Each violation is counted in a
// metric that stays 0 as long as the store keeps its contract. If it does not, subscribers still
// get events in order and once. Thread-safe.
class LogOrder {
 public:
  explicit LogOrder(Metrics* metrics);

  // `rows` were read after `after`. Leaves consecutive rows in order: duplicates and rows up to
  // `after` are dropped, rows out of order are sorted, and rows that follow a hole are left for the
  // next read. The first row may lie further on than after + 1.
  void Straighten(int64_t after, std::vector<store::StoredEvent>* rows);

  // Whether the event at position `event` may be delivered to a reader at `position`. Counts a
  // violation if not.
  bool Advances(int64_t position, int64_t event) {
    if (event > position) return true;
    (event == position ? duplicates_ : order_violations_).Add();
    return false;
  }

  // Counts a hole: the log says that it keeps the events between the two positions, but they cannot
  // be read.
  void CountGap(int64_t after, int64_t next);

 private:
  Counter& gaps_;
  Counter& duplicates_;
  Counter& order_violations_;
};

}  // namespace ipp::events
