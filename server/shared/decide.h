#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/time/time.h"
#include "server/store/shared_tables.h"

// What happens to the sessions of a shared subscription: which events are leased, and what a
// settlement does. Pure functions of what was read; no database, no clock, no random numbers here.
//
// A session is idle, out or held. Its events are delivered one after another, in the order of the
// log: the first that is not settled is its head, the others wait in the log. An event leaves its
// session in one of two ways: it is acknowledged, or it is parked. Then the next one is the head.
namespace ipp::shared {

using store::SessionKey;
using store::SharedHead;
using store::SharedParked;
using store::StoredEvent;

struct Rules {
  absl::Duration lease = absl::Seconds(30);
  int32_t max_attempts = 10;
};

// Random bits for one decision.
using Random = absl::FunctionRef<uint64_t()>;

// The reason of an event that was parked because its last lease expired.
inline constexpr char kLeaseExpired[] = "lease expired";
// How many settled leases of a session are remembered.
inline constexpr size_t kSettledLeases = 16;

// The pause after attempt 1, 2, …: 1 s, 2 s, 4 s, at most 5 min, give or take a fifth.
absl::Duration RetryPause(int32_t attempt, uint64_t random);

// The event that follows in a session.
struct NextEvent {
  int64_t position = 0;
  absl::Time recorded_at;
  bool redriven = false;
};

// ---- Claims: what is leased now. ----

// A stream that has room.
struct Slot {
  std::string consumer;
  int free = 0;
};

// A session that may be leased (again).
struct DueSession {
  SharedHead head;
  StoredEvent event;              // of the head
  std::optional<NextEvent> next;  // what follows the head
};

struct ClaimReads {
  absl::Time now;
  Rules rules;
  int64_t read_position = 0;
  std::vector<DueSession> due;
  // The log after the read position, and the rows of its sessions.
  std::vector<StoredEvent> window;
  std::map<SessionKey, SharedHead> heads;
  std::function<bool(const StoredEvent&)> matches;
};

struct Leased {
  size_t slot = 0;
  SharedHead head;  // with the lease
  StoredEvent event;
};

struct ClaimWrites {
  int64_t read_position = 0;
  std::vector<SharedHead> heads;  // each session once
  std::vector<SharedParked> parked;
  std::vector<Leased> leased;
  int64_t expired = 0;  // leases that ended without a settlement
  bool full = false;    // no slot was left for an event
};

// `slots` in no order: each event goes to the one that has most room.
ClaimWrites DecideClaim(ClaimReads reads, std::vector<Slot> slots, Random random);

// ---- Settlements. ----

enum class Action { kAcknowledge, kRetry, kPark, kExtend, kRelease };
inline constexpr Action kActions[] = {Action::kAcknowledge, Action::kRetry, Action::kPark,
                                      Action::kExtend, Action::kRelease};

struct Settlement {
  SessionKey session;
  int64_t position = 0;
  uint64_t lease = 0;
  Action action = Action::kAcknowledge;
  std::optional<absl::Duration> delay = std::nullopt;  // kRetry; absent: RetryPause
  absl::Duration extend_by = absl::ZeroDuration();     // kExtend
  std::string reason = {};                             // kRetry, kPark
};

// The numbers are those of kustom.ipp.v1.SettlementOutcome.
enum class Outcome { kSettled = 1, kExtended = 2, kAlreadySettled = 3, kLeaseLost = 4 };

struct Settled {
  Outcome outcome = Outcome::kLeaseLost;
  absl::Time expires_at = absl::UnixEpoch();  // kExtended
  bool parked = false;
};

// What is known of the session of a settlement.
struct SessionReads {
  std::optional<SharedHead> head;
  std::optional<StoredEvent> event;  // of the head; only asked for if it may have to be parked
  std::optional<NextEvent> next;     // what follows the head
};

// What one settlement writes.
struct SettleWrites {
  Settled result;
  std::optional<SharedHead> head;      // as it is then
  std::optional<SharedParked> parked;  // to be added, or changed
  std::optional<int64_t> unparked;     // a redriven event that is done
};

// Whether the settlement parks the event of `head` if it counts.
bool WouldPark(const SharedHead& head, const Settlement& settlement, const Rules& rules);
SettleWrites DecideSettlement(const SessionReads& reads, const Settlement& settlement,
                              const Rules& rules, absl::Time now, Random random);

// ---- Redrives. ----

// Makes `parked`, which is marked as redriving, the head of its session if nothing of it is out or
// held. nullopt: it has to wait. `settled_through`: for a session without a row.
std::optional<SharedHead> DecideRedrive(const std::optional<SharedHead>& head,
                                        const SharedParked& parked, int64_t settled_through,
                                        absl::Time now);

// Goes on with what follows the head, after the head was settled or parked.
void Advance(const std::optional<NextEvent>& next, absl::Time now, SharedHead* head);

// `event_id` of a stored event.
std::string EventIdOf(const StoredEvent& event);

}  // namespace ipp::shared
