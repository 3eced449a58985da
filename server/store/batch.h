#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "server/store/store.h"

// Combines many transactions into one: which keys they read, what they decide in memory, one after
// another, and what is written. Pure; no database here.
namespace ipp::store {

// The keys that a batch reads, each once.
struct BatchKeys {
  std::set<std::string> dedup_keys;
  std::set<SessionKey> sessions;
  std::set<IntentKey> intents;
  std::set<std::string> ask_creating;  // merchants
  std::set<IntentKey> ask_created;     // sessions, by the create that made them
};
BatchKeys KeysOf(absl::Span<const Transaction* const> batch);

// What was read for a batch.
struct BatchReads {
  int64_t last_position = 0;
  absl::Time last_recorded_at;
  std::set<std::string> seen = {};
  std::map<SessionKey, SessionRecord> sessions = {};
  int64_t last_intent = 0;
  std::map<IntentKey, IntentRecord> intents = {};
  std::map<IntentKey, SessionRecord> created = {};  // for `ask_created`
  // The merchants of `ask_creating` that have a create which may be under way and is not one of
  // `BatchKeys::intents`. Decide() follows those that are, as the batch changes them.
  std::set<std::string> creating = {};
};

// The log ends before a position that this replica has seen: events are lost.
struct LogLoss {
  int64_t last_position = 0;  // of the log, before the batch
  int64_t known_epoch = 0;    // the sequence of the last epoch that this replica knows
};

// The result of a batch. `recorded_at` also stamps the dedup keys.
struct BatchWrites {
  // Then the batch also begins an epoch (log_bounds.h).
  std::optional<LogLoss> loss;
  absl::Time recorded_at;
  std::vector<std::string> seen;
  std::map<SessionKey, SessionRecord> sessions;  // each once, in its final state
  std::map<IntentKey, IntentRecord> intents;     // each once, in its final state
  int64_t last_intent = 0;
  std::vector<StoredEvent> events;
  std::vector<AskedCancel> cancels;
  int64_t last_position = 0;
  std::vector<Committed> committed;
};

// Runs the transactions in their order; each sees what those before it wrote.
//
// An error of a batch of several means that they must be committed one at a time. ALREADY_EXISTS: a
// session gave up its request id, and another of the batch may have taken it, which one statement
// cannot write. INVALID_ARGUMENT: a transaction exceeds a limit (keepable.h) or writes an intent
// other than the one it read, or the whole batch is too large for one message to the server.
absl::StatusOr<BatchWrites> Decide(absl::Span<const Transaction* const> batch, BatchReads reads,
                                   absl::Time now);

}  // namespace ipp::store
