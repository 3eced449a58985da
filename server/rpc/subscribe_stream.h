#pragma once

#include "server/rpc/event_stream.h"

namespace ipp::rpc {

// SubscribeSessionEvents: `request` is a serialized SubscribeSessionEventsRequest.
grpc::ServerWriteReactor<grpc::ByteBuffer>* StartSubscribeStream(
    const Edge& edge, StreamRegistry* streams, grpc::CallbackServerContext* context,
    const grpc::ByteBuffer* request);

}  // namespace ipp::rpc
