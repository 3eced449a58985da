#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

namespace ipp::faults {

// A channel with a connection of its own: not one that another channel shares, and no wait that
// another one has begun after a failure to connect.
std::shared_ptr<grpc::Channel> FreshChannel(const std::string& address);

}  // namespace ipp::faults
