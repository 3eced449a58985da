#include "server/sessions/session_state.h"

#include <algorithm>
#include <functional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "google/protobuf/field_mask.pb.h"
#include "google/protobuf/util/field_mask_util.h"
#include "server/base/protobuf_time.h"
#include "server/sessions/session_events.h"

namespace ipp::sessions {
namespace {

using kustom::ipp::v1::Session;
using kustom::ipp::v1::SessionEvent;
using kustom::ipp::v1::SessionEventType;
using kustom::ipp::v1::SessionStatus;
using store::SessionRecord;

// One row for each event type.
struct TypeRow {
  SessionEventType type;
  SessionStatus status;  // to which it leads; UNSPECIFIED: not a step
  const char* upstream;  // the webhook's type without "ipp."; empty: no webhook
};
constexpr TypeRow kTypes[] = {
    {kustom::ipp::v1::SESSION_EVENT_TYPE_CREATED, kustom::ipp::v1::SESSION_STATUS_CREATED,
     "session.created"},
    {kustom::ipp::v1::SESSION_EVENT_TYPE_ACTIVATED, kustom::ipp::v1::SESSION_STATUS_ACTIVE,
     "session.activated"},
    {kustom::ipp::v1::SESSION_EVENT_TYPE_PAYMENT_FAILED,
     kustom::ipp::v1::SESSION_STATUS_UNSPECIFIED, "payment.failed"},
    {kustom::ipp::v1::SESSION_EVENT_TYPE_FINALIZED, kustom::ipp::v1::SESSION_STATUS_FINALIZED,
     "session.finalized"},
    {kustom::ipp::v1::SESSION_EVENT_TYPE_CANCELLED, kustom::ipp::v1::SESSION_STATUS_CANCELLED,
     "session.cancelled"},
    {kustom::ipp::v1::SESSION_EVENT_TYPE_EXPIRED, kustom::ipp::v1::SESSION_STATUS_EXPIRED, ""},
    {kustom::ipp::v1::SESSION_EVENT_TYPE_FAILED, kustom::ipp::v1::SESSION_STATUS_FAILED, ""},
    {kustom::ipp::v1::SESSION_EVENT_TYPE_CORRECTED, kustom::ipp::v1::SESSION_STATUS_UNSPECIFIED,
     ""},
    {kustom::ipp::v1::SESSION_EVENT_TYPE_DETAILS, kustom::ipp::v1::SESSION_STATUS_UNSPECIFIED, ""},
};

constexpr char kNotFoundUpstream[] = "not_found_upstream";
// The least number of reads that found nothing, so that a clock that jumps cannot end a session
// after the first one.
constexpr int kMissesAtLeast = 3;

// The progress of a session. All final statuses have the same rank.
int Rank(SessionStatus status) {
  switch (status) {
    case kustom::ipp::v1::SESSION_STATUS_CREATED:
      return 1;
    case kustom::ipp::v1::SESSION_STATUS_ACTIVE:
      return 2;
    case kustom::ipp::v1::SESSION_STATUS_FINALIZED:
    case kustom::ipp::v1::SESSION_STATUS_CANCELLED:
    case kustom::ipp::v1::SESSION_STATUS_EXPIRED:
    case kustom::ipp::v1::SESSION_STATUS_FAILED:
      return 3;
    default:
      return 0;
  }
}

bool Disagree(SessionStatus a, SessionStatus b) { return IsFinal(a) && IsFinal(b) && a != b; }

SessionRecord NewRecord(const SessionUpdate& update, SessionStatus status) {
  SessionRecord record;
  record.merchant_id = update.merchant_id;
  record.session.set_session_id(update.session_id);
  record.session.set_status(status);
  record.created_at = update.heard_at;
  return record;
}

// Sets the fields that follow from the status, and the time of the update.
void Settle(SessionRecord& record, absl::Time heard_at, const CheckTimes& times) {
  record.open = !IsFinal(record.session.status());
  record.updated_at = heard_at;
  record.missing_since = absl::InfiniteFuture();
  if (!record.held_event.empty()) {
    record.next_check_at = heard_at + times.held;
  } else if (!record.complete) {
    record.next_check_at = heard_at + times.complete;
  } else {
    record.next_check_at = record.open ? heard_at + times.first : absl::InfiniteFuture();
  }
}

// Takes over the create of the update; false when the record already had one or the update has
// none.
bool LearnCreate(const SessionUpdate& update, SessionRecord& record) {
  if (!record.request_id.empty() || update.request_id.empty()) return false;
  record.request_id = update.request_id;
  record.trace = update.trace;
  return true;
}

// Whether `after` has something that the events published for `before` had to leave out.
bool TellsMore(const SessionRecord& before, const SessionRecord& after) {
  if (!before.complete && after.complete) return true;
  if (before.request_id.empty() && !after.request_id.empty()) return true;
  // Published as paid, without the order. The time of the payment alone is not worth an event: no
  // webhook carries it, so every payment that a caller reads would make one.
  return before.session.status() == kustom::ipp::v1::SESSION_STATUS_FINALIZED &&
         before.session.order_id().empty() && !after.session.order_id().empty();
}

Step Disagreement(const SessionRecord& known, const SessionUpdate& update) {
  Step step{.effect = UpdateEffect::kDisagrees, .record = known, .events = {}};
  LearnCreate(update, *step.record);
  step.record->next_check_at = update.heard_at;
  return step;
}

// Applies the read that a disagreement asked for.
Step Correction(const SessionRecord& known, const SessionUpdate& update, const CheckTimes& times) {
  SessionRecord record = known;
  record.session = *update.session;
  record.session.set_session_id(update.session_id);
  record.complete = true;
  LearnCreate(update, record);
  Settle(record, update.heard_at, times);
  SessionEvent event = RevisionEvent(update, kustom::ipp::v1::SESSION_EVENT_TYPE_CORRECTED, record);
  Step step{.effect = UpdateEffect::kCorrected, .record = {}, .events = {}};
  step.events.push_back(Tell(std::move(event), record));
  step.record = std::move(record);
  return step;
}

Step AdvanceByUnknownType(const std::optional<SessionRecord>& known, const SessionUpdate& update) {
  SessionEvent event = WebhookEvent(update);
  Step step{.effect = UpdateEffect::kRecorded, .record = known, .events = {}};
  if (!update.session_id.empty()) {
    // A read will find out what it means.
    if (!step.record) {
      step.record = NewRecord(update, kustom::ipp::v1::SESSION_STATUS_UNSPECIFIED);
      step.record->updated_at = update.heard_at;
    }
    step.record->next_check_at = update.heard_at;
    *event.mutable_session() = step.record->session;
    NameCreate(*step.record, &event);
  }
  step.events.push_back({std::move(event)});
  return step;
}

Step AdvanceByFailedPayment(const std::optional<SessionRecord>& known, const SessionUpdate& update,
                            const CheckTimes& times) {
  if (known && !known->open) return {.effect = UpdateEffect::kLate, .record = {}, .events = {}};
  SessionRecord record =
      known ? *known : NewRecord(update, kustom::ipp::v1::SESSION_STATUS_CREATED);
  record.checks = 0;
  Settle(record, update.heard_at, times);
  Step step{.effect = UpdateEffect::kAttempt, .record = {}, .events = {}};
  step.events.push_back(Tell(WebhookEvent(update), record));
  step.record = std::move(record);
  return step;
}

Step AdvanceByWebhook(const std::optional<SessionRecord>& known, const SessionUpdate& update,
                      const CheckTimes& times) {
  const SessionStatus reported = StatusAfter(update.type);
  SessionRecord record = known ? *known : NewRecord(update, reported);
  const SessionStatus status = record.session.status();
  if (known && Disagree(status, reported)) return Disagreement(*known, update);
  if (known && Rank(reported) < Rank(status)) {
    return {.effect = UpdateEffect::kLate, .record = {}, .events = {}};
  }
  const bool learnt = !update.order_id.empty() && record.session.order_id().empty();
  if (learnt) record.session.set_order_id(update.order_id);
  if (known && Rank(reported) == Rank(status)) {
    if (!learnt) return {.effect = UpdateEffect::kRepeated, .record = {}, .events = {}};
    record.updated_at = update.heard_at;
    return {.effect = UpdateEffect::kCompleted, .record = std::move(record), .events = {}};
  }
  record.session.set_status(reported);
  record.session.clear_status_raw();
  record.checks = 0;
  if (!known && update.hold && reported == kustom::ipp::v1::SESSION_STATUS_CREATED) {
    record.held_event = WebhookEvent(update).SerializeAsString();
    Settle(record, update.heard_at, times);
    return {.effect = UpdateEffect::kHeld, .record = std::move(record), .events = {}};
  }
  Settle(record, update.heard_at, times);
  if (reported == kustom::ipp::v1::SESSION_STATUS_FINALIZED && record.session.order_id().empty()) {
    record.next_check_at = std::min(record.next_check_at, update.heard_at + times.complete);
  }
  Step step{.effect = UpdateEffect::kAdvanced, .record = {}, .events = {}};
  step.events.push_back(Tell(WebhookEvent(update), record));
  step.record = std::move(record);
  return step;
}

// `order_items` of `order_items.quantity`.
absl::string_view FieldOf(absl::string_view path) {
  return path.substr(0, path.find_first_of(".["));
}

bool Has(const Session& session, const google::protobuf::FieldDescriptor* field) {
  if (field == nullptr) return false;
  const auto* reflection = session.GetReflection();
  return field->is_repeated() ? reflection->FieldSize(session, field) > 0
                              : reflection->HasField(session, field);
}

// Restores the known value of each field that `merged` could not read. A restored field is as
// unreadable as it was in `known`. The paths are sorted and unique, so merging the same answer
// again changes nothing.
void KeepWhatWasReadable(const Session& known, Session* merged) {
  if (merged->unreadable_fields().empty()) return;
  std::set<std::string, std::less<>> restored;
  std::set<std::string> unreadable;
  for (const std::string& path : merged->unreadable_fields()) {
    const std::string field(FieldOf(path));
    if (Has(known, Session::descriptor()->FindFieldByName(field))) {
      restored.insert(field);
    } else {
      unreadable.insert(path);
    }
  }
  google::protobuf::FieldMask mask;
  for (const std::string& field : restored) mask.add_paths(field);
  google::protobuf::util::FieldMaskUtil::MergeOptions options;
  options.set_replace_message_fields(true);
  options.set_replace_repeated_fields(true);
  google::protobuf::util::FieldMaskUtil::MergeMessageTo(known, mask, options, merged);
  for (const std::string& path : known.unreadable_fields()) {
    if (restored.count(FieldOf(path)) > 0) unreadable.insert(path);
  }
  merged->mutable_unreadable_fields()->Assign(unreadable.begin(), unreadable.end());
}

// The session of the update, completed with what the record knows better.
Session Merge(const SessionRecord& record, const SessionUpdate& update) {
  Session merged = *update.session;
  const Session& known = record.session;
  KeepWhatWasReadable(known, &merged);
  merged.set_session_id(update.session_id);
  if (Rank(merged.status()) < Rank(known.status())) {
    merged.set_status(known.status());
    merged.clear_status_raw();
    // These belong to the later status of the record.
    if (merged.order_id().empty()) merged.set_order_id(known.order_id());
    if (!merged.has_purchase_completed_at() && known.has_purchase_completed_at()) {
      *merged.mutable_purchase_completed_at() = known.purchase_completed_at();
    }
  } else if (merged.status() == known.status() && merged.order_id().empty()) {
    merged.set_order_id(known.order_id());
  }
  return merged;
}

Step AdvanceByWholeSession(const std::optional<SessionRecord>& known, const SessionUpdate& update,
                           const CheckTimes& times) {
  const SessionStatus reported = update.session->status();
  if (!known && update.overheard && IsFinal(reported)) {
    return {.effect = UpdateEffect::kLate, .record = {}, .events = {}};
  }
  SessionRecord record =
      known ? *known : NewRecord(update, kustom::ipp::v1::SESSION_STATUS_UNSPECIFIED);
  const SessionStatus status = record.session.status();
  if (Disagree(status, reported)) {
    const bool is_the_look = update.source == kustom::ipp::v1::SESSION_EVENT_SOURCE_RECONCILIATION;
    return is_the_look ? Correction(*known, update, times) : Disagreement(*known, update);
  }

  bool learnt = LearnCreate(update, record) || !known;
  // An unknown status may be later than all known ones; a known one that is behind is an old
  // answer.
  const bool behind = Rank(reported) > 0 && Rank(reported) < Rank(status);
  if (!behind || !record.complete) {
    Session merged = Merge(record, update);
    learnt = learnt || !record.complete ||
             merged.SerializeAsString() != record.session.SerializeAsString();
    record.session = std::move(merged);
    record.complete = true;
  }
  // This update is the read that a final session was due for, or proves that a missing session
  // exists.
  const bool looked = (!behind && !record.open && record.next_check_at != absl::InfiniteFuture()) ||
                      record.missing_since != absl::InfiniteFuture();
  Step step;
  if (Rank(reported) > Rank(status)) {
    step.effect = UpdateEffect::kAdvanced;
    record.checks = 0;
  } else if (learnt) {
    step.effect = UpdateEffect::kCompleted;
  } else {
    step.effect = behind ? UpdateEffect::kLate : UpdateEffect::kRepeated;
    if (!looked) return step;
  }
  Settle(record, update.heard_at, times);
  if (step.effect == UpdateEffect::kAdvanced) {
    step.events.push_back(Tell(ProvenEvent(update, record), record));
  }
  step.record = std::move(record);
  return step;
}

Step AdvanceByAny(const std::optional<SessionRecord>& known, const SessionUpdate& update,
                  const CheckTimes& times) {
  if (update.session) return AdvanceByWholeSession(known, update, times);
  if (update.type == kustom::ipp::v1::SESSION_EVENT_TYPE_UNSPECIFIED || update.session_id.empty()) {
    return AdvanceByUnknownType(known, update);
  }
  if (StatusAfter(update.type) == kustom::ipp::v1::SESSION_STATUS_UNSPECIFIED) {
    return AdvanceByFailedPayment(known, update, times);
  }
  return AdvanceByWebhook(known, update, times);
}

}  // namespace

Step Advance(const std::optional<SessionRecord>& known, const SessionUpdate& update,
             const CheckTimes& times) {
  if (!known || known->held_event.empty()) {
    Step step = AdvanceByAny(known, update, times);
    if (known && step.record && step.events.empty() && TellsMore(*known, *step.record)) {
      SessionEvent event =
          RevisionEvent(update, kustom::ipp::v1::SESSION_EVENT_TYPE_DETAILS, *step.record);
      step.events.push_back(Tell(std::move(event), *step.record));
    }
    return step;
  }
  SessionRecord reported = *known;
  reported.held_event.clear();
  Step step = AdvanceByAny(reported, update, times);
  if (!step.record) return step;  // nothing new: keep holding the event
  step.events.insert(step.events.begin(), TellHeld(*known, *step.record));
  return step;
}

Step Release(const SessionRecord& known, absl::Time now, const CheckTimes& times) {
  Step step{.effect = UpdateEffect::kAdvanced, .record = known, .events = {}};
  step.record->held_event.clear();
  Settle(*step.record, now, times);
  step.events.push_back(TellHeld(known, *step.record));
  return step;
}

Step Miss(const SessionRecord& known, absl::Time now, const CheckTimes& times) {
  Step step{.effect = UpdateEffect::kRepeated, .record = known, .events = {}};
  SessionRecord& record = *step.record;
  record.missing_since = std::min(known.missing_since, now);
  const absl::Time until =
      record.missing_since + (known.complete ? times.missing_known : times.missing);
  if (now < until || known.checks < kMissesAtLeast) {
    record.next_check_at = std::min(known.next_check_at, std::max(until, now));
    const bool noted =
        record.missing_since == known.missing_since && record.next_check_at == known.next_check_at;
    if (noted) step.record.reset();
    return step;
  }
  record.next_check_at = absl::InfiniteFuture();
  if (!known.open) return step;
  SessionUpdate update;
  update.source = kustom::ipp::v1::SESSION_EVENT_SOURCE_RECONCILIATION;
  update.merchant_id = known.merchant_id;
  update.session_id = known.session.session_id();
  update.heard_at = now;
  step.effect = UpdateEffect::kAdvanced;
  if (!known.held_event.empty()) step.events.push_back(TellHeld(known, known));
  record.held_event.clear();
  record.session.set_status(kustom::ipp::v1::SESSION_STATUS_FAILED);
  record.session.clear_status_raw();
  record.open = false;
  record.updated_at = now;
  SessionEvent event = ProvenEvent(update, record);
  event.set_failure_reason(kNotFoundUpstream);
  step.events.push_back(Tell(std::move(event), record));
  return step;
}

SessionStatus StatusAfter(SessionEventType type) {
  for (const TypeRow& row : kTypes) {
    if (row.type == type) return row.status;
  }
  return kustom::ipp::v1::SESSION_STATUS_UNSPECIFIED;
}

SessionEventType EventFor(SessionStatus status) {
  for (const TypeRow& row : kTypes) {
    if (row.status == status && Rank(status) > 0) return row.type;
  }
  return kustom::ipp::v1::SESSION_EVENT_TYPE_UNSPECIFIED;
}

bool IsFinal(SessionStatus status) { return Rank(status) == 3; }

SessionEventType TypeFromUpstream(absl::string_view upstream_type) {
  if (absl::StartsWithIgnoreCase(upstream_type, "ipp.")) upstream_type.remove_prefix(4);
  for (const TypeRow& row : kTypes) {
    if (*row.upstream != '\0' && absl::EqualsIgnoreCase(upstream_type, row.upstream)) {
      return row.type;
    }
  }
  return kustom::ipp::v1::SESSION_EVENT_TYPE_UNSPECIFIED;
}

}  // namespace ipp::sessions
