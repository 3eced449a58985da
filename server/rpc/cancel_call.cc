#include "server/rpc/cancel_call.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "server/base/error.h"
#include "server/base/log.h"
#include "server/sessions/session_state.h"

namespace ipp::rpc {
namespace {

namespace v1 = kustom::ipp::v1;

constexpr int kMostCancels = 3;
constexpr absl::Duration kFirstPause = absl::Milliseconds(100);

absl::Status AlreadyFinalized(const v1::Session& session) {
  return MakeError(absl::StatusCode::kFailedPrecondition,
                   "the session was paid before it could be cancelled",
                   {.reason = "SESSION_ALREADY_FINALIZED",
                    .metadata = {{"outcome", "REJECTED"},
                                 {"retry_safe", "true"},
                                 {"status", "FINALIZED"},
                                 {"order_id", session.order_id()}},
                    .violations = {},
                    .retry_after = std::nullopt});
}

// The upstream took the cancel, and the session goes on.
absl::Status StillOpen() {
  return MakeError(absl::StatusCode::kUnknown,
                   "the cancel was sent, and the session has not ended yet; ask again",
                   {.reason = "OUTCOME_UNKNOWN",
                    .metadata = {{"outcome", "UNKNOWN"}, {"retry_safe", "true"}},
                    .violations = {},
                    .retry_after = std::nullopt});
}

class CancelFlow final : public std::enable_shared_from_this<CancelFlow> {
 public:
  CancelFlow(UnaryCall* call, const v1::CancelSessionRequest& request,
             v1::CancelSessionResponse* response, upstream::CallContext context)
      : call_(call),
        request_(request),
        response_(response),
        context_(std::move(context)),
        get_(*call->edge().methods.Find<v1::GetSessionRequest>().route) {
    read_.set_session_id(request.session_id());
  }

  void Cancel() {
    ++cancels_;
    response_->Clear();
    call_->SendAs(request_, response_, context_,
                  [self = shared_from_this()](upstream::CallResult result) {
                    self->Cancelled(std::move(result));
                  });
  }

 private:
  void Cancelled(upstream::CallResult result) {
    const v1::Session& session = response_->session();
    if (result.status.ok() && sessions::IsFinal(session.status())) {
      return Record(session, std::move(result.request_id));
    }
    // It was not done, for a reason that a look at the session does not explain.
    const bool refused = result.outcome == Outcome::kRejected;
    const bool may_be_final =
        absl::IsFailedPrecondition(result.status) || absl::IsInvalidArgument(result.status);
    if (refused && !may_be_final) return call_->Finish(result.status);
    unclear_ = result.status.ok() ? StillOpen() : std::move(result.status);
    again_ = !refused;
    if (result.outcome == Outcome::kNotSent) return CancelAgain();
    Read();
  }

  void Read() {
    answer_.Clear();
    call_->CancelWithCaller([this] {
      return call_->edge().gateway.upstream->Start(
          get_, read_, &answer_, context_,
          [self = shared_from_this()](upstream::CallResult result) { self->GotRead(result); });
    });
  }

  void GotRead(const upstream::CallResult& result) {
    if (!result.status.ok()) return call_->Finish(unclear_);
    if (sessions::IsFinal(answer_.session().status())) {
      return Record(answer_.session(), result.request_id);
    }
    CancelAgain();
  }

  void CancelAgain() {
    const absl::Duration pause = pause_;
    pause_ *= 2;
    if (!again_ || cancels_ == kMostCancels || call_->cancelled() ||
        call_->edge().gateway.clock->Now() + pause >= context_.deadline) {
      return call_->Finish(unclear_);
    }
    call_->edge().gateway.scheduler->RunAfter(pause, [self = shared_from_this()] {
      if (self->call_->cancelled()) return self->call_->Finish(self->unclear_);
      self->Cancel();
    });
  }

  void Record(v1::Session session, std::string request_id) {
    session.set_session_id(request_.session_id());
    sessions::News news;
    news.source = v1::SESSION_EVENT_SOURCE_API;
    news.merchant_id = context_.merchant_id;
    news.session_id = session.session_id();
    news.session = session;
    news.request_id = std::move(request_id);
    call_->edge().gateway.book->Record(
        std::move(news), [self = shared_from_this(), session = std::move(session)](
                             absl::StatusOr<sessions::Recorded> recorded) mutable {
          if (!recorded.ok()) {
            LogError("a session could not be recorded",
                     {{"session_id", session.session_id()},
                      {"status", recorded.status().ToString()},
                      {"trace_id", std::string(self->call_->trace().trace_id())}});
          }
          self->Answer(std::move(session));
        });
  }

  void Answer(v1::Session session) {
    if (session.status() == v1::SESSION_STATUS_FINALIZED) {
      return call_->Finish(AlreadyFinalized(session));
    }
    *response_->mutable_session() = std::move(session);
    call_->Finish(absl::OkStatus());
  }

  // Lives until Finish, and is finished last.
  UnaryCall* const call_;
  const v1::CancelSessionRequest& request_;
  v1::CancelSessionResponse* const response_;
  const upstream::CallContext context_;
  const routes::Route& get_;
  v1::GetSessionRequest read_;
  v1::GetSessionResponse answer_;
  int cancels_ = 0;
  bool again_ = true;     // the last cancel was not refused
  absl::Status unclear_;  // what to say when nothing becomes clear
  absl::Duration pause_ = kFirstPause;
};

}  // namespace

void CancelAndConfirm(UnaryCall* call, const v1::CancelSessionRequest& request,
                      v1::CancelSessionResponse* response) {
  auto context = call->Upstream();
  if (!context) return;
  std::make_shared<CancelFlow>(call, request, response, *std::move(context))->Cancel();
}

}  // namespace ipp::rpc
