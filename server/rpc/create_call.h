#pragma once

#include <string>

#include "server/rpc/unary_call.h"
#include "server/upstream/traceparent.h"

namespace ipp::rpc {

// Names a creation after the caller's request_id, or after a new one.
template <typename Request>
void NameCreation(UnaryCall* call, const Request& request) {
  call->NameRequest(request.request_id().empty() ? upstream::NewUuid() : request.request_id());
}

// The work of a creation that is one REST call.
template <typename Request, typename Response>
void Create(UnaryCall* call, const Request& request, Response* response) {
  NameCreation(call, request);
  Forward(call, request, response);
}

}  // namespace ipp::rpc
