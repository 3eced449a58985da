#pragma once

#include <optional>
#include <string>

#include "absl/time/time.h"
#include "server/store/store.h"

// Creates, and transactions over them, for tests.
namespace ipp::store::contract {

inline IntentRecord Intent(absl::Time now, const std::string& request_id,
                           IntentState state = IntentState::kUnderWay) {
  IntentRecord intent;
  intent.merchant_id = "PM1";
  intent.request_id = request_id;
  intent.rpc = "CreateSession";
  intent.state = state;
  intent.created_at = intent.updated_at = now;
  intent.under_way_until = now + absl::Seconds(30);
  intent.settle_by = now + absl::Minutes(10);
  return intent;
}

// Writes it whatever is there; `seen` gets what was.
inline Transaction PutIntent(const IntentRecord& intent,
                             std::optional<IntentRecord>* seen = nullptr) {
  Transaction transaction;
  transaction.merchant_id = intent.merchant_id;
  transaction.request_id = intent.request_id;
  transaction.decide = [intent, seen](const Snapshot& snapshot) {
    if (seen != nullptr) *seen = snapshot.intent;
    return Writes{.session = {}, .events = {}, .intent = intent};
  };
  return transaction;
}

inline Transaction AskCreating(bool* creating, const std::string& merchant_id = "PM1") {
  Transaction transaction;
  transaction.merchant_id = merchant_id;
  transaction.ask_creating = true;
  transaction.decide = [creating](const Snapshot& snapshot) {
    *creating = snapshot.creating;
    return Writes{};
  };
  return transaction;
}

}  // namespace ipp::store::contract
