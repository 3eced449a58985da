#include "server/rpc/identity.h"

#include <chrono>

#include "server/base/status_macros.h"

namespace ipp::rpc {

absl::string_view MetadataValue(const grpc::CallbackServerContext& context, const char* key) {
  const auto it = context.client_metadata().find(key);
  if (it == context.client_metadata().end()) return {};
  return {it->second.data(), it->second.size()};
}

absl::StatusOr<auth::Caller> Identify(const Gateway& gateway, const Method& method,
                                      const grpc::CallbackServerContext& context) {
  return gateway.callers->Authorize(MetadataValue(context, "authorization"),
                                    method.route->options().permission());
}

absl::StatusOr<upstream::CallContext> ContextOf(const Gateway& gateway, const auth::Caller& caller,
                                                const grpc::CallbackServerContext& context) {
  upstream::CallContext result;
  IPP_ASSIGN_OR_RETURN(result.merchant_id,
                       auth::ChooseMerchant(caller, MetadataValue(context, "x-merchant-id")));
  result.traceparent = std::string(MetadataValue(context, "traceparent"));
  result.deadline = context.deadline() == std::chrono::system_clock::time_point::max()
                        ? gateway.clock->Now() + gateway.options.default_deadline
                        : absl::FromChrono(context.deadline());
  return result;
}

}  // namespace ipp::rpc
