#pragma once

#include "kustom/ipp/v1/session.pb.h"
#include "server/rpc/unary_call.h"

namespace ipp::rpc {

// The work of CancelSession: a cancel that answers with what became true. Finishes the call, once
// what it learnt is written down, so that the events agree with the answer.
//
// * Ended without payment (CANCELLED, EXPIRED, FAILED), now or before: OK with the session.
// * Paid before: FAILED_PRECONDITION / SESSION_ALREADY_FINALIZED with `status` and `order_id`.
// * After anything unclear (no answer, a refusal, an answer without a final status) the session is
//   read. When it turns out to be open still, the cancel is sent again, a few times: doing it twice
//   is harmless. What stays unclear is UNKNOWN / OUTCOME_UNKNOWN, and safe to ask for again.
void CancelAndConfirm(UnaryCall* call, const kustom::ipp::v1::CancelSessionRequest& request,
                      kustom::ipp::v1::CancelSessionResponse* response);

}  // namespace ipp::rpc
