#pragma once

#include <grpcpp/grpcpp.h>

#include <string>

namespace ipp {

// Debian 12's and 13's gRPC, the one that is supported. What another one says and does in its own
// words is expected of 1.83, the newest that the tests have run with.
inline bool IsGrpc151() { return grpc::Version().starts_with("1.51."); }

// What a request that cannot be parsed ends with: UNIMPLEMENTED, later INTERNAL.
inline grpc::StatusCode CodeOfRequestThatIsNone() {
  return IsGrpc151() ? grpc::StatusCode::UNIMPLEMENTED : grpc::StatusCode::INTERNAL;
}

}  // namespace ipp
