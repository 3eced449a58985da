#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/faults/creates/verdict.h"
#include "tests/faults/steps.h"

namespace ipp::faults {
namespace {

namespace v1 = kustom::ipp::v1;
using Wrong = std::vector<std::string>;

constexpr char kWordPrefix[] = "ipp-gateway:";

bool HasOwnFields(const RoundRecord& record, const v1::Session& session) {
  return session.merchant_data() == record.sent.merchant_data() &&
         session.merchant_reference2() == record.sent.merchant_reference2();
}

// What the gateway knows from a webhook alone is id and status.
bool IsThin(const v1::Session& session) { return session.device_id().empty(); }

// A later webhook was the first that the gateway heard of the session.
bool HeardLate(const RoundRecord& record) {
  return record.cell.named_late && !record.truth.sessions.empty() &&
         record.told.state() != v1::CREATE_STATE_EXECUTED;
}

// An event of a webhook, published before it was known which create made the session: the one that
// named it, or one that came before the answer to a create that has no word.
bool ToldTooSoon(const RoundRecord& record, const v1::SessionEvent& event) {
  // The whole of a session may be read before the answer to its create is known.
  if (event.type() == v1::SESSION_EVENT_TYPE_DETAILS) {
    return record.cell.own_fields == OwnFields::kBoth;
  }
  if (event.source() != v1::SESSION_EVENT_SOURCE_WEBHOOK) return false;
  if (HeardLate(record)) {
    return record.cell.named_by_tap || event.type() == v1::SESSION_EVENT_TYPE_ACTIVATED;
  }
  return record.cell.own_fields == OwnFields::kBoth &&
         event.type() == v1::SESSION_EVENT_TYPE_CREATED;
}

void JudgeEvents(const RoundRecord& record, const std::string& session_id, Wrong* wrong) {
  const bool settled = record.told_at_end.state() == v1::CREATE_STATE_EXECUTED;
  int created = 0;
  int ends = 0;
  bool named = false;
  for (const v1::SessionEvent& event : record.events) {
    const std::string name = absl::StrCat("event ", Name(event.type()));
    if (event.type() == v1::SESSION_EVENT_TYPE_CREATED) ++created;
    if (IsTerminal(event.type())) ++ends;
    if (event.session_id() != session_id) wrong->push_back(name + ": of another session");
    if (IsThin(event.session()) ? absl::StrContains(event.session().merchant_data(), kWordPrefix)
                                : !HasOwnFields(record, event.session())) {
      wrong->push_back(name + ": merchant_data or merchant_reference2 is not the caller's");
    }
    // A DETAILS event follows an event that came too early.
    const bool bare =
        event.request_id().empty() && ToldTooSoon(record, event) && !IsDetails(event.type());
    const std::string& id = event.request_id();
    named = named || !id.empty();
    if (id != (settled ? record.request_id : "") && !bare) {
      wrong->push_back(absl::StrCat(name, ": request_id is ", id));
    }
  }
  const bool may_miss = HeardLate(record) && created == 0;
  if (created != 1 && !may_miss) wrong->push_back(absl::StrCat(created, " CREATED events"));
  if (settled && !named) wrong->push_back("no event tells the request_id");
  if (ends != 1) wrong->push_back(absl::StrCat(ends, " terminal events"));
  if (!record.events_listed_alike) wrong->push_back("ListSessionEvents differs from the stream");
}

}  // namespace

void JudgeSession(const RoundRecord& record, Wrong* wrong) {
  if (record.truth_at_end.sessions.size() != 1) return;
  const MadeSession& made = record.truth_at_end.sessions[0];
  if (made.order_amount != record.sent.order_amount()) {
    wrong->push_back(absl::StrCat("the session is about ", made.order_amount));
  }
  if (made.status != "FINALIZED") wrong->push_back("the session was not paid: " + made.status);
  JudgeEvents(record, made.session_id, wrong);
  if (!record.read_back || !HasOwnFields(record, *record.read_back)) {
    wrong->push_back("GetSession: merchant_data or merchant_reference2 is not the caller's");
  }
  if (record.told_at_end.state() != v1::CREATE_STATE_EXECUTED) return;
  if (!record.watched || !record.watch_ended_ok ||
      record.watch_last.session_id() != made.session_id ||
      record.watch_last.status() != v1::SESSION_STATUS_FINALIZED ||
      !HasOwnFields(record, record.watch_last)) {
    wrong->push_back("WatchSession by request_id does not end with the session that was paid");
  }
}

}  // namespace ipp::faults
