#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "server/base/trace_context.h"

namespace ipp::store {

// What is known of a create. The numbers are in databases.
enum class IntentState {
  kUnderWay = 1,  // written down before it leaves; being sent, or answered just now
  kNotSent = 2,   // no byte of it left: it may be sent under the same id
  kRejected = 3,  // the upstream refused it
  kExecuted = 4,  // the upstream did it
  kUnknown = 5,   // it may or may not have been done
};

// A create, by the id that its caller (or the gateway) gave it: written down before it is sent,
// then what became of it.
struct IntentRecord {
  int64_t id = 0;  // 1, 2, 3 … in the order of creation, not without gaps; set by the store
  std::string merchant_id;
  std::string request_id;  // unique for the merchant
  std::string rpc;         // "CreateSession"
  std::string caller;
  TraceContext trace;   // of the call that it was last sent for, or will be
  std::string request;  // the caller's message without its request_id, serialized deterministically
  IntentState state = IntentState::kUnderWay;
  std::string owner;           // kUnderWay: the process that is at it
  absl::Time under_way_until;  // kUnderWay: later than this nobody is at it any more
  absl::Time settle_by;        // kUnderWay, kUnknown: until when the session may still turn up
  std::string answer;      // kExecuted: the response; kRejected: a google.rpc.Status; serialized
  std::string session_id;  // kExecuted, of CreateSession
  absl::Time created_at;
  absl::Time updated_at;
  // Only its end is left (store/retention.h): `request` is a digest, `answer` is empty.
  bool trimmed = false;
};

// A wish for creates, the newest first.
struct IntentQuery {
  std::vector<std::string> merchant_ids = {};  // of these
  std::vector<IntentState> states = {};        // in one of these; empty: in any
  int64_t before_id = 0;                       // older than this one; 0: from the newest on
  int limit = 100;
};

// Creates whose owner has died.
struct Orphans {
  absl::Time now;
  // Those that nobody can be at any more after this; later than any time: all that are kUnderWay.
  absl::Time under_way_before;
  int limit = 100;
};

struct IntentCounts {
  int64_t under_way = 0;
  int64_t unknown = 0;
  absl::Time oldest_unknown = absl::InfiniteFuture();  // when it was created
};

}  // namespace ipp::store
