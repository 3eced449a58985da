#include "server/shared/decide.h"

#include <algorithm>
#include <utility>

#include "kustom/ipp/v1/session_event.pb.h"
#include "server/base/stored_message.h"

namespace ipp::shared {
namespace {

constexpr absl::Duration kFirstPause = absl::Seconds(1);
constexpr absl::Duration kLongestPause = absl::Minutes(5);
// The payloads of one claim, so that what waits for slow streams is bounded.
constexpr size_t kClaimBytes = size_t{1} << 20;

SessionKey KeyOf(const SharedHead& head) { return {head.merchant_id, head.session_id}; }

uint64_t NewLease(Random random) {
  uint64_t lease = 0;
  while (lease == 0) lease = random();
  return lease;
}

// What became of a lease, as it is remembered: to acknowledge under one that was given up or whose
// event was parked is too late, to say the same again is a repetition.
uint64_t Acknowledged(uint64_t lease) { return lease; }
uint64_t GivenUp(uint64_t lease) { return ~lease; }  // by a retry or a release
uint64_t Parked(uint64_t lease) { return lease ^ (uint64_t{1} << 63); }

void RememberSettled(SharedHead* head, uint64_t settled) {
  head->settled.push_back(settled);
  if (head->settled.size() > kSettledLeases) head->settled.erase(head->settled.begin());
}

// Whether what it asks for was done under this lease before. A retry parks after the last attempt.
bool Repeats(const SharedHead& head, const Settlement& settlement) {
  const auto remembers = [&head](uint64_t settled) {
    return std::find(head.settled.begin(), head.settled.end(), settled) != head.settled.end();
  };
  if (remembers(Acknowledged(settlement.lease))) return true;
  switch (settlement.action) {
    case Action::kAcknowledge:
    case Action::kExtend:
      return false;
    case Action::kPark:
      return remembers(Parked(settlement.lease));
    case Action::kRetry:
    case Action::kRelease:
      return remembers(GivenUp(settlement.lease)) || remembers(Parked(settlement.lease));
  }
  return false;
}

void GiveLease(const Rules& rules, const std::string& consumer, absl::Time now, Random random,
               SharedHead* head) {
  if (head->attempts == 0) head->first_at = now;
  ++head->attempts;
  head->lease = NewLease(random);
  head->out = true;
  head->leased_until = now + rules.lease;
  head->due_at = head->leased_until + RetryPause(head->attempts, random());
  head->consumer = consumer;
}

SharedParked Park(const SharedHead& head, const StoredEvent& event, std::string reason,
                  absl::Time now) {
  SharedParked parked;
  parked.event = event;
  parked.event_id = EventIdOf(event);
  parked.attempts = head.attempts;
  parked.first_at = head.first_at;
  parked.parked_at = now;
  parked.reason = std::move(reason);
  parked.consumer = head.consumer;
  return parked;
}

// Gives the events of a claim to the streams.
class Claim {
 public:
  Claim(ClaimReads reads, std::vector<Slot> slots, Random random)
      : reads_(std::move(reads)), slots_(std::move(slots)), random_(random) {
    writes_.read_position = reads_.read_position;
  }

  ClaimWrites Run() {
    for (DueSession& due : reads_.due) TakeDue(std::move(due));
    for (StoredEvent& event : reads_.window) {
      if (!TakeNew(std::move(event))) break;
    }
    for (auto& [key, head] : changed_) writes_.heads.push_back(std::move(head));
    return std::move(writes_);
  }

 private:
  void TakeDue(DueSession due) {
    SharedHead& head = due.head;
    if (head.out) {
      head.last_error = kLeaseExpired;
      head.out = false;
      ++writes_.expired;
    } else if (head.attempts < reads_.rules.max_attempts && Roomiest() == slots_.end()) {
      writes_.full = true;
      return;
    }
    if (head.attempts >= reads_.rules.max_attempts) {
      writes_.parked.push_back(Park(head, due.event, head.last_error, reads_.now));
      Advance(due.next, reads_.now, &head);
      return Change(std::move(head));
    }
    Lease(std::move(head), std::move(due.event));
  }

  // Whether to go on with the next event.
  bool TakeNew(StoredEvent event) {
    const int64_t position = event.position;
    if (reads_.matches(event)) {
      const SessionKey key(event.merchant_id, event.session_id);
      std::optional<SharedHead> head = Find(key);
      if (!head || head->position == 0) {
        if (Roomiest() == slots_.end() || bytes_ >= kClaimBytes) {
          writes_.full = true;
          return false;
        }
        if (!head) {
          head.emplace();
          head->merchant_id = event.merchant_id;
          head->session_id = event.session_id;
        }
        Advance(NextEvent{.position = position, .recorded_at = event.recorded_at}, reads_.now,
                &*head);
        Lease(*std::move(head), std::move(event));
      }
      // Otherwise it waits in the log, behind the head of its session.
    }
    writes_.read_position = position;
    return true;
  }

  void Lease(SharedHead head, StoredEvent event) {
    const auto slot = Roomiest();
    if (slot == slots_.end()) {  // an expired lease, for which no stream has room
      writes_.full = true;
      return Change(std::move(head));
    }
    --slot->free;
    bytes_ += event.payload.size();
    GiveLease(reads_.rules, slot->consumer, reads_.now, random_, &head);
    writes_.leased.push_back({static_cast<size_t>(slot - slots_.begin()), head, std::move(event)});
    Change(std::move(head));
  }

  void Change(SharedHead head) {
    SessionKey key = KeyOf(head);
    changed_.insert_or_assign(std::move(key), std::move(head));
  }

  std::optional<SharedHead> Find(const SessionKey& key) const {
    for (const auto* heads : {&changed_, &reads_.heads}) {
      const auto found = heads->find(key);
      if (found != heads->end()) return found->second;
    }
    return std::nullopt;
  }

  std::vector<Slot>::iterator Roomiest() {
    const auto most = std::max_element(
        slots_.begin(), slots_.end(), [](const Slot& a, const Slot& b) { return a.free < b.free; });
    return most != slots_.end() && most->free > 0 ? most : slots_.end();
  }

  ClaimReads reads_;
  std::vector<Slot> slots_;
  const Random random_;
  size_t bytes_ = 0;
  std::map<SessionKey, SharedHead> changed_;
  ClaimWrites writes_;
};

}  // namespace

absl::Duration RetryPause(int32_t attempt, uint64_t random) {
  absl::Duration pause = kFirstPause;
  for (int32_t i = 1; i < attempt && pause < kLongestPause; ++i) pause *= 2;
  const double shift = static_cast<double>(random % 1001) / 1000;  // 0 to 1
  return std::min(pause, kLongestPause) * (0.8 + 0.4 * shift);
}

std::string EventIdOf(const StoredEvent& event) {
  return FromStored<kustom::ipp::v1::SessionEvent>(event.payload).event_id();
}

void Advance(const std::optional<NextEvent>& next, absl::Time now, SharedHead* head) {
  if (head->position != 0 && !head->redriven) head->settled_through = head->position;
  head->position = next ? next->position : 0;
  head->redriven = next && next->redriven;
  head->recorded_at = next ? next->recorded_at : absl::UnixEpoch();
  head->attempts = 0;
  head->lease = 0;
  head->out = false;
  head->leased_until = absl::UnixEpoch();
  head->due_at = now;
  head->first_at = absl::UnixEpoch();
  head->consumer.clear();
  head->last_error.clear();
  head->settled_at = now;
}

ClaimWrites DecideClaim(ClaimReads reads, std::vector<Slot> slots, Random random) {
  return Claim(std::move(reads), std::move(slots), random).Run();
}

bool WouldPark(const SharedHead& head, const Settlement& settlement, const Rules& rules) {
  return settlement.action == Action::kPark ||
         (settlement.action == Action::kRetry && head.attempts >= rules.max_attempts);
}

SettleWrites DecideSettlement(const SessionReads& reads, const Settlement& settlement,
                              const Rules& rules, absl::Time now, Random random) {
  SettleWrites writes;
  if (!reads.head) return writes;
  SharedHead head = *reads.head;
  if (Repeats(head, settlement)) {
    writes.result.outcome = Outcome::kAlreadySettled;
    return writes;
  }
  if (!head.out || head.position != settlement.position || head.lease != settlement.lease) {
    return writes;
  }
  writes.result.outcome = Outcome::kSettled;
  if (WouldPark(head, settlement, rules)) {
    if (!reads.event) return {};  // retention has taken it
    writes.parked = Park(head, *reads.event, settlement.reason, now);
    writes.result.parked = true;
  } else if (settlement.action == Action::kRetry) {
    RememberSettled(&head, GivenUp(head.lease));
    head.out = false;
    head.last_error = settlement.reason;
    head.due_at = now + settlement.delay.value_or(RetryPause(head.attempts, random()));
    writes.head = std::move(head);
    return writes;
  } else if (settlement.action == Action::kRelease) {
    RememberSettled(&head, GivenUp(head.lease));
    head.out = false;
    --head.attempts;
    head.due_at = now;
    writes.head = std::move(head);
    return writes;
  } else if (settlement.action == Action::kExtend) {
    head.leased_until = now + settlement.extend_by;
    head.due_at = head.leased_until + RetryPause(head.attempts, random());
    writes.result = {.outcome = Outcome::kExtended, .expires_at = head.leased_until};
    writes.head = std::move(head);
    return writes;
  } else if (head.redriven) {
    writes.unparked = head.position;
  }
  RememberSettled(&head, writes.parked ? Parked(head.lease) : Acknowledged(head.lease));
  Advance(reads.next, now, &head);
  writes.head = std::move(head);
  return writes;
}

std::optional<SharedHead> DecideRedrive(const std::optional<SharedHead>& head,
                                        const SharedParked& parked, int64_t settled_through,
                                        absl::Time now) {
  if (head && head->position != 0) return std::nullopt;
  SharedHead changed;
  if (head) {
    changed = *head;
  } else {
    changed.merchant_id = parked.event.merchant_id;
    changed.session_id = parked.event.session_id;
    changed.settled_through = settled_through;
  }
  Advance(NextEvent{.position = parked.event.position,
                    .recorded_at = parked.event.recorded_at,
                    .redriven = true},
          now, &changed);
  return changed;
}

}  // namespace ipp::shared
