#pragma once

namespace ipp::grpc_port {

// Redirects the messages of gRPC and Protobuf, such as failed handshakes or text that is not UTF-8,
// to the gateway's log. Rate-limited, since strangers can cause such messages. Applies to the whole
// process; further calls have no effect. Thread-safe.
void TakeOverLibraryLogs();

}  // namespace ipp::grpc_port
