#include "client/retry.h"

#include <algorithm>

namespace ipp::client {

absl::Duration Backoff::Next(double chance) {
  absl::Duration limit = first_;
  for (int i = 0; i < failures_ && limit < longest_; ++i) limit *= 2;
  limit = std::min(limit, longest_);
  ++failures_;
  return limit / 2 + limit / 2 * chance;
}

bool RetryHeals(grpc::StatusCode code) {
  switch (code) {
    case grpc::StatusCode::INVALID_ARGUMENT:
    case grpc::StatusCode::PERMISSION_DENIED:
    case grpc::StatusCode::UNAUTHENTICATED:
    case grpc::StatusCode::NOT_FOUND:
    case grpc::StatusCode::UNIMPLEMENTED:
      return false;
    default:
      return true;  // also OK: a stream that ends before it should was cut
  }
}

}  // namespace ipp::client
