#pragma once

#include <grpcpp/impl/codegen/service_type.h>

#include <memory>
#include <vector>

#include "server/rpc/edge.h"
#include "server/rpc/stream_registry.h"

namespace ipp::rpc {

// The contract's services over the gateway; `edge` and `streams` outlive them.
std::unique_ptr<grpc::Service> NewDeviceService(const Edge* edge);
std::unique_ptr<grpc::Service> NewEnrollmentService(const Edge* edge);
std::unique_ptr<grpc::Service> NewLocationService(const Edge* edge);
std::unique_ptr<grpc::Service> NewSessionService(const Edge* edge, StreamRegistry* streams);
std::unique_ptr<grpc::Service> NewSessionEventService(const Edge* edge, StreamRegistry* streams);
std::unique_ptr<grpc::Service> NewSimulationService(const Edge* edge);
std::unique_ptr<grpc::Service> NewOutcomeService(const Edge* edge);

}  // namespace ipp::rpc
