#pragma once

#include "absl/status/status.h"
#include "server/base/error.h"

namespace ipp::store {

// The error that a caller of the gateway gets when the store could not answer. The store's own text
// is for the operator only: it may contain names of files and hosts.
inline absl::Status ForCallers(const absl::Status& status) {
  // The request itself cannot be stored: it fails at every attempt.
  if (absl::IsInvalidArgument(status)) {
    return MakeError(status.code(), status.message(),
                     {.reason = "INVALID_REQUEST", .metadata = {{"retry_safe", "false"}}});
  }
  return MakeError(status.code(), "the gateway's store cannot answer now",
                   {.reason = "STORE_UNAVAILABLE", .metadata = {{"retry_safe", "true"}}});
}

}  // namespace ipp::store
