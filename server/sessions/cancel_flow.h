#pragma once

#include "kustom/ipp/v1/session.pb.h"
#include "server/base/clock.h"
#include "server/base/scheduler.h"
#include "server/routes/route_table.h"
#include "server/sessions/session_recorder.h"
#include "server/upstream/served_call.h"

namespace ipp::sessions {

// What a cancel works with. All borrowed; all outlive every flow.
struct CancelTools {
  const routes::Route* cancel = nullptr;
  const routes::Route* get = nullptr;
  SessionRecorder* recorder = nullptr;
  Clock* clock = nullptr;
  Scheduler* scheduler = nullptr;
};

// Serves CancelSession: a cancel that answers with what became true. Finishes the call once what it
// learnt is written down, so that the events agree with the answer. `request` and `response` live
// until then.
//
// * Ended without payment (CANCELLED, EXPIRED, FAILED), now or before: OK with the session.
// * Paid before: FAILED_PRECONDITION / SESSION_ALREADY_FINALIZED with `status` and `order_id`.
// * After anything unclear (no answer, a refusal, an answer without a final status) the session is
//   read. When it turns out to be open still, the cancel is sent again, a few times: doing it twice
//   is harmless. What stays unclear is UNKNOWN / OUTCOME_UNKNOWN, and safe to ask for again.
void CancelAndConfirm(const CancelTools& tools, upstream::ServedCall* call,
                      const upstream::CallContext& context,
                      const kustom::ipp::v1::CancelSessionRequest& request,
                      kustom::ipp::v1::CancelSessionResponse* response);

}  // namespace ipp::sessions
