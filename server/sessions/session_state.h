#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "kustom/ipp/v1/session.pb.h"
#include "kustom/ipp/v1/session_event.pb.h"
#include "server/store/store.h"

namespace ipp::sessions {

// An update of a session that the gateway received. Either a webhook (thin: it says what happened)
// or a whole session as the upstream answered it (a read, or the answer to a create or a cancel).
struct SessionUpdate {
  kustom::ipp::v1::SessionEventSource source = kustom::ipp::v1::SESSION_EVENT_SOURCE_UNSPECIFIED;
  std::string merchant_id;
  std::string session_id;
  absl::Time heard_at;  // when it was received

  // A webhook.
  std::string event_id;       // `kevt_…`
  std::string upstream_type;  // as sent
  kustom::ipp::v1::SessionEventType type = kustom::ipp::v1::SESSION_EVENT_TYPE_UNSPECIFIED;
  std::string order_id;
  std::string failure_reason;
  absl::Time occurred_at;

  // A whole session; then the webhook's fields are empty.
  std::optional<kustom::ipp::v1::Session> session;
  std::string request_id;  // of the create that this answers, or whose mark the session carries
  TraceContext trace;      // of that create, if known
  // This is the answer to that create itself. Otherwise the session only carries the create's mark,
  // and must be checked against the create (creates/create_request.h).
  bool answers_create = false;
  // Set for a webhook while a create is under way that may have made this session. If the session
  // is unknown, its event is held until the create's answer or a read has completed it.
  bool hold = false;
  // The session came from a caller's read. If we have no record of it and it is already final,
  // ignore it: its end may have been published and trimmed.
  bool overheard = false;
};

// The effect of an update on what was known.
enum class UpdateEffect {
  kAdvanced,   // the session took a step
  kAttempt,    // a payment failed; the status stays
  kRecorded,   // an event without a step (of an unknown type)
  kHeld,       // a step whose event is held until more of the session is known
  kCompleted,  // no step, but more of the session is known
  kRepeated,   // already known
  kLate,       // a step that the session has already passed
  kDisagrees,  // a final status other than the recorded one: a read must decide
  kCorrected,  // that read proved the other status
};

// How long after an update a session is read.
struct CheckTimes {
  absl::Duration held = absl::Milliseconds(200);  // a session with a held event
  absl::Duration first = absl::Seconds(30);       // an open session
  absl::Duration complete = absl::Seconds(1);     // a session known from webhooks only
  // How long reads may answer "not found" before the record is ended: for a session known from
  // webhooks only, and for one that was read before.
  absl::Duration missing = absl::Minutes(10);
  absl::Duration missing_known = absl::Hours(24);
};

struct Step {
  UpdateEffect effect = UpdateEffect::kRepeated;
  std::optional<store::SessionRecord> record;  // absent: nothing to write
  std::vector<store::NewEvent> events;
};

// The session state machine, one pure function: CREATED → ACTIVE → FINALIZED | CANCELLED | EXPIRED
// | FAILED. It never goes back: a step back is ignored. A session has at most one terminal event. A
// step that was skipped makes no event: an event says only what was received. `known` is absent for
// a session without a record.
//
// * The first webhook of a session makes a thin record (id, status). A whole session completes it,
//   even if its status is behind by then. A whole session with an unknown status completes the
//   record and makes no step.
// * A failed payment makes an event and leaves the status, CREATED too: only an update that says
//   ACTIVE makes the session ACTIVE. After a final status it is late.
// * A webhook of an unknown type makes an event and no step. A read must find out what it means, so
//   the session is due at once; it gets a record without a status if it had none.
// * When two final statuses disagree, the first one stays, and the session is due at once. The
//   reconciler's read is then the truth: if it has the other status, the record takes it, and a
//   CORRECTED event, which is not a terminal event, reports it.
// * If the record learns what the events so far had to leave out (the whole session, the create's
//   request_id, or the order_id of a session published as FINALIZED), and the update makes no event
//   that carries it, a DETAILS event does. It is not a step. A webhook that says FINALIZED without
//   an order_id makes the session due for a read, which may return it.
// * Ids of CORRECTED and DETAILS end with the record's `revision`, so the ids of one session
//   differ.
// * The event of a webhook keeps the upstream's id, type and time. An event that a whole session
//   proves has an id made of merchant, session and type, which is the same whenever it is computed
//   again, and occurred when the update was received; for FINALIZED, at `purchase_completed_at` if
//   the session has it.
// * An event carries the session as it is after the event.
// * A held CREATED is kept in the record. It is published before the event of the next step, when
//   the whole session becomes known, or by Release.
Step Advance(const std::optional<store::SessionRecord>& known, const SessionUpdate& update,
             const CheckTimes& times = {});

// Applies a read that was answered with "not found". Records since when that is so. After
// `times.missing` (`times.missing_known` for a session that was read before) and some reads the
// session ends: its terminal event is FAILED with the failure_reason "not_found_upstream", and it
// is not read again. For a record that is already final only the reads end.
Step Miss(const store::SessionRecord& known, absl::Time now, const CheckTimes& times = {});

// Publishes the held event with what is known now.
Step Release(const store::SessionRecord& known, absl::Time now, const CheckTimes& times = {});

// The status that an event type leads to; UNSPECIFIED for a type that is not a step.
kustom::ipp::v1::SessionStatus StatusAfter(kustom::ipp::v1::SessionEventType type);
// The event type of the step to a status.
kustom::ipp::v1::SessionEventType EventFor(kustom::ipp::v1::SessionStatus status);
bool IsFinal(kustom::ipp::v1::SessionStatus status);

// "ipp.session.finalized" (in any letter case, also without "ipp.", as older pages write) →
// FINALIZED; UNSPECIFIED for unknown words.
kustom::ipp::v1::SessionEventType TypeFromUpstream(absl::string_view upstream_type);

}  // namespace ipp::sessions
