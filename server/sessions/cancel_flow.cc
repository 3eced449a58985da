#include "server/sessions/cancel_flow.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "server/base/backoff.h"
#include "server/base/error.h"
#include "server/base/log.h"
#include "server/sessions/session_state.h"

namespace ipp::sessions {
namespace {

namespace v1 = kustom::ipp::v1;

constexpr int kMostCancels = 3;
constexpr absl::Duration kFirstPause = absl::Milliseconds(200);
constexpr absl::Duration kLongestPause = absl::Seconds(1);

absl::Status AlreadyFinalized(const v1::Session& session) {
  return MakeError(absl::StatusCode::kFailedPrecondition,
                   "the session was paid before it could be cancelled",
                   {.reason = "SESSION_ALREADY_FINALIZED",
                    .metadata = {{"outcome", "REJECTED"},
                                 {"retry_safe", "true"},
                                 {"status", "FINALIZED"},
                                 {"order_id", session.order_id()}}});
}

// The upstream accepted the cancel, but the session is still open.
absl::Status StillOpen() {
  return MakeError(
      absl::StatusCode::kUnknown,
      "the cancel was sent, and the session has not ended yet; ask again",
      {.reason = "OUTCOME_UNKNOWN", .metadata = {{"outcome", "UNKNOWN"}, {"retry_safe", "true"}}});
}

// The flow of one cancel.
//
// 1. PUT cancel. A final session in the answer, or in the read after an unclear answer, is
//    recorded. While the session is open and the deadline allows, the PUT is sent again.
// 2. The answer to the caller is what the store has after the record was written, since that is
//    what the event log says: another source may have been first. Where the two disagree, the
//    session is read once more, and that read decides (Advance).
// 3. The outcome never improves: once a PUT may have left, no later failure is NOT_SENT or
//    REJECTED.
class CancelFlow final : public std::enable_shared_from_this<CancelFlow> {
 public:
  CancelFlow(const CancelTools& tools, upstream::ServedCall* call,
             const upstream::CallContext& context, const v1::CancelSessionRequest& request,
             v1::CancelSessionResponse* response)
      : tools_(tools), call_(call), request_(request), response_(response), context_(context) {
    read_.set_session_id(request.session_id());
  }

  void Cancel() {
    ++cancels_;
    response_->Clear();
    call_->Start(*tools_.cancel, request_, response_, context_,
                 [self = shared_from_this()](upstream::CallResult result) {
                   self->Cancelled(std::move(result));
                 });
  }

 private:
  void Cancelled(upstream::CallResult result) {
    const v1::Session& session = response_->session();
    if (result.status.ok() && IsFinal(session.status())) {
      return Record(session, std::move(result.request_id));
    }
    // Refused for a reason that a read of the session would not explain.
    const bool refused = result.outcome == Outcome::kRejected;
    const bool may_be_final =
        absl::IsFailedPrecondition(result.status) || absl::IsInvalidArgument(result.status);
    const bool not_sent = result.outcome == Outcome::kNotSent;
    if (!left_ || !(refused || not_sent)) {
      unclear_ = result.status.ok() ? StillOpen() : std::move(result.status);
    }
    left_ = left_ || !(refused || not_sent);
    if (refused && !may_be_final) return call_->Finish(unclear_);
    again_ = !refused;
    if (not_sent) return CancelAgain();
    Read();
  }

  void Read() {
    answer_.Clear();
    call_->Start(
        *tools_.get, read_, &answer_, context_,
        [self = shared_from_this()](upstream::CallResult result) { self->GotRead(result); });
  }

  void GotRead(const upstream::CallResult& result) {
    if (!result.status.ok()) return recorded_ ? Answer() : call_->Finish(unclear_);
    if (IsFinal(answer_.session().status())) {
      return Record(answer_.session(), result.request_id);
    }
    recorded_ ? Answer() : CancelAgain();
  }

  void CancelAgain() {
    const absl::Duration pause = backoff_.Next();
    if (!again_ || cancels_ == kMostCancels || call_->cancelled() ||
        tools_.clock->Now() + pause >= context_.deadline) {
      return call_->Finish(unclear_);
    }
    tools_.scheduler->RunAfter(pause, [self = shared_from_this()] {
      if (self->call_->cancelled()) return self->call_->Finish(self->unclear_);
      self->Cancel();
    });
  }

  void Record(v1::Session session, std::string request_id) {
    session.set_session_id(request_.session_id());
    SessionUpdate update;
    // The second read decides a disagreement, like the reconciler's.
    update.source =
        recorded_ ? v1::SESSION_EVENT_SOURCE_RECONCILIATION : v1::SESSION_EVENT_SOURCE_API;
    update.merchant_id = context_.merchant_id;
    update.session_id = session.session_id();
    update.session = session;
    update.request_id = std::move(request_id);
    tools_.recorder->Record(std::move(update),
                            [self = shared_from_this(), session = std::move(session)](
                                absl::StatusOr<Recorded> recorded) mutable {
                              self->GotRecorded(std::move(session), std::move(recorded));
                            });
  }

  void GotRecorded(v1::Session session, absl::StatusOr<Recorded> recorded) {
    if (!recorded.ok()) {
      LogError("a session could not be recorded",
               {{"merchant", context_.merchant_id},
                {"session", session.session_id()},
                {"status", recorded.status().ToString()},
                {"trace_id", std::string(call_->trace().trace_id())}});
    } else if (recorded->session) {
      session = std::move(*recorded->session);
    }
    const bool disagrees = recorded.ok() && recorded->effect == UpdateEffect::kDisagrees;
    const bool first = !recorded_;
    recorded_ = std::move(session);
    disagrees&& first ? Read() : Answer();
  }

  void Answer() {
    if (recorded_->status() == v1::SESSION_STATUS_FINALIZED) {
      return call_->Finish(AlreadyFinalized(*recorded_));
    }
    *response_->mutable_session() = *std::move(recorded_);
    call_->Finish(absl::OkStatus());
  }

  const CancelTools tools_;
  // Valid until Finish, which is the last use.
  upstream::ServedCall* const call_;
  const v1::CancelSessionRequest& request_;
  v1::CancelSessionResponse* const response_;
  const upstream::CallContext context_;
  v1::GetSessionRequest read_;
  v1::GetSessionResponse answer_;
  int cancels_ = 0;
  bool again_ = true;                    // whether the last cancel was not refused
  bool left_ = false;                    // whether a cancel may have reached the upstream
  absl::Status unclear_;                 // the answer if the result stays unclear
  std::optional<v1::Session> recorded_;  // as the store has it, once recorded
  Backoff backoff_{kFirstPause, kLongestPause};
};

}  // namespace

void CancelAndConfirm(const CancelTools& tools, upstream::ServedCall* call,
                      const upstream::CallContext& context, const v1::CancelSessionRequest& request,
                      v1::CancelSessionResponse* response) {
  std::make_shared<CancelFlow>(tools, call, context, request, response)->Cancel();
}

}  // namespace ipp::sessions
