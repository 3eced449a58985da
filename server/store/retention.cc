#include "server/store/retention.h"

#include <openssl/sha.h>

#include <algorithm>
#include <string>
#include <utility>

#include "server/base/log.h"

namespace ipp::store {
namespace {

// A longer pause means that the gateway was stopped, or that the clock is ahead.
constexpr absl::Duration kLongestPause = absl::Hours(1);
// How long nothing is removed after such a start.
constexpr absl::Duration kProbation = absl::Hours(1);

}  // namespace

SessionRecord Tombstone(SessionRecord record) {
  kustom::ipp::v1::Session session;
  session.set_session_id(record.session.session_id());
  session.set_status(record.session.status());
  session.set_status_raw(record.session.status_raw());
  session.set_order_id(record.session.order_id());
  if (record.session.has_purchase_completed_at()) {
    *session.mutable_purchase_completed_at() = record.session.purchase_completed_at();
  }
  record.session = std::move(session);
  record.trace = {};
  record.held_event.clear();
  record.next_check_at = absl::InfiniteFuture();
  record.trimmed = true;
  return record;
}

IntentRecord Tombstone(IntentRecord intent) {
  intent.request = RequestDigest(intent.request);
  intent.answer.clear();
  intent.owner.clear();
  intent.trace = {};
  intent.trimmed = true;
  return intent;
}

std::string RequestDigest(const std::string& request) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(request.data()), request.size(), digest);
  return {reinterpret_cast<const char*>(digest), sizeof(digest)};
}

RetentionGuard::RetentionGuard(Retention retention, std::optional<absl::Time> last_used,
                               Clock* clock, Metrics* metrics)
    : retention_(retention),
      clock_(clock),
      held_(metrics->gauge("ipp_store_retention_held",
                           "1 while nothing is removed for its age, since the time is not "
                           "certain.")),
      not_before_(clock->Monotonic()) {
  const absl::Time now = clock->Now();
  if (!last_used || now - *last_used <= kLongestPause) return;
  not_before_ += kProbation;
  LogWarning(
      "the store was last used long before the time that the clock shows; nothing is "
      "removed from it for a while",
      {{"last_used", absl::FormatTime(*last_used, absl::UTCTimeZone())},
       {"now", absl::FormatTime(now, absl::UTCTimeZone())},
       {"while", absl::FormatDuration(kProbation)}});
}

std::optional<Cutoffs> RetentionGuard::Next(std::optional<absl::Time> database) {
  const bool held = !clock_->plausible() || clock_->Monotonic() < not_before_;
  held_.Set(held ? 1 : 0);
  if (held) return std::nullopt;
  const absl::Time now = std::min(clock_->Now(), database.value_or(absl::InfiniteFuture()));
  // A session is kept whole while its webhooks may be redelivered and while its events are kept.
  return Cutoffs{.events = now - retention_.events,
                 .sessions = now - std::max(retention_.events, retention_.seen),
                 .seen = now - retention_.seen,
                 .creates = now - std::max(retention_.creates, retention_.events),
                 .tombstones = now - retention_.tombstones,
                 .settled = now - retention_.settled};
}

}  // namespace ipp::store
