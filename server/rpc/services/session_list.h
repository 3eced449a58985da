#pragma once

#include "kustom/ipp/v1/session_history.pb.h"
#include "server/rpc/unary_call.h"
#include "server/store/store.h"

// The work of SessionHistoryService, one file for each of its RPCs.
namespace ipp::rpc {

void ListSessionsWork(UnaryCall* call, const kustom::ipp::v1::ListSessionsRequest& request,
                      kustom::ipp::v1::ListSessionsResponse* response);
void GetSessionHistoryWork(UnaryCall* call,
                           const kustom::ipp::v1::GetSessionHistoryRequest& request,
                           kustom::ipp::v1::GetSessionHistoryResponse* response);

// What the contract says of a session that the gateway knows.
void Describe(const store::SessionRecord& record, kustom::ipp::v1::KnownSession* known);

}  // namespace ipp::rpc
