#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "kustom/ipp/v1/session_event.pb.h"
#include "server/store/store.h"

namespace ipp::events {

// Decides which events a subscriber sees. Immutable.
class EventFilter {
 public:
  // `merchants`: those that the caller may see, already narrowed; an event of another merchant
  // never matches. INVALID_ARGUMENT naming the field for a list of more than 1,000 values, an empty
  // value, or an unknown type.
  static absl::StatusOr<EventFilter> Create(const kustom::ipp::v1::SessionEventFilter& filter,
                                            std::vector<std::string> merchants);

  // Matches every event.
  static EventFilter All() {
    EventFilter filter;
    filter.all_merchants_ = true;
    return filter;
  }

  bool Matches(const store::StoredEvent& event) const;

 private:
  using Set = absl::flat_hash_set<std::string>;
  bool all_merchants_ = false;
  Set merchants_;
  Set sessions_;
  Set devices_;
  Set references_;
  uint64_t types_ = 0;  // one bit for each type; 0: all
};

}  // namespace ipp::events
