#include "tests/faults/creates/round_story.h"

namespace ipp::faults {
namespace {

namespace v1 = kustom::ipp::v1;

v1::Session SessionOf(v1::SessionStatus status) {
  v1::Session session;
  session.set_session_id(kSessionId);
  session.set_status(status);
  session.set_device_id("phone");
  session.set_merchant_data("cart 7");
  return session;
}

v1::SessionEvent EventOf(v1::SessionEventType type, v1::SessionStatus status) {
  v1::SessionEvent event;
  event.set_type(type);
  event.set_session_id(kSessionId);
  event.set_request_id(kRequestId);
  event.set_source(v1::SESSION_EVENT_SOURCE_WEBHOOK);
  *event.mutable_session() = SessionOf(status);
  return event;
}

CallerAnswer OtherAmount() {
  CallerAnswer answer =
      Failed(grpc::StatusCode::INVALID_ARGUMENT, "REQUEST_ID_REUSED", Outcome::kNotSent, false);
  answer.error.violations = {{"order_amount", "differs"}};
  return answer;
}

RoundRecord Begun(const std::string& fault) {
  RoundRecord record;
  record.cell.fault = fault;
  record.cell.own_id = true;
  record.cell.own_fields = OwnFields::kMerchantData;
  record.sent.set_request_id(kRequestId);
  record.sent.set_order_amount(500);
  record.sent.set_merchant_data("cart 7");
  record.request_id = kRequestId;
  record.other = OtherAmount();
  return record;
}

void SetTold(RoundRecord* record, v1::CreateState told, v1::CreateState settled,
             v1::CreateState at_end) {
  record->told = Told(told);
  record->settled = Told(settled);
  record->listed = record->settled;
  record->told_at_end = Told(at_end);
}

// The same until the end, where the session is paid if there is one.
void SetTruth(RoundRecord* record, const TruthOfCreate& before, const TruthOfCreate& after) {
  record->truth = before;
  record->truth_after_retry = after;
  record->truth_at_end = after;
  if (after.sessions.empty()) return;
  record->truth_at_end.sessions[0].status = "FINALIZED";
  record->events = {EventOf(v1::SESSION_EVENT_TYPE_CREATED, v1::SESSION_STATUS_CREATED),
                    EventOf(v1::SESSION_EVENT_TYPE_ACTIVATED, v1::SESSION_STATUS_ACTIVE),
                    EventOf(v1::SESSION_EVENT_TYPE_FINALIZED, v1::SESSION_STATUS_FINALIZED)};
  record->read_back = SessionOf(v1::SESSION_STATUS_FINALIZED);
  record->watched = true;
  record->watch_ended_ok = true;
  record->watch_last = *record->read_back;
}

}  // namespace

ReadRequest Read(bool executed, int status, const std::string& fault) {
  return {.sequence = 1,
          .connection = 1,
          .protocol = "http/1.1",
          .fault = fault,
          .executed = executed,
          .status = status,
          .session_id = executed ? kSessionId : "",
          .word = kRequestId};
}

MadeSession Made(const std::string& session_id) {
  return {.session_id = session_id, .status = "CREATED", .order_amount = 500};
}

CallerAnswer Ok(bool replayed) {
  CallerAnswer answer;
  answer.made = true;
  answer.trailer_id = kRequestId;
  *answer.response.mutable_session() = SessionOf(v1::SESSION_STATUS_CREATED);
  answer.response.set_replayed(replayed);
  return answer;
}

CallerAnswer Failed(grpc::StatusCode code, const std::string& reason, Outcome outcome, bool safe) {
  CallerAnswer answer;
  answer.made = true;
  answer.trailer_id = kRequestId;
  answer.error.code = code;
  answer.error.reason = reason;
  answer.error.outcome = outcome;
  answer.error.retry_safe = safe;
  answer.error.request_id = kRequestId;
  return answer;
}

CallerAnswer Gone(grpc::StatusCode code) {
  CallerAnswer answer;
  answer.made = true;
  answer.gone = true;
  answer.error.code = code;
  return answer;
}

ToldOutcome Told(v1::CreateState state) {
  ToldOutcome told;
  told.known = true;
  told.outcome.set_request_id(kRequestId);
  told.outcome.set_state(state);
  if (state == v1::CREATE_STATE_EXECUTED) told.outcome.set_session_id(kSessionId);
  return told;
}

RoundRecord AnsweredRound() {
  RoundRecord record = Begun("none");
  record.first = Ok(false);
  record.retry = Ok(true);
  SetTold(&record, v1::CREATE_STATE_EXECUTED, v1::CREATE_STATE_EXECUTED, v1::CREATE_STATE_EXECUTED);
  const TruthOfCreate truth{.reads = {Read(true, 201)}, .sessions = {Made()}};
  SetTruth(&record, truth, truth);
  return record;
}

RoundRecord SettledRound() {
  RoundRecord record = Begun("reset_after_read");
  record.first = Failed(grpc::StatusCode::UNKNOWN, "OUTCOME_UNKNOWN", Outcome::kUnknown, false);
  record.retry = Ok(true);
  SetTold(&record, v1::CREATE_STATE_UNKNOWN, v1::CREATE_STATE_EXECUTED, v1::CREATE_STATE_EXECUTED);
  const TruthOfCreate truth{.reads = {Read(true, 0, "reset_after_read")}, .sessions = {Made()}};
  SetTruth(&record, truth, truth);
  return record;
}

RoundRecord UnknownRound() {
  RoundRecord record = Begun("reset_after_read/uncommitted");
  record.first = Failed(grpc::StatusCode::UNKNOWN, "OUTCOME_UNKNOWN", Outcome::kUnknown, false);
  record.retry = record.first;
  SetTold(&record, v1::CREATE_STATE_UNKNOWN, v1::CREATE_STATE_UNKNOWN, v1::CREATE_STATE_UNKNOWN);
  const TruthOfCreate truth{.reads = {Read(false, 0, "reset_after_read")}, .sessions = {}};
  SetTruth(&record, truth, truth);
  return record;
}

RoundRecord NotSentRound() {
  RoundRecord record = Begun("closed_port");
  record.first =
      Failed(grpc::StatusCode::UNAVAILABLE, "UPSTREAM_UNAVAILABLE", Outcome::kNotSent, true);
  record.retry = Ok(false);
  SetTold(&record, v1::CREATE_STATE_NOT_SENT, v1::CREATE_STATE_NOT_SENT, v1::CREATE_STATE_EXECUTED);
  SetTruth(&record, {}, {.reads = {Read(true, 201)}, .sessions = {Made()}});
  return record;
}

RoundRecord RejectedRound() {
  RoundRecord record = Begun("error_before");
  record.first =
      Failed(grpc::StatusCode::INVALID_ARGUMENT, "UPSTREAM_REFUSED", Outcome::kRejected, true);
  record.retry = record.first;
  record.retry.error.metadata["replayed"] = "true";
  SetTold(&record, v1::CREATE_STATE_REJECTED, v1::CREATE_STATE_REJECTED, v1::CREATE_STATE_REJECTED);
  const TruthOfCreate truth{.reads = {Read(false, 422, "error_before")}, .sessions = {}};
  SetTruth(&record, truth, truth);
  return record;
}

RoundRecord GivenBackRound() {
  RoundRecord record = Begun("too_many");
  record.first =
      Failed(grpc::StatusCode::RESOURCE_EXHAUSTED, "UPSTREAM_RATE_LIMIT", Outcome::kRejected, true);
  record.retry = Ok(false);
  SetTold(&record, v1::CREATE_STATE_NOT_SENT, v1::CREATE_STATE_NOT_SENT, v1::CREATE_STATE_EXECUTED);
  const ReadRequest refused = Read(false, 429, "too_many");
  SetTruth(&record, {.reads = {refused}, .sessions = {}},
           {.reads = {refused, Read(true, 201)}, .sessions = {Made()}});
  return record;
}

RoundRecord ResentRound() {
  RoundRecord record = AnsweredRound();
  record.cell.fault = "goaway/unprocessed";
  record.cell.http2 = true;
  for (TruthOfCreate* truth : {&record.truth, &record.truth_after_retry, &record.truth_at_end}) {
    truth->reads.insert(truth->reads.begin(), Read(false, 0, "goaway"));
    for (ReadRequest& read : truth->reads) read.protocol = "h2";
  }
  return record;
}

RoundRecord ForgottenRound() {
  RoundRecord record = Begun("none");
  record.cell.own_id = false;
  record.cell.patience = Patience::kCancels;
  record.sent.clear_request_id();
  record.request_id.clear();
  record.first = Gone(grpc::StatusCode::CANCELLED);
  record.other = {};
  return record;
}

RoundRecord KilledRound() {
  RoundRecord record = SettledRound();
  record.cell.meanwhile = Meanwhile::kKill;
  record.first = Gone(grpc::StatusCode::UNAVAILABLE);
  record.elsewhere = Ok(true);
  record.orphans_found_late = true;
  record.told = Told(v1::CREATE_STATE_EXECUTED);
  return record;
}

}  // namespace ipp::faults
