#pragma once

#include <string>
#include <vector>

#include "tests/faults/consumers/journal.h"

namespace ipp::faults {

// What a shared subscription must have done once it is idle.
struct SharedTruth {
  struct LogEvent {
    std::string event_id;
    std::string session_id;
  };
  struct ParkedEvent {
    std::string event_id;
    int attempts = 0;
  };
  std::vector<LogEvent> log;  // in its order, all of it matches
  std::vector<ParkedEvent> parked;
  absl::Duration lease;
  int max_attempts = 0;
};

struct ConsumerVerdict {
  std::vector<std::string> wrong;
  int deliveries = 0;
  int acknowledged = 0;  // events, by an answer
  int in_doubt = 0;      // events whose acknowledgement was sent, and whose answer was lost
  int parked = 0;
  int redelivered = 0;      // deliveries that are not the first of their event
  int redriven = 0;         // deliveries
  int already_settled = 0;  // answers
  int lease_lost = 0;       // answers
};

// Holds what consumers wrote down against the promises:
//
// 1. Every event of the log was acknowledged or is parked, and not both.
// 2. The events of a session are delivered in the order of the log; redriven ones at any time.
// 3. One event of a session is out at a time: a lease begins after the one before it has expired or
//    a settlement of it was sent.
// 4. Under no lease that is newer than the one under which an event was acknowledged is it
// delivered
//    again. It is acknowledged once.
// 5. A settlement that repeats one which was answered is ALREADY_SETTLED; no other one is.
// 6. LEASE_LOST is the answer to a lease that has expired, or was given up before.
// 7. An attempt is at most max_attempts; so is the count of a parked event.
ConsumerVerdict JudgeConsumers(const SharedTruth& truth, const ConsumerHistory& history);

}  // namespace ipp::faults
