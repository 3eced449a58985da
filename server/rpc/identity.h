#pragma once

#include <grpcpp/server_context.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "server/auth/caller_table.h"
#include "server/base/trace_context.h"
#include "server/rpc/backends.h"
#include "server/rpc/method_table.h"

namespace ipp::rpc {

// Identifies the caller by token and client certificate, and checks the permission for `method`.
// RESOURCE_EXHAUSTED / METADATA_TOO_LARGE if the call has more metadata than is accepted;
// INVALID_ARGUMENT / METADATA_REPEATED if there is more than one token; the errors of
// auth/caller_table.h.
absl::StatusOr<auth::Caller> Identify(const Backends& backends, const Method& method,
                                      const grpc::CallbackServerContext& context);

// The URI and DNS names in the client certificate, which the TLS layer has verified; empty without
// a certificate. In the form of auth::CertificateName.
std::vector<std::string> CertificateNames(const grpc::CallbackServerContext& context);

// The trace of the caller, or a new one (server/base/trace_context.h).
TraceContext TraceOf(const grpc::CallbackServerContext& context);

// The merchant that the caller chose, and the caller's deadline or the default one.
// INVALID_ARGUMENT / METADATA_REPEATED if the call names more than one merchant; the errors of
// auth/caller_table.h.
absl::StatusOr<upstream::CallContext> ContextOf(const Backends& backends,
                                                const auth::Caller& caller,
                                                const grpc::CallbackServerContext& context,
                                                TraceContext trace);

}  // namespace ipp::rpc
