#include <utility>

#include "server/shared/shared_hub.h"
#include "server/shared/shared_hub_parts.h"
#include "server/store/store_error.h"

// The settlements of SharedHub.
namespace ipp::shared {
namespace {

// Whether every lease was given for the subscription.
bool AllOf(const Spec& spec, const std::vector<std::pair<LeaseToken, Settlement>>& leases) {
  for (const auto& [token, settlement] : leases) {
    if (token.subscription() != spec.id) return false;
  }
  return true;
}

}  // namespace

void SharedHub::Settle(const std::string& caller, const std::string& name, Leases leases,
                       store::Done<std::vector<Settled>> done) {
  Find(caller, name, /*fresh=*/false,
       [this, caller, name, leases = std::move(leases),
        done = std::move(done)](absl::StatusOr<SpecPtr> spec) mutable {
         if (!spec.ok()) return std::move(done)(spec.status());
         if (AllOf(**spec, leases)) return SettleWith(*spec, std::move(leases), std::move(done));
         // It may have been made anew since it was last looked at.
         Find(caller, name, /*fresh=*/true,
              [this, leases = std::move(leases),
               done = std::move(done)](absl::StatusOr<SpecPtr> now) mutable {
                if (!now.ok()) return std::move(done)(now.status());
                SettleWith(*now, std::move(leases), std::move(done));
              });
       });
}

void SharedHub::SettleWith(const SpecPtr& spec, Leases leases,
                           store::Done<std::vector<Settled>> done) {
  // A lease of another subscription is lost: position 0 is no event's.
  std::vector<Settlement> settlements;
  for (auto& [token, settlement] : leases) {
    settlement.session = {token.merchant_id(), token.session_id()};
    settlement.position = token.subscription() == spec->id ? token.position() : 0;
    settlement.lease = token.subscription() == spec->id ? token.lease() : 0;
    settlements.push_back(std::move(settlement));
  }
  Begun();
  const Target target = spec->target(Random());
  store_->ChangeShared(
      {.id = target.id,
       .work = [target, settlements](store::SharedTables& tables) -> absl::StatusOr<std::any> {
         absl::StatusOr<SettleResult> result = shared::Settle(tables, target, settlements);
         if (!result.ok()) return result.status();
         return std::any(*std::move(result));
       }},
      [this, spec, settlements, done = std::move(done)](absl::StatusOr<std::any> result) mutable {
        if (!result.ok()) {
          std::move(done)(store::ForCallers(result.status()));
          return Ended();
        }
        auto& settled = std::any_cast<SettleResult&>(*result);
        if (settled.found == Found::kNo) {
          // Deleted meanwhile; if it was made anew, these leases are not of the new one.
          Forget(spec->caller, spec->subscription.name());
          std::move(done)(NoSuchSubscription());
          return Ended();
        }
        NoteSettled(spec->id, settlements, settled.settled);
        std::move(done)(std::move(settled.settled));
        Ended();
      });
}

// The streams of this replica have room again.
void SharedHub::NoteSettled(int64_t id, const std::vector<Settlement>& settlements,
                            const std::vector<Settled>& settled) {
  Todo todo;
  {
    MutexLock lock(&mutex_);
    const auto line = lines_.find(id);
    for (size_t i = 0; i < settlements.size(); ++i) {
      const Settled& one = settled[i];
      if (one.outcome == Outcome::kSettled) settled_.Add();
      if (one.outcome == Outcome::kLeaseLost) losses_.Add();
      if (one.parked) parked_.Add();
      if (line == lines_.end()) continue;
      for (const StreamPtr& stream : line->second->streams) {
        const auto out = stream->out.find(settlements[i].lease);
        if (out == stream->out.end()) continue;
        if (one.outcome == Outcome::kExtended) {
          out->second.until = one.expires_at;
        } else {
          stream->out.erase(out);
        }
      }
    }
    if (line != lines_.end()) ClaimFor(*line->second, &todo);
  }
  Do(std::move(todo));
}

}  // namespace ipp::shared
