#include "server/creates/restore_hold.h"

#include <algorithm>
#include <utility>

#include "absl/time/time.h"
#include "server/base/error.h"
#include "server/base/log.h"
#include "server/store/store_error.h"

namespace ipp::creates {
namespace {

absl::Status Held(absl::Duration left) {
  return MakeError(absl::StatusCode::kUnavailable,
                   "the gateway was restored from a backup and does not know whether a create was "
                   "sent under this request_id before; ask again with the same request_id, after "
                   "the time in RetryInfo",
                   {.reason = "RESTORED_HOLDING",
                    .metadata = {{"retry_safe", "true"}},
                    .retry_after = std::max(left, absl::Seconds(1))});
}

}  // namespace

RestoreHold::RestoreHold(store::Store* store, Metrics* metrics)
    : store_(store),
      held_(metrics->counter("ipp_creates_held_total",
                             "Creates that were refused for now after a restore.")),
      until_(metrics->gauge("ipp_creates_held_until_seconds",
                            "Until when creates are held after a restore, in seconds since 1970; "
                            "0 when they are not.")) {
  Left();
}

absl::Duration RestoreHold::Left() {
  const absl::Time until = store_->bounds().creates_held_until;
  const absl::Duration left = std::max(until - store_->Now(), absl::ZeroDuration());
  const bool holding = left > absl::ZeroDuration();
  MutexLock lock(&mutex_);
  if (holding) until_.Set(absl::ToDoubleSeconds(until - absl::UnixEpoch()));
  if (holding == holding_) return left;
  holding_ = holding;
  if (holding) {
    LogWarning("the store was restored: creates whose request_id it does not know are held",
               {{"until", absl::FormatTime(absl::RFC3339_sec, until, absl::UTCTimeZone())}});
  } else {
    until_.Set(0);
    LogInfo("creates are no longer held");
  }
  return left;
}

absl::Status RestoreHold::Unanswerable() {
  const absl::Duration left = Left();
  return left == absl::ZeroDuration() ? absl::OkStatus() : Held(left);
}

void RestoreHold::Admit(std::string merchant_id, std::string request_id,
                        absl::AnyInvocable<void(absl::Status) &&> done) {
  store_->FindIntent(merchant_id, request_id,
                     [this, merchant_id, request_id,
                      done = std::move(done)](absl::StatusOr<store::IntentRecord> intent) mutable {
                       if (!intent.ok() && !absl::IsNotFound(intent.status())) {
                         return std::move(done)(store::ForCallers(intent.status()));
                       }
                       // A create that was kNotSent at the time of the backup may have been sent
                       // since.
                       if (intent.ok() && intent->state != store::IntentState::kNotSent) {
                         return std::move(done)(absl::OkStatus());
                       }
                       AskSessions(merchant_id, request_id, std::move(done));
                     });
}

void RestoreHold::AskSessions(const std::string& merchant_id, const std::string& request_id,
                              absl::AnyInvocable<void(absl::Status) &&> done) {
  store_->FindSessionByRequest(
      merchant_id, request_id,
      [this, done = std::move(done)](absl::StatusOr<store::SessionRecord> session) mutable {
        if (session.ok()) return std::move(done)(absl::OkStatus());
        if (!absl::IsNotFound(session.status())) {
          return std::move(done)(store::ForCallers(session.status()));
        }
        held_.Add();
        std::move(done)(Held(Left()));
      });
}

}  // namespace ipp::creates
