#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "server/base/trace_context.h"

namespace ipp::store {

// What is known of a create. Databases store the numbers: never change them.
enum class IntentState {
  kUnderWay = 1,  // reserved; it is being sent, or its answer is being recorded
  kNotSent = 2,   // no byte was sent; the same id may be sent again
  kRejected = 3,  // the upstream refused the request
  kExecuted = 4,  // the upstream executed the request
  kUnknown = 5,   // the upstream may or may not have executed it
};
inline constexpr IntentState kIntentStates[] = {IntentState::kUnderWay, IntentState::kNotSent,
                                                IntentState::kRejected, IntentState::kExecuted,
                                                IntentState::kUnknown};

// A create, known by the request_id that the caller (or the gateway) gave it. It is stored before
// it is sent, and then updated with its outcome.
struct IntentRecord {
  int64_t id = 0;  // 1, 2, 3 … in order of creation, possibly with gaps; set by the store
  std::string merchant_id;
  std::string request_id;  // unique for the merchant
  std::string rpc;         // "CreateSession"
  std::string caller;
  TraceContext trace;   // of the call for which it was last sent, or will be
  std::string request;  // the caller's message without its request_id, serialized deterministically
  IntentState state = IntentState::kUnderWay;
  std::string owner;           // kUnderWay: the attempt that is sending it
  absl::Time under_way_until;  // kUnderWay: after this the owner is presumed dead
  absl::Time settle_by;    // kUnderWay, kUnknown: until when its session may still be discovered
  std::string answer;      // kExecuted: the response; kRejected: a google.rpc.Status; serialized
  std::string session_id;  // kExecuted, of CreateSession
  absl::Time created_at;
  absl::Time updated_at;
  // Reduced to a tombstone (store/retention.h): `request` is a digest, `answer` is empty.
  bool trimmed = false;
};

// Names a create: merchant_id, request_id.
using IntentKey = std::pair<std::string, std::string>;

// A query for creates; the result is ordered newest first.
struct IntentQuery {
  std::vector<std::string> merchant_ids = {};  // only of these
  std::vector<IntentState> states = {};        // only in one of these states; empty: in any
  int64_t before_id = 0;  // only creates older than this one; 0: from the newest
  int limit = 100;
};

// Which creates Store::OrphanIntents takes from owners that have died.
struct Orphans {
  absl::Time now;
  // Take the kUnderWay creates whose `under_way_until` is before this; InfiniteFuture takes all
  // that are kUnderWay.
  absl::Time under_way_before;
  int limit = 100;
};

struct IntentCounts {
  int64_t under_way = 0;
  int64_t unknown = 0;
  absl::Time oldest_unknown = absl::InfiniteFuture();  // creation time of the oldest kUnknown
};

}  // namespace ipp::store
