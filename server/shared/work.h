#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/shared/decide.h"
#include "server/store/shared_tables.h"

// The changes of shared subscriptions as transactions: each reads rows, decides (decide.h), and
// writes. They run on the store's writer thread (store::SharedChange).
namespace ipp::shared {

using store::SharedRecord;
using store::SharedTables;
using Matches = std::function<bool(const StoredEvent&)>;

// What every change must know of its subscription.
struct Target {
  int64_t id = 0;
  Rules rules;
  Matches matches;
  // The start of the random numbers of one change. A change that is tried again gets the same.
  uint64_t seed = 0;
};

// Whether the subscription is there, and its place in the log, too.
enum class Found {
  kYes,
  kNo,       // it was deleted
  kExpired,  // retention has removed events that it has not delivered
};

struct ClaimResult {
  Found found = Found::kYes;
  std::vector<Leased> leased = {};
  // More may be leased at once, if there is room.
  bool more = false;
  int64_t expired = 0;  // leases that ended without a settlement
  int64_t parked = 0;
};
absl::StatusOr<ClaimResult> Claim(SharedTables& tables, const Target& target,
                                  const std::vector<Slot>& slots);

struct SettleResult {
  Found found = Found::kYes;
  std::vector<Settled> settled = {};  // one for each settlement, in their order
};
absl::StatusOr<SettleResult> Settle(SharedTables& tables, const Target& target,
                                    const std::vector<Settlement>& settlements);

// Whether something was skipped. The subscription then continues with the oldest events that are
// kept.
struct SkipResult {
  Found found = Found::kYes;
  bool skipped = false;
};
// Checks that every event that is not settled is still there. If one is not: kExpired, or with
// `skip` what is gone is passed over.
absl::StatusOr<SkipResult> Resume(SharedTables& tables, const Target& target, bool skip);

struct CreateResult {
  SharedRecord record;    // as it is stored
  bool existed = false;   // one with this name was there: `record` is that one
  bool too_many = false;  // nothing was made
};
// `record` without its times.
absl::StatusOr<CreateResult> Create(SharedTables& tables, SharedRecord record, int max_per_caller);

// Which parked events.
struct ParkedChoice {
  std::vector<std::string> event_ids = {};  // empty: all
  int limit = 1000;
};
struct ParkedResult {
  Found found = Found::kYes;
  int64_t count = 0;
  bool more = false;  // the limit was reached
};
absl::StatusOr<ParkedResult> Redrive(SharedTables& tables, const Target& target,
                                     const ParkedChoice& choice);
absl::StatusOr<ParkedResult> DeleteParked(SharedTables& tables, int64_t id,
                                          const ParkedChoice& choice);

}  // namespace ipp::shared
