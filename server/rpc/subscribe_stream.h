#pragma once

#include "server/rpc/event_stream.h"

namespace ipp::rpc {

// SubscribeSessionEvents: `request` is a serialized SubscribeSessionEventsRequest.
grpc::ServerWriteReactor<grpc::ByteBuffer>* StartSubscribeStream(
    const ServiceContext& service, StreamRegistry* streams, grpc::CallbackServerContext* context,
    const grpc::ByteBuffer* request);

}  // namespace ipp::rpc
