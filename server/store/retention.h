#pragma once

#include <optional>

#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/base/metrics.h"
#include "server/store/store.h"

// What is removed for its age, and when it is certain enough what time it is. Both stores remove
// the same things by the same rules; only the statements differ.
namespace ipp::store {

// How long things are kept.
struct Retention {
  absl::Duration events = absl::Hours(7 * 24);
  // The ids of webhooks that were taken. The upstream delivers again for up to three days.
  absl::Duration seen = absl::Hours(7 * 24);
  // Creates, with the request and the answer. After that a tombstone answers for them.
  absl::Duration creates = absl::Hours(30 * 24);
  // Tombstones of creates and of sessions: what keeps an old request_id from being sent again, and
  // an old session from ending a second time.
  absl::Duration tombstones = absl::Hours(365 * 24);
};

// What is older than these goes.
struct Cutoffs {
  absl::Time events;      // from the oldest on
  absl::Time sessions;    // sessions that were final by then become tombstones
  absl::Time seen;        // ids of webhooks
  absl::Time creates;     // creates that nothing was heard of since become tombstones
  absl::Time tombstones;  // these go for good
};

// What is left of a session that is final: enough to know that it has ended, and how.
SessionRecord Tombstone(SessionRecord record);
// What is left of a create: its end, its session, and a digest that tells another request under the
// same id. A digest because a request may be as large as a message.
IntentRecord Tombstone(IntentRecord intent);
// The digest of a request, as a tombstone has it.
std::string RequestDigest(const std::string& request);

// Decides what may go now. A wrong clock must not remove what is still needed, so nothing goes
//
// * while the gateway's clock does not believe itself (Clock::plausible);
// * for an hour after the start when the store was last in use more than an hour before the time
//   that the clock shows: the gateway was not running, or the clock is ahead. An operator has that
//   hour to see the alarm;
// * and, where a database has a clock of its own, never by the later of the two.
//
// Metric: ipp_store_retention_held (1 while nothing may go). For the store's writer thread.
class RetentionGuard {
 public:
  // `last_used`: the newest time that the store has seen, kept in it; absent when it is new, or has
  // a clock of its own.
  RetentionGuard(Retention retention, std::optional<absl::Time> last_used, Clock* clock,
                 Metrics* metrics);

  // `database`: the time by the database's clock.
  std::optional<Cutoffs> Next(std::optional<absl::Time> database = std::nullopt);

 private:
  const Retention retention_;
  Clock* const clock_;
  Gauge& held_;
  absl::Duration not_before_;  // monotonic
};

}  // namespace ipp::store
