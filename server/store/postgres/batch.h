#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "server/store/store.h"

// Many transactions as one: what they need read at once, what they decide in memory, one after
// another, what they write at once. No database here.
namespace ipp::store {

using SessionKey = std::pair<std::string, std::string>;  // merchant, session
using IntentKey = std::pair<std::string, std::string>;   // merchant, request

// What a batch must read, each once.
struct BatchKeys {
  std::set<std::string> dedup_keys;
  std::set<SessionKey> sessions;
  std::set<IntentKey> intents;
  std::set<std::string> ask_creating;  // merchants
  std::set<IntentKey> ask_created;     // sessions by the create that made them
};
BatchKeys KeysOf(absl::Span<const Transaction* const> batch);

// What was found.
struct BatchReads {
  int64_t last_position = 0;
  absl::Time last_recorded_at;
  std::set<std::string> seen;
  std::map<SessionKey, SessionRecord> sessions;
  int64_t last_intent = 0;
  std::map<IntentKey, IntentRecord> intents;
  std::map<IntentKey, SessionRecord> created;  // of `ask_created`
  // Those of `ask_creating` for whom a create may be under way that is not one of the keys: what
  // becomes of those within the batch shows in it.
  std::set<std::string> creating;
};

// What comes of it. `recorded_at` is also when the keys were seen.
struct BatchWrites {
  absl::Time recorded_at;
  std::vector<std::string> seen;
  std::map<SessionKey, SessionRecord> sessions;  // each once, as the last of the batch left it
  std::map<IntentKey, IntentRecord> intents;     // likewise
  int64_t last_intent = 0;
  std::vector<StoredEvent> events;
  int64_t last_position = 0;
  std::vector<Committed> committed;
};

// Runs the transactions in their order, so that each sees what those before it wrote.
// ALREADY_EXISTS when they cannot be told apart any more once they are one: a request id given up
// and perhaps taken by another within the batch. Then they must be tried one by one.
// INVALID_ARGUMENT when one writes an intent other than the one it asked for.
absl::StatusOr<BatchWrites> Decide(absl::Span<const Transaction* const> batch, BatchReads reads,
                                   absl::Time now);

}  // namespace ipp::store
