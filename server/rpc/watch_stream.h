#pragma once

#include "server/rpc/event_stream.h"

namespace ipp::rpc {

// WatchSession: `request` is a serialized WatchSessionRequest.
grpc::ServerWriteReactor<grpc::ByteBuffer>* StartWatchStream(const Edge& edge,
                                                             StreamRegistry* streams,
                                                             grpc::CallbackServerContext* context,
                                                             const grpc::ByteBuffer* request);

}  // namespace ipp::rpc
