#include "client/lease_book.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "client/proto_duration.h"
#include "ippclient/error.h"

namespace ipp::client {
namespace {

namespace v1 = ::kustom::ipp::v1;

// The least pause, whatever the options say: a gateway that answers at once must not be called in a
// tight loop.
constexpr absl::Duration kShortestPause = absl::Milliseconds(10);

bool IsHeld(v1::SettlementOutcome outcome) {
  return outcome == v1::SETTLEMENT_OUTCOME_SETTLED || outcome == v1::SETTLEMENT_OUTCOME_EXTENDED ||
         outcome == v1::SETTLEMENT_OUTCOME_ALREADY_SETTLED;
}

// The lease lasts its whole length from `since` on. It is extended when a third of it is over: two
// more tries fit into the rest.
void HoldFrom(absl::Duration since, Lease* lease) {
  lease->held_until = since + lease->length;
  lease->extend_at = since + lease->length / 3;
}

template <typename Which>
void Forget(Which which, LeaseBook::Batch* wishes) {
  wishes->erase(std::remove_if(wishes->begin(), wishes->end(), which), wishes->end());
}

void MarkSettling(const LeaseBook::Batch& batch, bool settling) {
  for (const LeaseBook::Wish& wish : batch) {
    if (!wish.settlement.has_extend()) wish.lease->settling = settling;
  }
}

}  // namespace

std::shared_ptr<Lease> LeaseBook::Hold(const v1::LeasedSessionEvent& leased, absl::Duration length,
                                       absl::Duration now) {
  auto lease = std::make_shared<Lease>(Lease{.leased = leased, .length = length});
  HoldFrom(now, lease.get());
  held_[leased.lease()] = lease;
  return lease;
}

bool LeaseBook::Begin(Lease* lease) {
  if (lease->state != Lease::State::kWaiting || lease->lost) return false;
  lease->state = Lease::State::kBegun;
  return true;
}

void LeaseBook::Settle(const std::shared_ptr<Lease>& lease, v1::Settlement settlement) {
  lease->state = Lease::State::kDone;
  if (lease->lost) return;
  Forget([&](const Wish& wish) { return wish.lease == lease; }, &wishes_);  // extensions
  Ask(lease, std::move(settlement));
}

void LeaseBook::ReleaseWaiting() {
  for (const auto& [name, lease] : held_) {
    if (lease->state != Lease::State::kWaiting) continue;
    v1::Settlement release;
    release.mutable_release();
    Settle(lease, std::move(release));
  }
}

uint64_t LeaseBook::Extend(const std::shared_ptr<Lease>& lease) {
  lease->extend_at = absl::InfiniteDuration();  // once; the answer says when again
  v1::Settlement settlement;
  *settlement.mutable_extend()->mutable_by() = ToProto(lease->length);
  return Ask(lease, std::move(settlement));
}

uint64_t LeaseBook::Ask(const std::shared_ptr<Lease>& lease, v1::Settlement settlement) {
  settlement.set_lease(lease->leased.lease());
  wishes_.push_back({lease, std::move(settlement), ++numbers_});
  return numbers_;
}

void LeaseBook::Pass(absl::Duration now) {
  std::vector<std::shared_ptr<Lease>> over;
  for (const auto& [name, lease] : held_) {
    if (now >= lease->held_until) {
      // An answer that is on its way says more than the clock.
      if (!lease->settling) over.push_back(lease);
    } else if (extends_ && now >= lease->extend_at && lease->state != Lease::State::kDone) {
      Extend(lease);
    }
  }
  for (const auto& lease : over) Lose(lease);
}

LeaseBook::Batch LeaseBook::Take(absl::Duration now) {
  if (wishes_.empty() || now < again_at_) return {};
  const auto end =
      wishes_.begin() + static_cast<ptrdiff_t>(std::min(wishes_.size(), kLongestBatch));
  Batch batch(std::make_move_iterator(wishes_.begin()), std::make_move_iterator(end));
  wishes_.erase(wishes_.begin(), end);
  MarkSettling(batch, true);
  under_way_ += batch.size();
  return batch;
}

void LeaseBook::Answered(const Batch& batch, const v1::SettleSessionEventsResponse& response,
                         absl::Duration sent_at) {
  MarkSettling(batch, false);
  under_way_ -= batch.size();
  backoff_.Reset();
  for (size_t i = 0; i < batch.size(); ++i) {
    const auto& [lease, settlement, number] = batch[i];
    const bool held = i < static_cast<size_t>(response.results_size()) &&
                      IsHeld(response.results(static_cast<int>(i)).outcome());
    if (lease->lost) continue;
    if (!held) {
      Lose(lease);
    } else if (settlement.has_extend()) {
      HoldFrom(sent_at, lease.get());
      lease->extension = number;
    } else {
      held_.erase(lease->leased.lease());
    }
  }
}

void LeaseBook::Failed(Batch batch, const grpc::Status& status, absl::Duration now, double chance) {
  MarkSettling(batch, false);
  under_way_ -= batch.size();
  if (!RetryHeals(status.error_code())) {
    for (const Wish& wish : batch) Lose(wish.lease);
    return;
  }
  Forget(
      [](const Wish& wish) {
        return wish.lease->lost ||
               (wish.settlement.has_extend() && wish.lease->state == Lease::State::kDone);
      },
      &batch);
  wishes_.insert(wishes_.begin(), std::make_move_iterator(batch.begin()),
                 std::make_move_iterator(batch.end()));
  again_at_ = now + std::max({backoff_.Next(chance), kShortestPause,
                              DecodeError(status).retry_delay.value_or(absl::ZeroDuration())});
}

absl::Duration LeaseBook::PassDueAt() const {
  absl::Duration due = absl::InfiniteDuration();
  for (const auto& [name, lease] : held_) {
    if (!lease->settling) due = std::min(due, lease->held_until);
    if (extends_ && lease->state != Lease::State::kDone) due = std::min(due, lease->extend_at);
  }
  return due;
}

void LeaseBook::Lose(const std::shared_ptr<Lease>& lease) {
  if (std::exchange(lease->lost, true)) return;
  const auto found = held_.find(lease->leased.lease());
  if (found != held_.end() && found->second == lease) held_.erase(found);
  Forget([&](const Wish& wish) { return wish.lease == lease; }, &wishes_);
  lost_.push_back(lease);
}

std::vector<std::shared_ptr<Lease>> LeaseBook::TakeLost() { return std::exchange(lost_, {}); }

}  // namespace ipp::client
