#pragma once

#include "server/rpc/stream_call.h"

namespace ipp::rpc {

// WatchSession: `request` is a serialized WatchSessionRequest.
grpc::ServerWriteReactor<grpc::ByteBuffer>* StartWatchStream(const ServiceContext& service,
                                                             events::StreamRegistry* streams,
                                                             grpc::CallbackServerContext* context,
                                                             const grpc::ByteBuffer* request);

}  // namespace ipp::rpc
