#pragma once

#include "server/rpc/event_stream.h"

namespace ipp::rpc {

// WatchSession: `request` is a serialized WatchSessionRequest.
grpc::ServerWriteReactor<grpc::ByteBuffer>* StartWatchStream(const ServiceContext& service,
                                                             StreamRegistry* streams,
                                                             grpc::CallbackServerContext* context,
                                                             const grpc::ByteBuffer* request);

}  // namespace ipp::rpc
