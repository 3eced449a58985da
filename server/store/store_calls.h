#pragma once

#include <utility>
#include <variant>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "server/store/store.h"

// What waits in a store's queues, and what callers are told.
namespace ipp::store {

inline absl::Status QueueFull() {
  return absl::ResourceExhaustedError("the store's queue is full");
}
inline absl::Status Closing() { return absl::CancelledError("the store is being closed"); }

// What one transaction did wrong by itself: says nothing against the store, and it fails alone.
inline bool IsItsOwn(const absl::Status& status) {
  return absl::IsAlreadyExists(status) || absl::IsInvalidArgument(status);
}

// What callers see of an error: what is wrong with one transaction as it is, all else UNAVAILABLE.
// The database's own words are for the operator.
inline absl::Status ForCaller(const absl::Status& status) {
  if (absl::IsInvalidArgument(status)) {
    for (const absl::string_view database : {"postgresql: ", "sqlite: "}) {
      if (absl::StartsWith(status.message(), database)) {
        return absl::InvalidArgumentError("the database refuses what it holds");
      }
    }
    return status;
  }
  if (status.ok() || absl::IsAlreadyExists(status) || absl::IsNotFound(status)) return status;
  return absl::UnavailableError(absl::StrCat("the store cannot be used now: ", status.message()));
}

struct CommitCall {
  Transaction transaction;
  absl::AnyInvocable<void(absl::StatusOr<Committed>) &&> done;
};
struct LeaseCall {
  Lease lease;
  absl::AnyInvocable<void(absl::StatusOr<std::vector<SessionRecord>>) &&> done;
};
struct OrphanCall {
  Orphans which;
  absl::AnyInvocable<void(absl::StatusOr<std::vector<IntentRecord>>) &&> done;
};
struct EpochCall {
  NewEpoch epoch;
  absl::AnyInvocable<void(absl::StatusOr<LogBounds>) &&> done;
};
using WriteCall = std::variant<CommitCall, LeaseCall, OrphanCall, EpochCall>;

inline void Refuse(WriteCall& write, const absl::Status& status) {
  std::visit([&](auto& call) { std::move(call.done)(status); }, write);
}

}  // namespace ipp::store
