#pragma once

#include "kustom/ipp/v1/session.pb.h"
#include "server/base/clock.h"
#include "server/base/scheduler.h"
#include "server/routes/route_table.h"
#include "server/sessions/session_recorder.h"
#include "server/upstream/served_call.h"

namespace ipp::sessions {

// What the flow uses. All pointers are borrowed and must outlive every flow.
struct CancelTools {
  const routes::Route* cancel = nullptr;
  const routes::Route* get = nullptr;
  SessionRecorder* recorder = nullptr;
  Clock* clock = nullptr;
  Scheduler* scheduler = nullptr;
};

// Serves CancelSession. The answer says what became true of the session. The call finishes after
// the result is recorded in the store, so that the events agree with the answer. `request` and
// `response` must live until then. Returns at once; the rest runs in the completions of the
// upstream calls, the scheduler and the store.
//
// * The session ended without payment (CANCELLED, EXPIRED, FAILED), now or earlier: OK with the
//   session.
// * It was paid: FAILED_PRECONDITION / SESSION_ALREADY_FINALIZED with `status` and `order_id`.
// * An unclear result (no answer, a refusal, an answer without a final status): the session is
//   read. If it is still open, the cancel is sent again, a few times; cancelling twice is harmless.
//   If the result stays unclear: UNKNOWN / OUTCOME_UNKNOWN, and the caller may safely repeat the
//   call.
void CancelAndConfirm(const CancelTools& tools, upstream::ServedCall* call,
                      const upstream::CallContext& context,
                      const kustom::ipp::v1::CancelSessionRequest& request,
                      kustom::ipp::v1::CancelSessionResponse* response);

}  // namespace ipp::sessions
