#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

namespace ipp::faults {

// A channel with a connection of its own: not one that another channel shares, and no wait that
// another one has begun after a failure to connect.
std::shared_ptr<grpc::Channel> FreshChannel(const std::string& address);

// Ended because the gateway went: the connection broke, the gateway said goodbye, or gRPC threw
// away a call that had come in while the gateway drained and that had not been looked at yet (its
// own CANCELLED, without details).
bool EndedWithTheGateway(const grpc::Status& status);

}  // namespace ipp::faults
