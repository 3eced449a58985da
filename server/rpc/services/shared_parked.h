#pragma once

#include "kustom/ipp/v1/shared_subscription.pb.h"
#include "server/rpc/unary_call.h"

// The RPCs on the parked events of shared subscriptions, for Serve.
namespace ipp::rpc {

void ListParkedWork(UnaryCall* call, const kustom::ipp::v1::ListParkedSessionEventsRequest& request,
                    kustom::ipp::v1::ListParkedSessionEventsResponse* response);
// These two take as many steps as it takes, each a transaction of its own.
void RedriveWork(UnaryCall* call, const kustom::ipp::v1::RedriveSessionEventsRequest& request,
                 kustom::ipp::v1::RedriveSessionEventsResponse* response);
void DeleteParkedWork(UnaryCall* call,
                      const kustom::ipp::v1::DeleteParkedSessionEventsRequest& request,
                      kustom::ipp::v1::DeleteParkedSessionEventsResponse* response);

}  // namespace ipp::rpc
