#pragma once

#include <any>
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

// The calls that wait in a store's queues, and the errors that callers get.
namespace ipp::store {

inline absl::Status QueueFull() {
  return absl::ResourceExhaustedError("the store's queue is full");
}
inline absl::Status Closing() { return absl::CancelledError("the store is being closed"); }

// Whether the error is that of one transaction alone. It then says nothing about the health of the
// store, and the other transactions of its batch are tried without it.
inline bool IsItsOwn(const absl::Status& status) {
  return absl::IsAlreadyExists(status) || absl::IsInvalidArgument(status);
}

// The status that callers get: the errors of one transaction unchanged, everything else as
// UNAVAILABLE. The database's own text is for the operator.
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

template <typename T>
absl::StatusOr<T> ResultForCaller(absl::StatusOr<T> result) {
  if (result.ok()) return result;
  return ForCaller(result.status());
}

struct CommitCall {
  Transaction transaction;
  Done<Committed> done;
};
struct LeaseCall {
  Lease lease;
  Done<std::vector<SessionRecord>> done;
};
struct OrphanCall {
  Orphans which;
  Done<std::vector<IntentRecord>> done;
};
struct EpochCall {
  NewEpoch epoch;
  Done<LogBounds> done;
};
struct SharedCall {
  SharedChange change;
  Done<std::any> done;
};
using WriteCall = std::variant<CommitCall, LeaseCall, OrphanCall, EpochCall, SharedCall>;

}  // namespace ipp::store
