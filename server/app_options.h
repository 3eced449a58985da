#pragma once

#include "server/config/config.pb.h"
#include "server/rpc/rpc_server.h"
#include "server/upstream/correlation.h"

// Parts of the configuration as the options of the part that they are for.
namespace ipp {

upstream::CorrelationField CorrelationOf(const config::Creates& creates);

// Sets the limits of the gRPC port's connections.
void SetLimits(const config::Connections& connections, rpc::ServerOptions* options);

}  // namespace ipp
