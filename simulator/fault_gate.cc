#include "simulator/fault_gate.h"

#include <string>
#include <utility>

#include "simulator/problem.h"
#include "simulator/sim_clock.h"

namespace ipp::simulator {
namespace {

bool Executes(const FaultRule& fault) {
  switch (fault.kind) {
    case FaultKind::kErrorBefore:
    case FaultKind::kTooMany:
    case FaultKind::kRefuseStream:
      return false;
    case FaultKind::kGoAway:
      return fault.processed && fault.commit;
    case FaultKind::kResetAfterRead:
    case FaultKind::kCloseAfterRead:
    case FaultKind::kHang:
      return fault.commit;
    default:
      return true;
  }
}

Response Nothing(Ending ending) {
  Response response;
  response.ending = ending;
  return response;
}

Admission AtHead(const FaultRule& fault) {
  switch (fault.kind) {
    case FaultKind::kResetBeforeRead:
      return Admission::kReset;
    case FaultKind::kRefuseStream:
      return fault.after_read ? Admission::kRead : Admission::kRefuse;
    case FaultKind::kGoAway:
      // What begins after it is not covered by the GOAWAY either, so it must not be executed.
      return fault.processed ? Admission::kRead : Admission::kReadLast;
    default:
      return Admission::kRead;
  }
}

bool Sends(Ending ending) {
  return ending == Ending::kWhole || ending == Ending::kCutBody || ending == Ending::kSlowBody ||
         ending == Ending::kGoAwayAnswer;
}

Response Refusal(const FaultRule& fault) {
  Response response =
      fault.kind == FaultKind::kTooMany
          ? ProblemResponse(429, "Too Many Requests", "A fault asks for this answer.")
          : ProblemResponse(fault.status, "Simulated Failure", "A fault asks for this answer.");
  if (fault.retry_after) {
    response.headers.emplace_back("Retry-After",
                                  fault.retry_after_date
                                      ? FormatHttpDate(SimClock::RealNow() + *fault.retry_after)
                                      : std::to_string(fault.retry_after->count()));
  }
  return response;
}

}  // namespace

std::optional<std::chrono::milliseconds> FaultGate::Refuse() {
  const auto fault = faults_.Strike(FaultPoint::kConnection, {});
  if (fault == nullptr) return std::nullopt;
  return fault->delay;
}

Admission FaultGate::Admit(Request& request) {
  if (faults_.empty()) return Admission::kRead;
  const std::string_view operation = Api::OperationOf(request);
  if (operation.empty()) return Admission::kRead;
  const bool stream = request.protocol == kHttp2;
  request.fault = faults_.Strike(stream ? FaultPoint::kStream : FaultPoint::kRequest, operation);
  return request.fault == nullptr ? Admission::kRead : AtHead(*request.fault);
}

void FaultGate::Answer(Request& request, Responder respond) {
  const uint64_t sequence = requests_.Begin(request);
  const auto finish = [this, &request, sequence, fault = request.fault] {
    RequestLog::Outcome outcome;
    Response response =
        fault == nullptr ? Execute(request, &outcome) : Spoil(request, *fault, &outcome);
    requests_.Finish(sequence, std::move(outcome));
    return response;
  };
  if (request.fault == nullptr) return respond(finish());
  const auto delay = request.fault->delay;
  if (delay.count() == 0 || request.fault->kind == FaultKind::kSlowBody) return respond(finish());
  // The request lives until it is answered.
  if (request.fault->kind == FaultKind::kDelay) {
    return run_after_(delay, [finish, respond = std::move(respond)] { respond(finish()); });
  }
  run_after_(delay, [respond = std::move(respond), response = finish()] { respond(response); });
}

Response FaultGate::Execute(const Request& request, RequestLog::Outcome* outcome) {
  Api::Answer answer = api_.Handle(request);
  outcome->form = answer.form;
  dialects_.Word(Api::OperationOf(request), &answer.response);
  outcome->executed = true;
  outcome->status = answer.response.status;
  outcome->session_id = std::move(answer.session_id);
  return std::move(answer.response);
}

Response FaultGate::Spoil(const Request& request, const FaultRule& fault,
                          RequestLog::Outcome* outcome) {
  const FaultKind kind = fault.kind;
  Response response;
  if (Executes(fault)) {
    response = Execute(request, outcome);
  } else {
    outcome->form = api_.FormOf(request);
  }
  switch (kind) {
    case FaultKind::kResetAfterRead:
      response = Nothing(Ending::kReset);
      break;
    case FaultKind::kCloseAfterRead:
      response = Nothing(Ending::kClosed);
      break;
    case FaultKind::kHang:
      response = Nothing(Ending::kSilent);
      break;
    case FaultKind::kRefuseStream:
      response = Nothing(Ending::kRefused);
      break;
    case FaultKind::kGoAway:
      if (!fault.answer) response = {};
      response.ending = fault.answer      ? Ending::kGoAwayAnswer
                        : fault.processed ? Ending::kGoAwayAfter
                                          : Ending::kGoAwayBefore;
      break;
    case FaultKind::kErrorBefore:
    case FaultKind::kErrorAfter:
    case FaultKind::kTooMany:
      response = Refusal(fault);
      dialects_.Word(Api::OperationOf(request), &response);
      break;
    case FaultKind::kCutBody:
      response.ending = Ending::kCutBody;
      break;
    case FaultKind::kSlowBody:
      response.ending = Ending::kSlowBody;
      response.body_time = fault.delay;
      break;
    case FaultKind::kMalformedJson:
      response.status = 200;
      response.body =
          response.body.empty() ? "{" : response.body.substr(0, response.body.size() / 2);
      break;
    default:
      break;  // the answer as it is
  }
  outcome->status = Sends(response.ending) ? response.status : 0;
  return response;
}

}  // namespace ipp::simulator
