#pragma once

#include "server/rpc/stream_call.h"

namespace ipp::rpc {

// SubscribeSessionEvents: `request` is a serialized SubscribeSessionEventsRequest.
grpc::ServerWriteReactor<grpc::ByteBuffer>* StartSubscribeStream(
    const ServiceContext& service, events::StreamRegistry* streams,
    grpc::CallbackServerContext* context, const grpc::ByteBuffer* request);

}  // namespace ipp::rpc
