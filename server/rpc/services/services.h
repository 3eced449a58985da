#pragma once

#include <grpcpp/impl/service_type.h>

#include <memory>
#include <vector>

#include "server/events/stream_registry.h"
#include "server/rpc/service_context.h"

namespace ipp::rpc {

// The contract's services, implemented by the gateway; `service` and `streams` must outlive them.
std::unique_ptr<grpc::Service> NewDeviceService(const ServiceContext* service);
std::unique_ptr<grpc::Service> NewEnrollmentService(const ServiceContext* service);
std::unique_ptr<grpc::Service> NewLocationService(const ServiceContext* service);
std::unique_ptr<grpc::Service> NewSessionService(const ServiceContext* service,
                                                 events::StreamRegistry* streams);
std::unique_ptr<grpc::Service> NewSessionEventService(const ServiceContext* service,
                                                      events::StreamRegistry* streams);
std::unique_ptr<grpc::Service> NewSharedSubscriptionService(const ServiceContext* service,
                                                            events::StreamRegistry* streams);
std::unique_ptr<grpc::Service> NewSimulationService(const ServiceContext* service);
std::unique_ptr<grpc::Service> NewOutcomeService(const ServiceContext* service);
std::unique_ptr<grpc::Service> NewSessionHistoryService(const ServiceContext* service);
std::unique_ptr<grpc::Service> NewReportService(const ServiceContext* service);

}  // namespace ipp::rpc
