#pragma once

#include <grpcpp/support/status.h>

#include "absl/status/status.h"

namespace ipp::rpc {

// Converts a rich status to gRPC's form: the code, the message (shortened if it is long), and the
// payloads packed into a google.rpc.Status. If the details are too large for the metadata that a
// gRPC client accepts, the last violations of BadRequest are dropped. A status without ErrorInfo is
// a bug of the gateway: it is logged and becomes INTERNAL / INTERNAL without its message, which
// could contain anything.
grpc::Status ToGrpcStatus(const absl::Status& status);

}  // namespace ipp::rpc
