#pragma once

#include <optional>

#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/base/metrics.h"
#include "server/store/store.h"

// The retention rules: what is removed for its age, and when the clock can be trusted enough to
// remove it. Both stores follow the same rules; only their SQL differs.
namespace ipp::store {

// How long things are kept.
struct Retention {
  absl::Duration events = absl::Hours(7 * 24);
  // Ids of received webhooks. The upstream redelivers a webhook for up to three days.
  absl::Duration seen = absl::Hours(7 * 24);
  // Creates with request and answer. After that a tombstone answers for them.
  absl::Duration creates = absl::Hours(30 * 24);
  // Tombstones of creates and of sessions. They keep an old request_id from being sent again, and
  // an old session from ending a second time.
  absl::Duration tombstones = absl::Hours(365 * 24);
  // Sessions of shared subscriptions of which nothing is out or held. Their rows tell a second
  // acknowledgement of a lease from one that comes too late.
  absl::Duration settled = absl::Hours(1);
};

// Everything older than these times is removed or reduced.
struct Cutoffs {
  absl::Time events;      // removed
  absl::Time sessions;    // sessions that were final by then become tombstones
  absl::Time seen;        // ids of webhooks; removed
  absl::Time creates;     // creates last updated before this become tombstones
  absl::Time tombstones;  // tombstones; removed
  absl::Time settled;     // idle sessions of shared subscriptions; removed
};

// Reduces a final session to what shows that it has ended, and how.
SessionRecord Tombstone(SessionRecord record);
// Reduces a create to its outcome, its session_id, and a digest by which another request under the
// same id is recognised. A digest, because a request may be as large as a message.
IntentRecord Tombstone(IntentRecord intent);
// The digest of a request (SHA-256), as a tombstone stores it.
std::string RequestDigest(const std::string& request);

// Decides what may be removed now. A wrong clock must not remove data that is still needed, so
// nothing is removed
//
// * while the gateway does not trust its clock (Clock::plausible);
// * for an hour after the start, if the store was last used more than an hour before the current
//   time: either the gateway was not running, or the clock is ahead. This gives an operator an hour
//   to react to the alarm;
// * by the later of two clocks, where the database has a clock of its own.
//
// Metric: ipp_store_retention_held (1 while nothing may be removed). Not thread-safe: for the
// store's writer thread.
class RetentionGuard {
 public:
  // `last_used`: the newest time that is recorded in the store; absent when the store is new, or
  // has a clock of its own.
  RetentionGuard(Retention retention, std::optional<absl::Time> last_used, Clock* clock,
                 Metrics* metrics);

  // `database`: the current time by the database's clock. nullopt: remove nothing now.
  std::optional<Cutoffs> Next(std::optional<absl::Time> database = std::nullopt);

 private:
  const Retention retention_;
  Clock* const clock_;
  Gauge& held_;
  absl::Duration not_before_;  // monotonic
};

}  // namespace ipp::store
