#pragma once

#include <grpcpp/grpcpp.h>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "server/base/error.h"

namespace ipp::rpc {

// Makes gRPC's form of an error: the code, the message (shortened if it is long), and the detail
// packed into a google.rpc.Status. If that is too large for the metadata that a gRPC client
// accepts, the last violations are dropped. An error without a reason is a bug of the gateway: it
// is logged and becomes INTERNAL / INTERNAL without its message, which could contain anything.
grpc::Status ToGrpcStatus(absl::StatusCode code, absl::string_view message,
                          const ErrorDetail& detail);

// Keeps gRPC's own retries away from an error that says when to come back: they know nothing of
// RetryInfo, and would be too early. Those who read the detail may repeat the call. Call it before
// the call's end. Source: gRFC A6, "Pushback".
void ForbidBlindRetries(const ErrorDetail& detail, grpc::CallbackServerContext* context);

}  // namespace ipp::rpc
