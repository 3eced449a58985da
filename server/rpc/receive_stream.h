#pragma once

#include "server/rpc/stream_call.h"

namespace ipp::rpc {

// ReceiveSessionEvents: `request` is a serialized ReceiveSessionEventsRequest.
grpc::ServerWriteReactor<grpc::ByteBuffer>* StartReceiveStream(const ServiceContext& service,
                                                               events::StreamRegistry* streams,
                                                               grpc::CallbackServerContext* context,
                                                               const grpc::ByteBuffer* request);

}  // namespace ipp::rpc
