#include "client/collect_run.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/create_tries.h"
#include "client/error_status.h"
#include "client/proto_duration.h"
#include "client/stream_follower.h"
#include "client/utf8.h"
#include "google/protobuf/util/message_differencer.h"
#include "ippclient/create.h"
#include "ippclient/error.h"

namespace ipp::client {
namespace {

namespace v1 = ::kustom::ipp::v1;

// How long a stream may take to end by itself after its last message.
constexpr absl::Duration kFarewell = absl::Seconds(1);

v1::CreateSessionRequest WithRequestId(v1::CreateSessionRequest request) {
  if (request.request_id().empty()) request.set_request_id(NewRequestId());
  return request;
}

// Whether the error of a create says that there is no session, and will be none.
bool NothingWasDone(const Error& error) {
  if (error.outcome == Outcome::kRejected) return true;
  // These calls sent nothing, but say nothing about earlier ones under the same id.
  const bool blind = error.reason == "STORE_UNAVAILABLE" || error.reason == "REQUEST_ID_REUSED";
  return error.outcome == Outcome::kNotSent && !blind;
}

bool IsFinal(v1::SessionStatus status) {
  return status == v1::SESSION_STATUS_FINALIZED || status == v1::SESSION_STATUS_CANCELLED ||
         status == v1::SESSION_STATUS_EXPIRED || status == v1::SESSION_STATUS_FAILED;
}

v1::WatchSessionResponse StepTo(const v1::Session& session) {
  v1::WatchSessionResponse step;
  *step.mutable_session() = session;
  return step;
}

}  // namespace

CollectRun::CollectRun(std::shared_ptr<grpc::Channel> channel, v1::CreateSessionRequest request,
                       PaymentOptions options)
    : clock_(ClockAndRandom::OrReal(options.clock)),
      sessions_(v1::SessionService::NewStub(channel)),
      outcomes_(v1::OutcomeService::NewStub(channel)),
      request_(WithRequestId(std::move(request))),
      options_(std::move(options)),
      backoff_(options_.first_pause, options_.longest_pause) {}

PaymentResult CollectRun::Collect() {
  timeout_at_ = clock_.Now() + options_.timeout;
  if (const Result end = Create()) return *end;
  while (true) {
    if (IsFinal(session_.status())) return Finished();
    if (Is(Until::kEnd)) return Stopped();
    if (!IsKnown()) {
      if (const Result end = LookUp()) return *end;
    }
    if (IsKnown() && Is(Until::kStop)) {
      return options_.on_stop == PaymentOptions::OnStop::kCancelSession ? CancelSession()
                                                                        : Stopped();
    }
    const std::optional<grpc::Status> ended = Follow();
    if (!ended || IsFinal(session_.status())) continue;
    if (!RetryHeals(ended->error_code())) return GaveUp(*ended);
    NoteTrouble(*ended);
    Pause(PauseAfter(*ended), Is(Until::kStop) ? Until::kEnd : Until::kStop);
  }
}

CollectRun::Result CollectRun::Create() {
  if (const auto field = FieldNotUtf8(request_)) {
    trouble_ = NotUtf8Status(*field, options_.resumed ? Outcome::kUnknown : Outcome::kNotSent);
    if (!options_.resumed) return NotCreated(trouble_);
    return std::nullopt;  // an earlier create with this id may have any outcome: it is looked up
  }
  const absl::Duration tries_until = clock_.Now() + options_.create_timeout;
  // The answer is needed after a stop, too: it names the session to cancel.
  const absl::Duration deadline = std::min(tries_until, At(Until::kEnd));
  create_until_ = deadline + options_.answer_allowance;
  CreateTries tries(options_.first_pause, options_.longest_pause, options_.resumed);
  bool tried = false;
  while (!Is(Until::kStop)) {
    tried = true;
    v1::CreateSessionResponse response;
    const grpc::Status status = Call(deadline, [&](grpc::ClientContext* context, auto done) {
      sessions_->async()->CreateSession(context, &request_, &response, std::move(done));
    });
    if (status.ok()) {
      Heard(StepTo(response.session()));
      return std::nullopt;
    }
    const absl::Duration left = std::min(tries_until, timeout_at_) - clock_.Now();
    const auto pause = tries.PauseAfter(status, left, clock_.Random());
    trouble_ = tries.Verdict();
    if (!pause) break;
    Pause(*pause, Until::kStop);
  }
  if (!tried && !options_.resumed) return NotCreated(Stopped().status);
  const Error error = DecodeError(trouble_);
  if (NothingWasDone(error)) return NotCreated(trouble_);
  // Do not look it up: what exists under this id is another payment.
  if (error.reason == "REQUEST_ID_REUSED") return GaveUp(trouble_);
  return std::nullopt;
}

// Reads what the gateway has recorded of the create.
CollectRun::Result CollectRun::LookUp() {
  if (!may_look_up_) return std::nullopt;
  v1::GetCreateOutcomeRequest request;
  request.set_request_id(request_.request_id());
  v1::GetCreateOutcomeResponse response;
  const absl::Duration deadline = std::min(clock_.Now() + options_.look, At(Until::kEnd));
  const grpc::Status status = Call(deadline, [&](grpc::ClientContext* context, auto done) {
    outcomes_->async()->GetCreateOutcome(context, &request, &response, std::move(done));
  });
  may_look_up_ = status.error_code() != grpc::StatusCode::PERMISSION_DENIED &&
                 status.error_code() != grpc::StatusCode::UNIMPLEMENTED;
  const v1::CreateOutcome& outcome = response.outcome();
  const bool unheard = DecodeError(status).reason == "CREATE_NOT_FOUND";
  if (unheard || outcome.state() == v1::CREATE_STATE_NOT_SENT) {
    if (clock_.Now() < create_until_) return std::nullopt;  // an attempt may still be on its way
    return NotCreated(ErrorStatus(
        grpc::StatusCode::UNAVAILABLE, absl::StrCat("was not sent: ", trouble_.error_message()),
        unheard ? "CREATE_NOT_FOUND" : "UPSTREAM_UNAVAILABLE", Outcome::kNotSent));
  }
  if (outcome.state() == v1::CREATE_STATE_REJECTED) {
    return NotCreated(ErrorStatus(grpc::StatusCode::FAILED_PRECONDITION, outcome.message(),
                                  outcome.reason(), Outcome::kRejected));
  }
  session_.set_session_id(outcome.session_id());  // when it is EXECUTED
  return std::nullopt;
}

std::optional<grpc::Status> CollectRun::Follow() {
  v1::WatchSessionRequest request;
  IsKnown() ? request.set_session_id(session_.session_id())
            : request.set_request_id(request_.request_id());
  *request.mutable_heartbeat_interval() = ToProto(options_.heartbeat);
  StreamCall<v1::WatchSessionResponse> call(&wake_);
  if (options_.prepare) options_.prepare(&call.context());
  call.Start([&](grpc::ClientContext* context, auto* reactor) {
    sessions_->async()->WatchSession(context, &request, reactor);
  });
  const absl::Duration silence = kMissedHeartbeats * options_.heartbeat;
  absl::Duration bound = IsKnown() ? absl::InfiniteDuration() : clock_.Now() + options_.look;
  absl::Duration dead_at = clock_.Now() + silence;
  for (int heard = 0;; ++heard) {
    bool ready = false;
    bool ended = false;
    // A session that is not known yet is waited for after a stop, too, to cancel it.
    Await(IsKnown() ? Until::kStop : Until::kEnd, std::min(bound, dead_at), [&] {
      ready = call.HasMessage();
      ended = call.HasEnded();
      return ready || ended;
    });
    if (ended) return call.status();
    if (!ready && clock_.Now() >= dead_at) {
      return grpc::Status(
          grpc::StatusCode::UNAVAILABLE,
          absl::StrCat("no message and no heartbeat for ", absl::FormatDuration(silence)));
    }
    if (!ready) return std::nullopt;
    if (heard > 0) backoff_.Reset();  // the first message alone does not prove a working stream
    const bool beat = call.message().heartbeat();
    if (!beat) {
      Heard(call.message());
    } else if (IsKnown() && call.message().has_session()) {
      session_ = call.message().session();  // it may know more by now
    }
    if (IsKnown()) {
      bound = IsFinal(session_.status()) ? clock_.Now() + kFarewell : absl::InfiniteDuration();
    }
    dead_at = clock_.Now() + silence;  // from here: a slow `on_step` is no silence
    call.ReadNext();
  }
}

PaymentResult CollectRun::CancelSession() {
  v1::CancelSessionRequest request;
  request.set_session_id(session_.session_id());
  backoff_.Reset();
  while (true) {
    v1::CancelSessionResponse response;
    const grpc::Status status = Call(At(Until::kEnd), [&](grpc::ClientContext* context, auto done) {
      sessions_->async()->CancelSession(context, &request, &response, std::move(done));
    });
    const Error error = DecodeError(status);
    if (status.ok()) {
      Heard(StepTo(response.session()));
    } else if (error.reason == "SESSION_ALREADY_FINALIZED") {
      v1::Session paid = session_;
      paid.set_status(v1::SESSION_STATUS_FINALIZED);
      if (const auto id = error.metadata.find("order_id"); id != error.metadata.end()) {
        paid.set_order_id(id->second);
      }
      Heard(StepTo(paid));
    } else {
      NoteTrouble(status);
    }
    if (IsFinal(session_.status())) return Finished();
    const absl::Duration pause = PauseAfter(status);
    if (!RetryHeals(status.error_code()) || clock_.Now() + pause >= At(Until::kEnd)) {
      return Stopped();
    }
    Pause(pause, Until::kEnd);
  }
}

void CollectRun::Heard(const v1::WatchSessionResponse& step) {
  trouble_ = grpc::Status::OK;
  // A watch that is opened again begins with the state that is already known.
  const bool news = !step.failure_reason().empty() ||
                    !google::protobuf::util::MessageDifferencer::Equals(session_, step.session());
  session_ = step.session();
  if (news && options_.on_step) options_.on_step(step);
}

void CollectRun::NoteTrouble(const grpc::Status& status) {
  // An error of the gateway says more than that the last call was interrupted.
  if (trouble_.ok() || !DecodeError(status).reason.empty()) trouble_ = status;
}

PaymentResult CollectRun::Finished() const {
  switch (session_.status()) {
    case v1::SESSION_STATUS_FINALIZED:
      return ResultOf(PaymentEnd::kPaid, Money::kPaid, {});
    case v1::SESSION_STATUS_EXPIRED:
      return ResultOf(PaymentEnd::kExpired, Money::kNotPaid, {});
    case v1::SESSION_STATUS_FAILED:
      return ResultOf(PaymentEnd::kFailed, Money::kNotPaid, {});
    default:
      return ResultOf(PaymentEnd::kCancelled, Money::kNotPaid, {});
  }
}

PaymentResult CollectRun::NotCreated(const grpc::Status& status) const {
  return ResultOf(PaymentEnd::kNotCreated, Money::kNotPaid, status);
}

PaymentResult CollectRun::Stopped() const {
  const grpc::Status why =
      At(Until::kStop) < timeout_at_
          ? grpc::Status(grpc::StatusCode::CANCELLED, "the payment was cancelled by its caller")
          : grpc::Status(grpc::StatusCode::DEADLINE_EXCEEDED, "the payment's time is up");
  return ResultOf(PaymentEnd::kStopped, Money::kNotKnown, trouble_.ok() ? why : trouble_);
}

PaymentResult CollectRun::GaveUp(const grpc::Status& status) const {
  return ResultOf(PaymentEnd::kGaveUp, Money::kNotKnown, status);
}

PaymentResult CollectRun::ResultOf(PaymentEnd end, Money money, const grpc::Status& status) const {
  return {end, money, session_, request_.request_id(), status};
}

void CollectRun::Cancel() {
  MutexLock lock(&wake_.mutex);
  cancelled_at_ = std::min(cancelled_at_, clock_.Now());
  wake_.changed.SignalAll();
}

absl::Duration CollectRun::At(Until until) const {
  MutexLock lock(&wake_.mutex);
  return AtLocked(until);
}

absl::Duration CollectRun::AtLocked(Until until) const {
  const absl::Duration stop = std::min(cancelled_at_, timeout_at_);
  const bool goes_on =
      until == Until::kEnd && options_.on_stop == PaymentOptions::OnStop::kCancelSession;
  return goes_on ? stop + options_.stop_timeout : stop;
}

template <typename Done>
void CollectRun::Await(Until until, absl::Duration bound, Done done) {
  MutexLock lock(&wake_.mutex);
  while (!done()) {
    const absl::Duration limit = std::min(bound, AtLocked(until));  // a Cancel brings it nearer
    if (clock_.Now() >= limit) return;
    clock_.Wait(limit, &wake_.changed, &wake_.mutex);
  }
}

void CollectRun::Pause(absl::Duration pause, Until until) {
  Await(until, clock_.Now() + pause, [] { return false; });
}

absl::Duration CollectRun::PauseAfter(const grpc::Status& status) {
  return std::max(backoff_.Next(clock_.Random()),
                  DecodeError(status).retry_delay.value_or(absl::ZeroDuration()));
}

template <typename Start>
grpc::Status CollectRun::Call(absl::Duration deadline, Start start) {
  grpc::ClientContext context;
  Prepare(deadline, &context);
  std::optional<grpc::Status> ended;  // under the lock
  start(&context, [&](grpc::Status status) {
    MutexLock lock(&wake_.mutex);
    ended = std::move(status);
    wake_.changed.SignalAll();
  });
  bool over = false;
  Await(Until::kEnd, absl::InfiniteDuration(), [&] { return over = ended.has_value(); });
  if (!over) context.TryCancel();
  MutexLock lock(&wake_.mutex);
  while (!ended) wake_.changed.Wait(&wake_.mutex);
  return *std::move(ended);
}

void CollectRun::Prepare(absl::Duration deadline, grpc::ClientContext* context) const {
  if (const absl::Duration left = deadline - clock_.Now(); left < absl::InfiniteDuration()) {
    context->set_deadline(std::chrono::system_clock::now() + absl::ToChronoMilliseconds(left));
  }
  if (options_.prepare) options_.prepare(context);
}

}  // namespace ipp::client
