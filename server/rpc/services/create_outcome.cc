#include "server/rpc/services/create_outcome.h"

#include <string>

#include "server/base/error.h"
#include "server/base/protobuf_time.h"

namespace ipp::rpc {
namespace {

namespace v1 = kustom::ipp::v1;
using store::IntentState;

// The numbers are equal, so that a new state cannot be forgotten in a table.
static_assert(static_cast<int>(IntentState::kUnderWay) == v1::CREATE_STATE_UNDER_WAY);
static_assert(static_cast<int>(IntentState::kNotSent) == v1::CREATE_STATE_NOT_SENT);
static_assert(static_cast<int>(IntentState::kRejected) == v1::CREATE_STATE_REJECTED);
static_assert(static_cast<int>(IntentState::kExecuted) == v1::CREATE_STATE_EXECUTED);
static_assert(static_cast<int>(IntentState::kUnknown) == v1::CREATE_STATE_UNKNOWN);

}  // namespace

void Describe(const store::IntentRecord& intent, v1::CreateOutcome* outcome) {
  outcome->set_request_id(intent.request_id);
  outcome->set_merchant_id(intent.merchant_id);
  outcome->set_rpc(intent.rpc);
  outcome->set_caller(intent.caller);
  outcome->set_state(static_cast<v1::CreateState>(intent.state));
  outcome->set_session_id(intent.session_id);
  outcome->set_traceparent(intent.trace.traceparent);
  if (intent.state == IntentState::kRejected && !intent.trimmed) {
    const absl::Status refusal = ParseError(intent.answer);
    outcome->set_reason(GetErrorDetail(refusal).reason);
    outcome->set_message(std::string(refusal.message()));
  }
  *outcome->mutable_created_at() = ToTimestamp(intent.created_at);
  *outcome->mutable_updated_at() = ToTimestamp(intent.updated_at);
  if (intent.state == IntentState::kUnderWay || intent.state == IntentState::kUnknown) {
    *outcome->mutable_settle_by() = ToTimestamp(intent.settle_by);
  }
}

}  // namespace ipp::rpc
