#pragma once

#include "absl/status/status.h"
#include "server/base/error.h"

namespace ipp::store {

// What a caller of the gateway is told when the store could not answer. The store's own words stay
// with the operator: they may name files and hosts.
inline absl::Status ForCallers(const absl::Status& status) {
  // The call itself is what cannot be kept: it fails at every try.
  if (absl::IsInvalidArgument(status)) {
    return MakeError(status.code(), status.message(),
                     {.reason = "INVALID_REQUEST", .metadata = {{"retry_safe", "false"}}});
  }
  return MakeError(status.code(), "the gateway's store cannot answer now",
                   {.reason = "STORE_UNAVAILABLE", .metadata = {{"retry_safe", "true"}}});
}

}  // namespace ipp::store
