#include "server/rpc/identity.h"

#include <grpc/grpc_security_constants.h>

#include <chrono>
#include <iterator>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/base/error.h"
#include "server/base/status_macros.h"

namespace ipp::rpc {

namespace {

// gRPC's own limit is higher, because it ends the whole connection.
absl::Status CheckSize(const grpc::CallbackServerContext& context, int64_t most) {
  constexpr int64_t kForEach = 32;  // as HTTP/2 counts (RFC 9113, 6.5.2)
  int64_t bytes = 0;
  for (const auto& [key, value] : context.client_metadata()) {
    bytes += static_cast<int64_t>(key.size() + value.size()) + kForEach;
  }
  if (bytes <= most) return absl::OkStatus();
  return MakeError(absl::StatusCode::kResourceExhausted,
                   absl::StrCat("the call has ", bytes, " bytes of metadata; at most ", most,
                                " are accepted (names, values, and 32 bytes for each)"),
                   {.reason = "METADATA_TOO_LARGE",
                    .metadata = {{"outcome", std::string(OutcomeName(Outcome::kNotSent))},
                                 {"retry_safe", "true"}}});
}

// The value of a metadata key; empty if absent. INVALID_ARGUMENT / METADATA_REPEATED if the key
// occurs more than once: a proxy before the gateway may have checked a different value.
absl::StatusOr<absl::string_view> OnlyMetadata(const grpc::CallbackServerContext& context,
                                               const char* key) {
  const auto [begin, end] = context.client_metadata().equal_range(key);
  if (begin == end) return absl::string_view();
  if (std::next(begin) == end) return absl::string_view(begin->second.data(), begin->second.size());
  return MakeError(absl::StatusCode::kInvalidArgument,
                   absl::StrCat("metadata '", key, "' is given more than once"),
                   {.reason = "METADATA_REPEATED",
                    .metadata = {{"outcome", std::string(OutcomeName(Outcome::kNotSent))},
                                 {"retry_safe", "true"}}});
}

// All values of a metadata key, joined into one list.
std::string JoinedMetadata(const grpc::CallbackServerContext& context, const char* key) {
  std::string joined;
  const auto [begin, end] = context.client_metadata().equal_range(key);
  for (auto it = begin; it != end; ++it) {
    absl::StrAppend(&joined, it == begin ? "" : ",",
                    absl::string_view(it->second.data(), it->second.size()));
  }
  return joined;
}

}  // namespace

// Takes from each kind of name only those that have its form: an authority that may sign DNS names
// only must not be able to produce a URI, or the other way round. E-mail addresses and the common
// name are ignored.
std::vector<std::string> CertificateNames(const grpc::CallbackServerContext& context) {
  std::vector<std::string> names;
  const auto peer = context.auth_context();
  if (peer == nullptr) return names;
  const auto add = [&](const char* kind, bool uri) {
    for (const grpc::string_ref& name : peer->FindPropertyValues(kind)) {
      const absl::string_view text(name.data(), name.size());
      if (absl::StrContains(text, "://") == uri) names.push_back(auth::CertificateName(text));
    }
  };
  add(GRPC_PEER_URI_PROPERTY_NAME, true);
  add(GRPC_PEER_DNS_PROPERTY_NAME, false);
  return names;
}

absl::StatusOr<auth::Caller> Identify(const Backends& backends, const Method& method,
                                      const grpc::CallbackServerContext& context) {
  IPP_RETURN_IF_ERROR(CheckSize(context, backends.options.max_metadata_bytes));
  auth::Evidence evidence;
  IPP_ASSIGN_OR_RETURN(evidence.authorization, OnlyMetadata(context, "authorization"));
  if (backends.options.client_certificates) evidence.certificate_names = CertificateNames(context);
  return backends.callers->Authorize(evidence, method.route->options().permission());
}

TraceContext TraceOf(const grpc::CallbackServerContext& context) {
  // A second header makes the context malformed, as a list in one header would.
  return TraceFrom(JoinedMetadata(context, "traceparent"), JoinedMetadata(context, "tracestate"));
}

absl::StatusOr<upstream::CallContext> ContextOf(const Backends& backends,
                                                const auth::Caller& caller,
                                                const grpc::CallbackServerContext& context,
                                                TraceContext trace) {
  upstream::CallContext result;
  IPP_ASSIGN_OR_RETURN(const absl::string_view asked, OnlyMetadata(context, "x-merchant-id"));
  IPP_ASSIGN_OR_RETURN(result.merchant_id, auth::ChooseMerchant(caller, asked));
  result.trace = std::move(trace);
  result.deadline =
      context.deadline() == std::chrono::system_clock::time_point::max()
          ? backends.clock->Now() + backends.options.default_deadline
          // gRPC's deadline refers to the host's clock, whether it is right or wrong.
          : backends.clock->Now() + (absl::FromChrono(context.deadline()) - backends.clock->Wall());
  return result;
}

}  // namespace ipp::rpc
