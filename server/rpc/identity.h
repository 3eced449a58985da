#pragma once

#include <grpcpp/server_context.h>

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "server/auth/caller_table.h"
#include "server/base/trace_context.h"
#include "server/rpc/backends.h"
#include "server/rpc/method_table.h"

namespace ipp::rpc {

// Who calls, by token and client certificate. INVALID_ARGUMENT / METADATA_REPEATED for a second
// token; the errors of auth/caller_table.h.
absl::StatusOr<auth::Caller> Identify(const Backends& backends, const Method& method,
                                      const grpc::CallbackServerContext& context);

// The trace that the caller's call is a part of, or a new one (server/base/trace_context.h).
TraceContext TraceOf(const grpc::CallbackServerContext& context);

// For whom and how long: the merchant that the caller chose, the caller's deadline or the default.
// INVALID_ARGUMENT / METADATA_REPEATED when it names two; the errors of auth/caller_table.h.
absl::StatusOr<upstream::CallContext> ContextOf(const Backends& backends,
                                                const auth::Caller& caller,
                                                const grpc::CallbackServerContext& context,
                                                TraceContext trace);

}  // namespace ipp::rpc
