#pragma once

namespace ipp::grpc_port {

// From now on what gRPC and Protobuf themselves have to say, such as of a handshake that failed or
// of text that is not UTF-8, is a line of our log, and only so many a second: they write one for
// whatever a stranger does. Of the whole process, once. Thread-safe.
void TakeOverLibraryLogs();

}  // namespace ipp::grpc_port
