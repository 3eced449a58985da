#include "server/shared/work.h"

#include <algorithm>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <utility>

#include "server/base/status_macros.h"

namespace ipp::shared {
namespace {

using store::SessionRange;
using store::SharedView;

// The rows of the log that one claim looks at.
constexpr int kWindow = 256;
// The events of a session that are read at once to find the next one that matches.
constexpr int kSessionPage = 16;
// A session whose `due_at` is further away was put off by a clock that was wrong: longer than the
// longest lease, extension, delay and pause together.
constexpr absl::Duration kLongestWait = absl::Hours(2);
// How often a subscription notes that it is in use.
constexpr absl::Duration kNoteUse = absl::Minutes(1);

SessionKey KeyOf(const SharedHead& head) { return {head.merchant_id, head.session_id}; }

std::map<SessionKey, SharedHead> ByKey(std::vector<SharedHead> heads) {
  std::map<SessionKey, SharedHead> by_key;
  for (SharedHead& head : heads) {
    SessionKey key = KeyOf(head);
    by_key.emplace(std::move(key), std::move(head));
  }
  return by_key;
}

// A subscription and its rows within one transaction.
class Work {
 public:
  // Locks the subscription; null: there is none.
  static absl::StatusOr<std::optional<Work>> Begin(SharedTables& tables, const Target& target) {
    IPP_ASSIGN_OR_RETURN(std::optional<SharedView> view, tables.Lock(target.id));
    if (!view) return std::nullopt;
    return Work(tables, target, *std::move(view));
  }

  const SharedView& view() const { return view_; }
  SharedRecord& record() { return view_.record; }
  absl::Time now() const { return view_.now; }
  bool lost_events() const { return view_.record.read_position + 1 < view_.oldest; }
  uint64_t Random() { return random_(); }

  // The sessions that are due. `*all`: there are no others.
  absl::StatusOr<std::vector<SharedHead>> Due(int limit, bool* all) {
    // The clock was set back: nothing is known of what is due by it.
    const bool back = record().due_floor > now();
    if (back) record().due_floor = absl::UnixEpoch();
    IPP_ASSIGN_OR_RETURN(std::vector<SharedHead> due,
                         tables_.Due(target_.id, record().due_floor, now(), limit));
    if (back && due.size() < static_cast<size_t>(limit)) {
      IPP_ASSIGN_OR_RETURN(std::vector<SharedHead> put_off,
                           tables_.Due(target_.id, now() + kLongestWait, absl::InfiniteFuture(),
                                       limit - static_cast<int>(due.size())));
      for (SharedHead& head : put_off) due.push_back(std::move(head));
    }
    *all = due.size() < static_cast<size_t>(limit);
    return due;
  }

  // The events of `heads`; those that are gone are left out.
  absl::StatusOr<std::map<int64_t, StoredEvent>> EventsOf(const std::vector<SharedHead>& heads) {
    std::vector<int64_t> in_log, parked;
    for (const SharedHead& head : heads) {
      (head.redriven ? parked : in_log).push_back(head.position);
    }
    std::map<int64_t, StoredEvent> events;
    IPP_ASSIGN_OR_RETURN(std::vector<StoredEvent> found, tables_.EventsAt(in_log));
    for (StoredEvent& event : found) events.emplace(event.position, std::move(event));
    IPP_ASSIGN_OR_RETURN(std::vector<SharedParked> kept, tables_.ParkedAt(target_.id, parked));
    for (SharedParked& one : kept) events.emplace(one.event.position, std::move(one.event));
    return events;
  }

  // What follows each of `heads`: an event of the session that is being redriven, or the next one
  // of the log, up to the read position.
  absl::StatusOr<std::map<SessionKey, NextEvent>> NextOf(const std::vector<SharedHead>& heads) {
    std::map<SessionKey, NextEvent> next;
    std::vector<SessionKey> sessions;
    std::map<SessionKey, int64_t> now_redriven;
    for (const SharedHead& head : heads) {
      sessions.push_back(KeyOf(head));
      if (head.redriven) now_redriven[KeyOf(head)] = head.position;
    }
    IPP_ASSIGN_OR_RETURN(const std::vector<SharedParked> waiting,
                         tables_.Redriving(target_.id, sessions));
    for (const SharedParked& one : waiting) {
      SessionKey key(one.event.merchant_id, one.event.session_id);
      const auto current = now_redriven.find(key);
      if (current != now_redriven.end() && current->second == one.event.position) continue;
      next.emplace(std::move(key), NextEvent{.position = one.event.position,
                                             .recorded_at = one.event.recorded_at,
                                             .redriven = true});
    }
    std::vector<SessionRange> ranges;
    for (const SharedHead& head : heads) {
      if (next.contains(KeyOf(head))) continue;
      ranges.push_back({KeyOf(head), head.redriven ? head.settled_through : head.position});
    }
    while (!ranges.empty()) {
      IPP_ASSIGN_OR_RETURN(const std::vector<StoredEvent> events,
                           tables_.EventsOf(ranges, view_.record.read_position, kSessionPage));
      ranges = TakeNext(events, &next);
    }
    return next;
  }

  // Changed heads. None may be due before the floor: where the clock was set back behind it, there
  // is none any more.
  absl::Status PutHeads(std::vector<SharedHead> heads) {
    if (heads.empty()) return absl::OkStatus();
    if (record().due_floor > now()) {
      record().due_floor = absl::UnixEpoch();
      IPP_RETURN_IF_ERROR(tables_.Move(record()));
    }
    for (SharedHead& head : heads) {
      head.due_at = std::max(head.due_at, record().due_floor + absl::Nanoseconds(1));
    }
    return tables_.PutHeads(target_.id, heads);
  }

 private:
  Work(SharedTables& tables, const Target& target, SharedView view)
      : tables_(tables), target_(target), view_(std::move(view)), random_(target.seed) {}

  // Takes the first matching event of each session; returns the ranges that must be read on.
  std::vector<SessionRange> TakeNext(const std::vector<StoredEvent>& events,
                                     std::map<SessionKey, NextEvent>* next) const {
    std::map<SessionKey, std::pair<int, int64_t>> seen;  // how many, and the last position
    for (const StoredEvent& event : events) {
      SessionKey key(event.merchant_id, event.session_id);
      auto& [count, last] = seen[key];
      ++count;
      last = event.position;
      if (!next->contains(key) && target_.matches(event)) {
        next->emplace(std::move(key),
                      NextEvent{.position = event.position, .recorded_at = event.recorded_at});
      }
    }
    std::vector<SessionRange> left;
    for (const auto& [key, of_session] : seen) {
      if (of_session.first == kSessionPage && !next->contains(key)) {
        left.push_back({key, of_session.second});
      }
    }
    return left;
  }

  SharedTables& tables_;
  const Target& target_;
  SharedView view_;
  std::mt19937_64 random_;
};

template <typename Map, typename Key>
auto Lookup(const Map& map, const Key& key) {
  const auto found = map.find(key);
  return found == map.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace

absl::StatusOr<ClaimResult> Claim(SharedTables& tables, const Target& target,
                                  const std::vector<Slot>& slots) {
  ClaimResult result;
  IPP_ASSIGN_OR_RETURN(std::optional<Work> work, Work::Begin(tables, target));
  if (!work) return ClaimResult{.found = Found::kNo};
  if (work->lost_events()) return ClaimResult{.found = Found::kExpired};
  int room = 0;
  for (const Slot& slot : slots) room += slot.free;
  bool all_due = false;
  IPP_ASSIGN_OR_RETURN(const std::vector<SharedHead> due, work->Due(std::max(room, 1), &all_due));
  IPP_ASSIGN_OR_RETURN(auto events, work->EventsOf(due));
  if (events.size() < due.size()) return ClaimResult{.found = Found::kExpired};
  std::vector<SharedHead> last_attempts;
  std::copy_if(due.begin(), due.end(), std::back_inserter(last_attempts),
               [&](const SharedHead& head) { return head.attempts >= target.rules.max_attempts; });
  IPP_ASSIGN_OR_RETURN(const auto next, work->NextOf(last_attempts));

  ClaimReads reads{.now = work->now(),
                   .rules = target.rules,
                   .read_position = work->record().read_position,
                   .due = {},
                   .window = {},
                   .heads = {},
                   .matches = target.matches};
  for (const SharedHead& head : due) {
    reads.due.push_back({head, std::move(events.at(head.position)), Lookup(next, KeyOf(head))});
  }
  if (static_cast<int>(due.size()) < room) {
    IPP_ASSIGN_OR_RETURN(reads.window, tables.EventsAfter(reads.read_position, kWindow));
    std::set<SessionKey> sessions;
    for (const StoredEvent& event : reads.window) {
      if (target.matches(event)) sessions.emplace(event.merchant_id, event.session_id);
    }
    IPP_ASSIGN_OR_RETURN(std::vector<SharedHead> heads,
                         tables.Heads(target.id, {sessions.begin(), sessions.end()}));
    reads.heads = ByKey(std::move(heads));
  }

  const int64_t read_before = reads.read_position;
  ClaimWrites writes = DecideClaim(std::move(reads), slots, [&] { return work->Random(); });
  result.leased = std::move(writes.leased);
  result.expired = writes.expired;
  result.parked = static_cast<int64_t>(writes.parked.size());
  result.more = !writes.parked.empty() || writes.full || !all_due ||
                writes.read_position < work->view().latest;
  if (writes.heads.empty() && writes.read_position == read_before) return result;
  // The floor stays where it is before the heads are written: those that are due now must not be
  // raised beyond it.
  IPP_RETURN_IF_ERROR(work->PutHeads(std::move(writes.heads)));
  IPP_RETURN_IF_ERROR(tables.PutParked(target.id, writes.parked));
  work->record().read_position = writes.read_position;
  work->record().last_used_at = std::max(work->record().last_used_at, work->now());
  if (all_due && !writes.full) work->record().due_floor = work->now() - absl::Nanoseconds(1);
  IPP_RETURN_IF_ERROR(tables.Move(work->record()));
  return result;
}

absl::StatusOr<SettleResult> Settle(SharedTables& tables, const Target& target,
                                    const std::vector<Settlement>& settlements) {
  SettleResult result;
  IPP_ASSIGN_OR_RETURN(std::optional<Work> work, Work::Begin(tables, target));
  if (!work) return SettleResult{.found = Found::kNo};
  std::set<SessionKey> sessions;
  for (const Settlement& settlement : settlements) sessions.insert(settlement.session);
  IPP_ASSIGN_OR_RETURN(std::vector<SharedHead> found,
                       tables.Heads(target.id, {sessions.begin(), sessions.end()}));
  std::map<SessionKey, SharedHead> heads = ByKey(std::move(found));

  // The heads that may leave, and those of them that may have to be parked.
  std::vector<SharedHead> leaving, to_park;
  for (const Settlement& settlement : settlements) {
    const std::optional<SharedHead> head = Lookup(heads, settlement.session);
    if (!head || !head->out || head->lease != settlement.lease) continue;
    const bool parks = WouldPark(*head, settlement, target.rules);
    if (parks) to_park.push_back(*head);
    if (parks || settlement.action == Action::kAcknowledge) leaving.push_back(*head);
  }
  IPP_ASSIGN_OR_RETURN(const auto next, work->NextOf(leaving));
  IPP_ASSIGN_OR_RETURN(const auto events, work->EventsOf(to_park));

  std::map<SessionKey, SharedHead> changed;
  std::vector<SharedParked> parked;
  std::vector<int64_t> unparked;
  for (const Settlement& settlement : settlements) {
    SessionReads reads{.head = Lookup(heads, settlement.session),
                       .event = std::nullopt,
                       .next = Lookup(next, settlement.session)};
    if (reads.head) reads.event = Lookup(events, reads.head->position);
    SettleWrites writes = DecideSettlement(reads, settlement, target.rules, work->now(),
                                           [&] { return work->Random(); });
    result.settled.push_back(writes.result);
    if (writes.parked) parked.push_back(*std::move(writes.parked));
    if (writes.unparked) unparked.push_back(*writes.unparked);
    if (!writes.head) continue;
    heads.insert_or_assign(settlement.session, *writes.head);
    changed.insert_or_assign(settlement.session, *std::move(writes.head));
  }
  // What is reported of an earlier settlement must be durable too, also on a standby: only a commit
  // that writes waits for it.
  if (std::any_of(result.settled.begin(), result.settled.end(), [](const Settled& settled) {
        return settled.outcome == Outcome::kAlreadySettled;
      })) {
    IPP_RETURN_IF_ERROR(tables.Move(work->record()));
  }
  std::vector<SharedHead> put;
  for (auto& [key, head] : changed) put.push_back(std::move(head));
  IPP_RETURN_IF_ERROR(work->PutHeads(std::move(put)));
  IPP_RETURN_IF_ERROR(tables.PutParked(target.id, parked));
  IPP_RETURN_IF_ERROR(tables.RemoveParked(target.id, unparked));
  return result;
}

absl::StatusOr<SkipResult> Resume(SharedTables& tables, const Target& target, bool skip) {
  IPP_ASSIGN_OR_RETURN(std::optional<Work> work, Work::Begin(tables, target));
  if (!work) return SkipResult{.found = Found::kNo};
  SharedRecord& record = work->record();
  IPP_ASSIGN_OR_RETURN(std::vector<SharedHead> gone,
                       tables.HeadsBefore(target.id, work->view().oldest));
  const bool lost = work->lost_events() || !gone.empty();
  if (lost && !skip) return SkipResult{.found = Found::kExpired};
  const bool note_use = work->now() - record.last_used_at >= kNoteUse;
  if (!lost && !note_use) return SkipResult();
  record.read_position = std::max(record.read_position, work->view().oldest - 1);
  record.last_used_at = std::max(record.last_used_at, work->now());
  IPP_ASSIGN_OR_RETURN(const auto next, work->NextOf(gone));
  for (SharedHead& head : gone) Advance(Lookup(next, KeyOf(head)), work->now(), &head);
  IPP_RETURN_IF_ERROR(work->PutHeads(std::move(gone)));
  IPP_RETURN_IF_ERROR(tables.Move(record));
  return SkipResult{.skipped = lost};
}

absl::StatusOr<CreateResult> Create(SharedTables& tables, SharedRecord record, int max_per_caller) {
  IPP_ASSIGN_OR_RETURN(std::vector<SharedRecord> others, tables.List(record.caller));
  for (SharedRecord& other : others) {
    if (other.name == record.name) return CreateResult{.record = std::move(other), .existed = true};
  }
  if (static_cast<int>(others.size()) >= max_per_caller) {
    return CreateResult{.record = {}, .too_many = true};
  }
  record.created_at = record.last_used_at = tables.now();
  IPP_RETURN_IF_ERROR(tables.Insert(record));
  return CreateResult{.record = std::move(record)};
}

absl::StatusOr<ParkedResult> Redrive(SharedTables& tables, const Target& target,
                                     const ParkedChoice& choice) {
  IPP_ASSIGN_OR_RETURN(std::optional<Work> work, Work::Begin(tables, target));
  if (!work) return ParkedResult{.found = Found::kNo};
  IPP_ASSIGN_OR_RETURN(std::vector<SharedParked> parked,
                       tables.ParkedBy(target.id, choice.event_ids, choice.limit));
  std::set<SessionKey> sessions;
  for (SharedParked& one : parked) {
    one.redriving = true;
    sessions.emplace(one.event.merchant_id, one.event.session_id);
  }
  IPP_ASSIGN_OR_RETURN(std::vector<SharedHead> found,
                       tables.Heads(target.id, {sessions.begin(), sessions.end()}));
  std::map<SessionKey, SharedHead> heads = ByKey(std::move(found));
  std::vector<SharedHead> changed;
  for (const SharedParked& one : parked) {  // in the order of the log
    SessionKey key(one.event.merchant_id, one.event.session_id);
    std::optional<SharedHead> head =
        DecideRedrive(Lookup(heads, key), one, work->record().read_position, work->now());
    if (!head) continue;
    changed.push_back(*head);
    heads.insert_or_assign(std::move(key), *std::move(head));
  }
  IPP_RETURN_IF_ERROR(tables.PutParked(target.id, parked));
  IPP_RETURN_IF_ERROR(work->PutHeads(std::move(changed)));
  return ParkedResult{.count = static_cast<int64_t>(parked.size()),
                      .more = parked.size() == static_cast<size_t>(choice.limit)};
}

absl::StatusOr<ParkedResult> DeleteParked(SharedTables& tables, int64_t id,
                                          const ParkedChoice& choice) {
  IPP_ASSIGN_OR_RETURN(const auto view, tables.Lock(id));
  if (!view) return ParkedResult{.found = Found::kNo};
  IPP_ASSIGN_OR_RETURN(const std::vector<SharedParked> parked,
                       tables.ParkedBy(id, choice.event_ids, choice.limit));
  std::vector<int64_t> positions;
  for (const SharedParked& one : parked) positions.push_back(one.event.position);
  IPP_RETURN_IF_ERROR(tables.RemoveParked(id, positions));
  return ParkedResult{.count = static_cast<int64_t>(parked.size()),
                      .more = parked.size() == static_cast<size_t>(choice.limit)};
}

}  // namespace ipp::shared
