#include "server/creates/create_flow.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/backoff.h"
#include "server/base/error.h"
#include "server/base/log.h"
#include "server/creates/create_ledger.h"
#include "server/creates/request_difference.h"
#include "server/creates/restore_hold.h"
#include "server/store/store_error.h"

namespace ipp::creates {
namespace {

using google::protobuf::Message;
using store::IntentState;

constexpr absl::Duration kFirstPause = absl::Milliseconds(50);
constexpr absl::Duration kLongestPause = absl::Seconds(1);
// Time reserved for the answer to reach the caller; at most a quarter of the caller's time.
constexpr absl::Duration kAnswerTime = absl::Milliseconds(100);

Outcome OutcomeOf(IntentState state) {
  switch (state) {
    case IntentState::kNotSent:
      return Outcome::kNotSent;
    case IntentState::kRejected:
      return Outcome::kRejected;
    case IntentState::kExecuted:
      return Outcome::kExecuted;
    case IntentState::kUnderWay:
    case IntentState::kUnknown:
      break;
  }
  return Outcome::kUnknown;
}

// Adds what the ledger knows of the create under this id to an error about another request.
std::map<std::string, std::string> WithEarlier(const store::IntentRecord& known,
                                               std::map<std::string, std::string> metadata) {
  metadata["earlier_outcome"] = std::string(OutcomeName(OutcomeOf(known.state)));
  if (!known.session_id.empty()) metadata["session_id"] = known.session_id;
  return metadata;
}

// The create was executed, but its answer is no longer stored and there is no resource id by which
// to find it.
absl::Status AnswerNotKept() {
  return MakeError(
      absl::StatusCode::kFailedPrecondition,
      "this create was done long ago; its answer is no longer kept",
      {.reason = "ANSWER_NOT_KEPT", .metadata = {{"outcome", "EXECUTED"}, {"retry_safe", "true"}}});
}

absl::Status Reused(const Message& request, const std::string& rpc,
                    const store::IntentRecord& known) {
  std::vector<FieldViolation> violations;
  if (known.rpc == rpc && !known.trimmed) {
    for (std::string& field : DifferingFields(request, known.request)) {
      violations.push_back({std::move(field), "differs from the request first sent with this id"});
    }
  }
  if (violations.empty()) {
    violations.push_back({"request_id", absl::StrCat("was used for another ", known.rpc)});
  }
  std::string message = "request_id: was used for another request; it differs in ";
  absl::StrAppend(&message, violations[0].field, violations.size() > 1 ? " and more" : "");
  return MakeError(absl::StatusCode::kInvalidArgument, message,
                   {.reason = "REQUEST_ID_REUSED",
                    .metadata = WithEarlier(known, {{"retry_safe", "false"}}),
                    .violations = std::move(violations)});
}

absl::Status Unsettled() {
  return MakeError(
      absl::StatusCode::kUnknown,
      "it is not known whether the upstream did it; ask again with this request_id",
      {.reason = "OUTCOME_UNKNOWN", .metadata = {{"outcome", "UNKNOWN"}, {"retry_safe", "false"}}});
}

// Whether the refusal concerns the request itself. Other refusals (a key, a limit) are temporary
// and say nothing about the request.
bool IsFinalRefusal(const absl::Status& status) {
  return absl::IsInvalidArgument(status) || absl::IsNotFound(status) ||
         absl::IsFailedPrecondition(status);
}

// What the ledger said, as an attribute of a span.
absl::string_view NameOf(Reservation::What what) {
  switch (what) {
    case Reservation::kSend:
      return "send";
    case Reservation::kReplay:
      return "replay";
    case Reservation::kRefuse:
      return "refuse";
    case Reservation::kDiffers:
      return "differs";
    case Reservation::kUnsettled:
      break;
  }
  return "unsettled";
}

class CreateFlow final : public std::enable_shared_from_this<CreateFlow> {
 public:
  CreateFlow(const CreateTools& tools, Creation creation, CreateShape shape)
      : tools_(tools),
        creation_(std::move(creation)),
        call_(creation_.call),
        request_(*creation_.request),
        response_(creation_.response),
        context_(creation_.context),
        shape_(std::move(shape)),
        rpc_(creation_.route->method()->name()),
        answer_by_(context_.deadline - std::min(kAnswerTime, (context_.deadline - Now()) / 4)),
        send_until_(std::min(answer_by_, Now() + tools.send_for)) {}

  void Begin() {
    BeginWait("ledger.reserve");
    ledger().Reserve({.merchant_id = context_.merchant_id,
                      .request_id = creation_.id.request_id,
                      .rpc = rpc_,
                      .caller = creation_.caller,
                      .trace = call_->trace(),
                      .request = Fingerprint(request_),
                      .discoverable = shape_.settle_wait > absl::ZeroDuration()},
                     answer_by_, Wanted(),
                     [self = shared_from_this()](absl::StatusOr<Reservation> reservation) {
                       self->GotReservation(std::move(reservation));
                     });
  }

 private:
  CreateLedger& ledger() { return *tools_.ledger; }
  absl::Time Now() const { return tools_.clock->Now(); }
  std::function<bool()> Wanted() {
    return [self = shared_from_this()] { return !self->call_->cancelled(); };
  }

  // A flow waits for one thing at a time.
  void BeginWait(absl::string_view name) {
    if (tools_.tracer == nullptr) return;
    wait_ = StartSpan(tools_.tracer, {.name = name, .parent = call_->trace()});
  }
  void EndWait(const absl::StatusOr<Reservation>& reservation) {
    if (wait_ != nullptr && reservation.ok())
      wait_->Set("ipp.ledger.answer", NameOf(reservation->what));
    EndWait(reservation.status());
  }
  void EndWait(const absl::Status& status) {
    if (wait_ == nullptr) return;
    if (!status.ok()) wait_->Fail(absl::StatusCodeToString(status.code()));
    wait_ = nullptr;
  }

  void GotReservation(absl::StatusOr<Reservation> reservation) {
    EndWait(reservation);
    if (!reservation.ok()) return FinishWithoutLedger(reservation.status());
    // A different request is another create: the error reports what is known of that one only.
    if (reservation->what != Reservation::kDiffers) call_->set_ledger_asked();
    switch (reservation->what) {
      case Reservation::kSend:
        begun_ = std::move(reservation->known);
        if (call_->cancelled()) return GiveBack(Gone());
        outgoing_ = shape_.outgoing ? shape_.outgoing() : nullptr;
        return Send();
      case Reservation::kReplay:
        if (reservation->known.trimmed && reservation->known.answer.empty()) {
          return call_->Finish(AnswerNotKept());
        }
        return Replay(reservation->known.answer, true);
      case Reservation::kRefuse:
        return call_->Finish(
            WithMetadata(ParseError(reservation->known.answer), {{"replayed", "true"}}));
      case Reservation::kDiffers:
        return call_->Finish(Reused(request_, rpc_, reservation->known));
      case Reservation::kUnsettled:
        return call_->Finish(Unsettled());
    }
  }

  // The ledger cannot be read. This call sent nothing. But if the id is the caller's own, an
  // earlier call may have, so the error states no outcome.
  void FinishWithoutLedger(const absl::Status& trouble) {
    absl::Status status = store::ForCallers(trouble);
    if (!creation_.id.is_callers) {
      status = WithMetadata(status, {{"outcome", std::string(OutcomeName(Outcome::kNotSent))}});
    }
    call_->Finish(status);
  }

  static absl::Status Gone() {
    return MakeError(
        absl::StatusCode::kCancelled, "the caller has gone",
        {.reason = "CANCELLED", .metadata = {{"outcome", "NOT_SENT"}, {"retry_safe", "true"}}});
  }

  void Send() {
    upstream::CallContext context = context_;
    context.deadline = send_until_;
    call_->Start(*creation_.route, outgoing_ ? *outgoing_ : request_, response_, context,
                 [self = shared_from_this()](upstream::CallResult result) {
                   self->Answered(std::move(result));
                 });
  }

  void Answered(upstream::CallResult result) {
    if (result.status.ok() && shape_.has_resource_id && !shape_.has_resource_id(*response_)) {
      result.outcome = Outcome::kUnknown;
      result.status =
          MakeError(absl::StatusCode::kInternal, "the upstream's answer does not say what was made",
                    {.reason = "UPSTREAM_MALFORMED",
                     .metadata = {{"outcome", "UNKNOWN"}, {"retry_safe", "false"}}});
    }
    switch (result.outcome) {
      case Outcome::kExecuted:
        return Record();
      case Outcome::kNotSent:
        return SendAgain(std::move(result.status));
      case Outcome::kRejected:
        if (!IsFinalRefusal(result.status)) return GiveBack(std::move(result.status));
        return Refuse(std::move(result.status));
      case Outcome::kUnknown:
        return Settle(std::move(result.status));
    }
  }

  void SendAgain(absl::Status status) {
    const absl::Duration pause = backoff_.Next();
    if (!absl::IsUnavailable(status) || call_->cancelled() || Now() + pause >= send_until_) {
      return GiveBack(std::move(status));
    }
    response_->Clear();
    tools_.scheduler->RunAfter(pause, [self = shared_from_this()] {
      if (self->call_->cancelled()) return self->GiveBack(Gone());
      self->Send();
    });
  }

  void Refuse(absl::Status status) {
    std::string kept = SerializeError(status);
    Close(IntentState::kRejected, std::move(kept), std::move(status));
  }

  // Nothing was executed: any call may send the same id again.
  void GiveBack(absl::Status status) { Close(IntentState::kNotSent, "", std::move(status)); }

  void Close(IntentState state, std::string answer, absl::Status status) {
    Complete(
        Completion(state, std::move(answer)),
        [self = shared_from_this(), status = std::move(status)] { self->call_->Finish(status); });
  }

  // The upstream has executed it, so a store that fails must not turn the answer into an error.
  void Record() {
    Complete(shape_.record ? shape_.record(*response_)
                           : Completion(IntentState::kExecuted, response_->SerializeAsString()),
             [self = shared_from_this()] { self->call_->Finish(absl::OkStatus()); });
  }

  // If what it created is discovered in time, the create was executed, and that is the answer.
  void Settle(absl::Status status) {
    Complete(Completion(IntentState::kUnknown, ""),
             [self = shared_from_this(), status = std::move(status)]() mutable {
               self->AwaitSettled(std::move(status));
             });
  }

  CreateLedger::Write Completion(IntentState state, std::string answer) {
    return ledger().Completion(begun_, state, std::move(answer));
  }

  void Complete(CreateLedger::Write write, absl::AnyInvocable<void() &&> then) {
    BeginWait("ledger.complete");
    ledger().Complete(std::move(write), [self = shared_from_this(), then = std::move(then)](
                                            const absl::Status& status) mutable {
      self->EndWait(status);
      self->LogUnlessWritten(status);
      std::move(then)();
    });
  }

  void AwaitSettled(absl::Status status) {
    const absl::Time until = std::min(answer_by_, Now() + shape_.settle_wait);
    if (until <= Now()) return call_->Finish(status);
    BeginWait("ledger.await");
    ledger().AwaitOutcome(context_.merchant_id, creation_.id.request_id, until, Wanted(),
                          [self = shared_from_this(),
                           status = std::move(status)](absl::StatusOr<Reservation> reservation) {
                            self->EndWait(reservation);
                            if (!reservation.ok() || reservation->what != Reservation::kReplay) {
                              return self->call_->Finish(status);
                            }
                            self->Replay(reservation->known.answer, false);
                          });
  }

  void Replay(const std::string& answer, bool replayed) {
    response_->Clear();
    if (!response_->ParseFromString(answer)) {
      LogError("the kept answer of a create cannot be read",
               {{"rpc", rpc_},
                {"merchant", context_.merchant_id},
                {"request_id", creation_.id.request_id},
                {"trace_id", std::string(call_->trace().trace_id())}});
      return call_->Finish(Unsettled());
    }
    const auto* field = response_->GetDescriptor()->FindFieldByName("replayed");
    response_->GetReflection()->SetBool(response_, field, replayed);
    call_->Finish(absl::OkStatus());
  }

  void LogUnlessWritten(const absl::Status& status) {
    if (status.ok()) return;
    LogError("what became of a create could not be written down",
             {{"rpc", rpc_},
              {"merchant", context_.merchant_id},
              {"request_id", creation_.id.request_id},
              {"status", status.ToString()},
              {"trace_id", std::string(call_->trace().trace_id())}});
  }

  const CreateTools tools_;
  const Creation creation_;
  // Valid until Finish, which is the last use.
  CreateCall* const call_;
  const Message& request_;
  Message* const response_;
  const upstream::CallContext& context_;
  const CreateShape shape_;
  const std::string rpc_;
  const absl::Time answer_by_;
  const absl::Time send_until_;
  store::IntentRecord begun_;
  std::unique_ptr<Message> outgoing_;
  std::unique_ptr<Span> wait_;  // for the ledger; null in most calls
  Backoff backoff_{kFirstPause, kLongestPause};
};

// Whether the ledger may lack creates because the store was restored recently.
bool MayHaveForgotten(const CreateTools& tools) {
  return tools.restore_hold != nullptr && tools.restore_hold->Left() > absl::ZeroDuration();
}

}  // namespace

void CreateOnce(const CreateTools& tools, Creation creation, CreateShape shape) {
  CreateCall* const call = creation.call;
  const CreateId id = creation.id;
  auto flow = std::make_shared<CreateFlow>(tools, std::move(creation), std::move(shape));
  if (!id.is_callers || !MayHaveForgotten(tools)) return flow->Begin();
  tools.restore_hold->Admit(id.merchant_id, id.request_id,
                            [call, flow = std::move(flow)](const absl::Status& admitted) {
                              admitted.ok() ? flow->Begin() : call->Finish(admitted);
                            });
}

void RefuseCreation(const CreateTools& tools, CreateCall* call, const CreateId& id,
                    absl::Status status) {
  if (!id.is_callers) return call->Finish(status);
  tools.store->FindIntent(
      id.merchant_id, id.request_id,
      [tools, call, status = std::move(status)](absl::StatusOr<store::IntentRecord> known) {
        if (known.ok()) return call->Finish(WithMetadata(status, WithEarlier(*known, {})));
        // The ledger has no other call with this id, and this call sent nothing.
        if (absl::IsNotFound(known.status()) && !MayHaveForgotten(tools)) call->set_ledger_asked();
        call->Finish(status);
      });
}

}  // namespace ipp::creates
