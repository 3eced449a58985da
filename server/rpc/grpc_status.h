#pragma once

#include <grpcpp/support/status.h>

#include "absl/status/status.h"

namespace ipp::rpc {

// Code and message as they are; the payloads packed into a google.rpc.Status, of the violations
// as many as a caller's gRPC takes. A status that nobody
// made rich (a fault of ours) becomes INTERNAL / INTERNAL with its message kept out: it may hold
// anything.
grpc::Status ToGrpcStatus(const absl::Status& status);

}  // namespace ipp::rpc
