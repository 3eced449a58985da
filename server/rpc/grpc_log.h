#pragma once

namespace ipp::rpc {

// From now on what gRPC itself has to say, such as of a handshake that failed, is a line of our log
// at the level warning, and only so many a second: it writes one for whatever a stranger does. Of
// the whole process.
void TakeOverGrpcLog();

}  // namespace ipp::rpc
