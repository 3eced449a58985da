#pragma once

#include <utility>

#include "server/creates/create_flow.h"
#include "server/rpc/unary_call.h"

namespace ipp::rpc {

// Serves an RPC that creates a resource: runs creates::CreateOnce for this call.
inline void CreateWork(UnaryCall* call, const upstream::CallContext& context,
                       const google::protobuf::Message& request,
                       google::protobuf::Message* response, creates::CreateShape shape) {
  creates::CreateOnce(call->service().create_tools(),
                      {.call = call,
                       .route = &call->route(),
                       .context = context,
                       .id = call->create_id(context.merchant_id),
                       .caller = call->caller().name,
                       .request = &request,
                       .response = response},
                      std::move(shape));
}

// The same, for a create whose request is sent unchanged.
inline void CreateWork(UnaryCall* call, const google::protobuf::Message& request,
                       google::protobuf::Message* response) {
  if (const auto context = call->Upstream()) CreateWork(call, *context, request, response, {});
}

}  // namespace ipp::rpc
